//! The message protocols by name.

use clap::ValueEnum;
use ninestep::protocol::json_rpc::JsonRpc;
use ninestep::{Channel, Server};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// Frames made to be read in a hex dump, over TCP.
    Native,
    /// JSON-RPC 2.0 over HTTP/1.1.
    JsonRpc,
    /// JSON-RPC 2.0 over TCP, one message to a line.
    JsonRpcTcp,
}

impl Protocol {
    /// A server that speaks it.
    pub(crate) fn server(self, server: Server) -> Server {
        match self {
            Protocol::Native => server,
            Protocol::JsonRpc => server.protocol(JsonRpc::over_http()),
            Protocol::JsonRpcTcp => server.protocol(JsonRpc::over_tcp()),
        }
    }

    /// A channel over which it is spoken.
    pub(crate) fn channel(self, channel: Channel) -> Channel {
        match self {
            Protocol::Native => channel,
            Protocol::JsonRpc => channel.protocol(JsonRpc::over_http()),
            Protocol::JsonRpcTcp => channel.protocol(JsonRpc::over_tcp()),
        }
    }
}
