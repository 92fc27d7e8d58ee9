//! A remote procedure call, in nine explicit steps.
#![deny(clippy::unwrap_used, clippy::expect_used)]

pub mod demo;
pub mod protocol;

mod channel;
mod client_stub;
mod error;
mod message;
mod pending;
mod procedure;
mod server;
mod server_stub;
mod service;
mod steps;
mod transport;
mod value;

pub use channel::Channel;
pub use client_stub::{Batch, ClientStub, PendingCall};
pub use error::{Error, Execution, ProtocolError, Result, StrategyError};
pub use message::{Call, Fault, Outcome, Outgoing, Packed};
pub use procedure::{Argument, Fallible, Handler, Plain, Procedures, Returns, Signature, Teller};
pub use server::{
    BoundServer, ForkPerConnection, Incoming, Limits, Next, Server, SingleThreaded,
    SpawnPerConnection, StopHandle, Strategy, ThreadPerConnection, ThreadPool,
};
pub use server_stub::ServerStub;
pub use steps::{Event, LOG_TARGET, Observer, Recorded, Recorder, Step};
pub use transport::Connection;
pub use value::Value;
