//! The message protocols by name.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use ninestep::protocol::hprose::Hprose;
use ninestep::protocol::json_rpc::JsonRpc;
use ninestep::protocol::thrift::{Idl, IdlError, Thrift};
use ninestep::protocol::xml_rpc::XmlRpc;
use ninestep::{Channel, Server};

/// Which protocol is spoken, and what it must know for that.
#[derive(Args)]
pub(crate) struct Protocol {
    /// How calls and their outcomes look as bytes.
    #[arg(long, default_value = "native")]
    protocol: Name,
    /// A Thrift file, which gives arguments and results their numbers, names and types.
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
}

fn load(path: &str) -> Result<Idl, IdlError> {
    Idl::load(path)
}

impl Protocol {
    /// Says what is wrong with these options, if anything is.
    pub(crate) fn mistake(&self) -> Option<ExitCode> {
        (self.idl.is_some() && self.protocol != Name::Thrift).then(|| {
            let error = "--idl is a file for Thrift, and this protocol needs none";
            crate::failed(error, "add --protocol thrift, or leave --idl out")
        })
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
        }
    }

    fn thrift(&self) -> Thrift {
        Thrift { idl: self.idl.clone().unwrap_or_default(), ..Thrift::default() }
    }
}
