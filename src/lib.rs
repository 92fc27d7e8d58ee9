//! A remote procedure call in nine explicit steps: to read in a weekend, and to use after it.
//!
//! A procedure call that leaves the process takes nine steps. Each has its place in this crate, and
//! in the book that comes with it:
//!
//! | step | who | does what | where | chapter |
//! |---|---|---|---|---|
//! | 1 | client | calls a procedure as if it were local | your code, [`ClientStub::call`] | 1 |
//! | 2 | client stub | packs the procedure's name and arguments into a message | [`protocol`] | 2, 3 |
//! | 3 | client stub | sends the message over a channel | [`ClientStub`], [`Channel`] | 4, 5 |
//! | 4 | server stub | receives the message and unpacks name and arguments | [`ServerStub::process`] | 6 |
//! | 5 | server stub | calls the local procedure | [`ServerStub`] | 6 |
//! | 6 | server | runs it and returns the result to the server stub | your code, [`Procedures`] | 6 |
//! | 7 | server stub | packs the result and sends it | [`ServerStub`] | 6 |
//! | 8 | client stub | receives the message and unpacks the result | [`ClientStub`] | 5 |
//! | 9 | client | has the result | your code, [`PendingCall::wait`] | 1 |
//!
//! # A server and a client
//!
//! ```
//! use ninestep::{Channel, ClientStub, Procedures, Server, ThreadPerConnection};
//!
//! // Step 6: ordinary closures are the procedures.
//! let procedures = Procedures::new().on("add", |a: i64, b: i64| a + b);
//! let server = Server::new(procedures).bind("127.0.0.1:0")?;
//! let (address, stop) = (server.local_addr(), server.stop_handle());
//! let running = std::thread::spawn(move || server.run(&ThreadPerConnection::default()));
//!
//! // Steps 1 and 9: one line, which looks local but can fail.
//! let stub = ClientStub::new(&Channel::new(address))?;
//! let sum: i64 = stub.call("add", (10, 5))?;
//! assert_eq!(sum, 15);
//!
//! stop.stop();
//! running.join().unwrap()?;
//! # Ok::<(), ninestep::Error>(())
//! ```
//!
//! With [`service!`] one trait definition makes the trait, its client and its server, so that a
//! local object and a remote one have the same type.
//!
//! # Three choices, each free of the others
//!
//! - The **protocol** says how a call and its outcome look as bytes: [`protocol`]. The native one
//!   is [`protocol::native`], made to be read in a hex dump; others are for speaking with others.
//! - The **transport** says how messages cross: in a stream of bytes over TCP or over a pair of
//!   sockets in memory ([`Channel`], [`Connection`]), or as the bodies of HTTP's messages.
//! - The **strategy** says which thread or process serves a connection: [`Strategy`].
//!
//! | strategy | a connection gets | right for | wrong for |
//! |---|---|---|---|
//! | [`SingleThreaded`] | its turn | one client; the child of another strategy | two clients |
//! | [`ThreadPerConnection`] | a thread | many clients that stay | procedures that may crash the process |
//! | [`ThreadPool`] | one of a few threads | many short connections | clients that stay idle |
//! | [`ForkPerConnection`] | a copy of the process | procedures that may crash | programs with threads or much memory |
//! | [`SpawnPerConnection`] | a new process | procedures that may crash, in any program | short connections |
//! | [`ProcessPool`] | one of a few processes | short connections, and procedures that may crash | clients that stay idle |
//!
//! # When something goes wrong
//!
//! Every remote call returns [`Result`]. An [`Error`] says whether the road broke, the bytes made
//! no sense, or the remote side said no (a [`Fault`]), and [`Error::execution`] says whether the
//! procedure may have run.
//!
//! # Watching
//!
//! An [`Observer`] sees every step with its bytes, its process, its thread and its time; the same
//! steps are `log` lines at debug level: try `RUST_LOG=ninestep=debug cargo run --example
//! 01_local_and_remote`.
//!
//! # The book
//!
//! `cargo book serve`, in the repository, shows a book that explains all of this step by step, with
//! experiments and exercises: the call in its chapters 1 to 7, the strategies in 8 to 12, time, other
//! protocols and other machines in 13 to 15. The code in it is taken from these files, and below each
//! piece stands from which. Its text begins with `chapters/01-nine-steps.md`.
//!
//! # Features
//!
//! `cli`, on by default, is the `ninestep` command, and `compare`, which it includes, what
//! `ninestep compare` runs. A library needs neither: `default-features = false`. Each protocol
//! besides the native one has a feature of its name, such as `json-rpc`; `grpc-proto` is `grpc` with
//! `.proto` files read at run time. `cli` includes them all.
#![deny(clippy::unwrap_used, clippy::expect_used)]

pub mod protocol;

mod message;
mod value;

mod steps;

mod channel;
mod client_stub;
#[cfg(feature = "http2")]
mod http2_wire;
#[cfg(feature = "http")]
mod http_calls;
#[cfg(feature = "http")]
mod http_wire;
mod pending;
mod wire;

pub mod idl;
pub mod procedure;
mod server_stub;
mod service;

mod server;

mod error;
mod transport;

pub mod demo;

#[cfg(feature = "compare")]
pub mod compare;

pub use channel::Channel;
pub use client_stub::{Batch, ClientStub, PendingCall};
pub use error::{Error, Execution, ProtocolError, Result, StrategyError};
pub use message::Fault;
pub use procedure::Procedures;
pub use server::{
    BoundServer, ForkPerConnection, Incoming, Limits, Next, ProcessPool, Server, SingleThreaded,
    SpawnPerConnection, StopHandle, Strategy, ThreadPerConnection, ThreadPool,
};
pub use server_stub::ServerStub;
pub use steps::{Event, LOG_TARGET, Observer, Recorded, Recorder, Step};
pub use transport::Connection;
pub use value::Value;

/// The README's program compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
