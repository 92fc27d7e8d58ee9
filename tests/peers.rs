//! Foreign clients against our servers, and our client against foreign servers: the real systems,
//! from PyPI, in the versions that `peers/requirements.txt` names.
//!
//! Each system is a module here with its scripts beside it.
#![cfg(feature = "cli")]

#[path = "grpc/talk.rs"]
pub mod grpc_talk;
pub mod support;
#[path = "thrift/talk.rs"]
pub mod talk;

#[path = "peers/environment.rs"]
pub mod environment;
#[path = "peers/grpc.rs"]
mod grpc;
#[path = "peers/hprose.rs"]
mod hprose;
#[path = "peers/idl.rs"]
mod idl;
#[path = "peers/json_rpc.rs"]
mod json_rpc;
#[path = "peers/thrift.rs"]
mod thrift;
#[path = "peers/xml_rpc.rs"]
mod xml_rpc;

/// How the server runs, from thread to process.
const STRATEGIES: [&[&str]; 3] = [
    &["--strategy", "thread"],
    &["--strategy", "process", "--start", "spawn"],
    &["--strategy", "process", "--start", "fork"],
];
