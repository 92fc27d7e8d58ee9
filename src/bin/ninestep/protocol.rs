//! The message protocols by name.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use ninestep::protocol::grpc::{Grpc, Proto};
use ninestep::protocol::hprose::Hprose;
use ninestep::protocol::json_rpc::JsonRpc;
use ninestep::protocol::thrift::{self, Thrift};
use ninestep::protocol::xml_rpc::XmlRpc;
use ninestep::{Channel, Server};

/// Which protocol is spoken, and what it must know for that.
#[derive(Args)]
pub(crate) struct Protocol {
    /// How calls and their outcomes look as bytes.
    #[arg(long, default_value = "native")]
    protocol: Name,
    /// A .thrift or .proto file, which gives arguments and results their numbers, names and types.
    #[arg(long, value_name = "FILE", value_parser = load)]
    idl: Option<Idl>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Frames made to be read in a hex dump, over TCP.
    Native,
    /// JSON-RPC 2.0 over HTTP/1.1.
    JsonRpc,
    /// JSON-RPC 2.0 over TCP, one message to a line.
    JsonRpcTcp,
    /// XML-RPC over HTTP/1.1.
    XmlRpc,
    /// Hprose 2.0 over HTTP/1.1.
    Hprose,
    /// Thrift's binary protocol over TCP.
    Thrift,
    /// gRPC over HTTP/2; the service is called Demo unless a file or the call says otherwise.
    Grpc,
}

/// What a file declares.
#[derive(Clone)]
enum Idl {
    Thrift(thrift::Idl),
    Proto(Proto),
}

fn load(path: &str) -> Result<Idl, String> {
    if path.ends_with(".proto") {
        Proto::load(path).map(Idl::Proto).map_err(|error| error.to_string())
    } else {
        thrift::Idl::load(path).map(Idl::Thrift).map_err(|error| error.to_string())
    }
}

impl Protocol {
    /// Says what is wrong with these options, if anything is.
    pub(crate) fn mistake(&self) -> Option<ExitCode> {
        let (error, tip) = match (self.protocol, &self.idl) {
            (_, None)
            | (Name::Thrift, Some(Idl::Thrift(_)))
            | (Name::Grpc, Some(Idl::Proto(_))) => {
                return None;
            }
            (Name::Thrift, _) => {
                ("--idl is a .proto file, and Thrift has others", "name a .thrift file")
            }
            (Name::Grpc, _) => ("--idl is no .proto file, which gRPC has", "name a .proto file"),
            (_, Some(Idl::Thrift(_))) => (
                "--idl is a file for Thrift, and this protocol needs none",
                "add --protocol thrift, or leave --idl out",
            ),
            (_, Some(Idl::Proto(_))) => (
                "--idl is a file for gRPC, and this protocol needs none",
                "add --protocol grpc, or leave --idl out",
            ),
        };
        Some(crate::failed(error, tip))
    }

    /// A server that speaks it.
    pub(crate) fn server(&self, server: Server) -> Server {
        match self.protocol {
            Name::Native => server,
            Name::JsonRpc => server.protocol(JsonRpc::over_http()),
            Name::JsonRpcTcp => server.protocol(JsonRpc::over_tcp()),
            Name::XmlRpc => server.protocol(XmlRpc::default()),
            Name::Hprose => server.protocol(Hprose::default()),
            Name::Thrift => server.protocol(self.thrift()),
            Name::Grpc => server.protocol(self.grpc(Grpc::default())),
        }
    }

    /// A channel over which it is spoken.
    pub(crate) fn channel(&self, channel: Channel) -> Channel {
        match self.protocol {
            Name::Native => channel,
            Name::JsonRpc => channel.protocol(JsonRpc::over_http()),
            Name::JsonRpcTcp => channel.protocol(JsonRpc::over_tcp()),
            Name::XmlRpc => channel.protocol(XmlRpc::default()),
            Name::Hprose => channel.protocol(Hprose::default()),
            Name::Thrift => channel.protocol(self.thrift()),
            Name::Grpc => channel.protocol(self.grpc(Grpc::service("Demo"))),
        }
    }

    /// Says what is wrong with this address, if it has more than the protocol can use.
    pub(crate) fn mistake_in(&self, address: &str) -> Option<ExitCode> {
        let rest = address.strip_prefix("http://").unwrap_or(address);
        let path = rest.find('/').map_or("", |slash| &rest[slash..]);
        match self.protocol {
            Name::JsonRpc | Name::XmlRpc | Name::Hprose => None,
            Name::Grpc if matches!(path, "" | "/") => None,
            Name::Grpc => Some(crate::failed(
                "gRPC makes its own path, of the service and the procedure",
                format!("leave {path} out, and name the procedure Service/Method"),
            )),
            Name::Native | Name::JsonRpcTcp | Name::Thrift => {
                let is_plain = rest == address && path.is_empty();
                (!is_plain).then(|| {
                    crate::failed(
                        format!(
                            "{address} is an address over HTTP, which this protocol does not use"
                        ),
                        "ADDR is HOST:PORT here; or name another --protocol, for instance json-rpc",
                    )
                })
            }
        }
    }

    fn thrift(&self) -> Thrift {
        match &self.idl {
            Some(Idl::Thrift(idl)) => Thrift { idl: idl.clone(), ..Thrift::default() },
            _ => Thrift::default(),
        }
    }

    fn grpc(&self, without_file: Grpc) -> Grpc {
        match &self.idl {
            Some(Idl::Proto(proto)) => Grpc::with_proto(proto.clone()),
            _ => without_file,
        }
    }
}
