//! Chapter 14: an old client meets a new server, on a wire of names and on a wire of numbers.

use std::thread;

use ninestep::protocol::native::Native;
use ninestep::protocol::thrift::Thrift;
use ninestep::{Channel, ClientStub, Procedures, Result, Server};
use serde::{Deserialize, Serialize};

// ANCHOR: versions
/// What the client was built with, years ago.
#[derive(Debug, Deserialize, Serialize)]
struct Greeting {
    text: String,
}

/// Since then the server's greeting has got a new field,
#[derive(Serialize)]
struct WithLanguage {
    text: &'static str,
    language: &'static str,
}

/// or an old field has got a new name,
#[derive(Serialize)]
struct Renamed {
    message: &'static str,
}

/// or somebody put the fields in alphabetical order.
#[derive(Serialize)]
struct Sorted {
    language: &'static str,
    text: &'static str,
}
// ANCHOR_END: versions

fn servers() -> [(&'static str, Procedures); 4] {
    let none = Procedures::new;
    [
        ("as it was", none().on("greet", || Greeting { text: "Hi".to_owned() })),
        ("a new field", none().on("greet", || WithLanguage { text: "Hi", language: "en" })),
        ("a field renamed", none().on("greet", || Renamed { message: "Hi" })),
        ("fields sorted", none().on("greet", || Sorted { language: "en", text: "Hi" })),
    ]
}

/// The old client's call, over this wire.
fn greet(server: Server, channel: Channel, connection: ninestep::Connection) -> Result<Greeting> {
    thread::spawn(move || server.serve(connection));
    ClientStub::new(&channel)?.call("greet", ())
}

fn show(change: &str, outcome: Result<Greeting>) {
    match outcome {
        Ok(greeting) => println!("  {change}: {greeting:?}"),
        Err(error) => println!("  {change}: {error}; executed: {:?}", error.execution()),
    }
}

pub(crate) fn run() -> crate::Result {
    println!("The native wire, on which fields have names:");
    for (change, procedures) in servers() {
        let (channel, connection) = Channel::in_memory()?;
        let server = Server::new(procedures).protocol(Native::default());
        show(change, greet(server, channel, connection));
    }
    println!("Thrift, on which fields have numbers:");
    for (change, procedures) in servers() {
        let (channel, connection) = Channel::in_memory()?;
        let server = Server::new(procedures).protocol(Thrift::default());
        show(change, greet(server, channel.protocol(Thrift::default()), connection));
    }
    Ok(())
}
