//! A local call returns. A remote call returns, or fails, or nobody knows: did it run?
//!
//! Chapter 7. A *fault* is the remote side's no; any other *error* is about the road between.
//! `Error::execution` tells what the caller can know about the procedure: No, Maybe or Yes.
//! One of the procedures panics, and Rust reports that on standard error; the server goes on.

use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use ninestep::{Channel, ClientStub, Error, Result, Server, SingleThreaded, demo};

// ANCHOR: show
fn show<T>(what: &str, outcome: Result<T>) {
    let (family, message, ran) = match outcome {
        Ok(_) => ("result", "as if it were local".to_owned(), "Yes".to_owned()),
        Err(Error::Fault(fault)) => {
            let ran = format!("{:?}", fault.execution());
            ("fault", format!("{} {}", fault.code, fault.message), ran)
        }
        Err(error) => ("error", error.with_causes(), format!("{:?}", error.execution())),
    };
    println!("{what:24}  {family:6}  {ran:5}  {message}");
}
// ANCHOR_END: show

/// Everything that can go wrong while the server is there: the connection survives all of it.
fn with_a_server(address: &str) -> Result<()> {
    let stub = ClientStub::new(&Channel::new(address))?;
    show("divide(10, 4)", stub.call::<f64>("divide", (10.0, 4.0)));
    show("divide(10, 0)", stub.call::<f64>("divide", (10.0, 0.0)));
    show("no such procedure", stub.call::<f64>("devide", (10.0, 4.0)));
    show("wrong arguments", stub.call::<f64>("divide", ("ten", 4.0)));
    show("a panic in the procedure", stub.call::<()>("panic", ()));
    show("a result of another type", stub.call::<String>("add", (10, 5)));
    show("arguments that are none", stub.call::<f64>("divide", "ten by four"));
    // ANCHOR: deadline
    let impatient = stub.call_timeout(Duration::from_millis(50));
    show("no reply in time", impatient.call::<()>("sleep", (1000,)));
    // ANCHOR_END: deadline
    show("divide(10, 4) again", stub.call::<f64>("divide", (10.0, 4.0)));
    Ok(())
}

/// A server that reads the call and dies: nobody knows how far it had come.
fn without_a_server() -> Result<()> {
    let (channel, connection) = Channel::in_memory()?;
    let dying = thread::spawn(move || connection.receive(&mut Vec::new()));
    let stub = ClientStub::new(&channel)?;
    show("the server is gone", stub.call::<i64>("add", (10, 5)));
    show("another call after that", stub.call::<i64>("add", (10, 5)));
    let received = dying.join().unwrap_or_else(|panic| resume_unwind(panic));
    println!("{:24}  it had received the call: {}", "", received.is_ok_and(|bytes| bytes > 0));
    // An address where nobody listens any more: this server is dropped at once.
    let address = Server::new(demo::procedures()).bind("127.0.0.1:0")?.local_addr();
    show("connection refused", ClientStub::new(&Channel::new(address)));
    Ok(())
}

fn main() -> Result<()> {
    println!("{:24}  {:6}  {:5}  what it says", "what", "family", "ran?");
    let server = Server::new(demo::procedures().and(demo::trouble())).bind("127.0.0.1:0")?;
    let (address, stop) = (server.local_addr().to_string(), server.stop_handle());
    let serving = thread::spawn(move || server.run(&SingleThreaded));
    with_a_server(&address)?;
    stop.stop();
    serving.join().unwrap_or_else(|panic| resume_unwind(panic))?;
    without_a_server()
}
