//! A server stub without a server loop: `process()` answers one message and returns.
//!
//! Chapter 6. Each call of `process()` is steps 4 to 7 for one message, and an `Observer` prints
//! them as they happen. A loop around `process()` is all that `Server::serve` is.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use ninestep::{
    Channel, ClientStub, Event, Fault, Observer, Procedures, Result, Server, ServerStub,
};

/// Prints each step on the thread that takes it.
struct Print;

impl Observer for Print {
    fn observe(&self, event: &Event<'_>) {
        println!("  {event}");
    }
}

/// What `divide` does when it is called: an ordinary function, but its error is a fault.
fn divide(a: f64, b: f64) -> Result<f64, Fault> {
    match b {
        0.0 => Err(Fault::new(1, "division by zero")),
        _ => Ok(a / b),
    }
}

/// Sends three calls at once, then hangs up. It prints nothing: the outcomes are its result.
fn client(channel: &Channel) -> Result<Vec<String>> {
    let stub = ClientStub::new(channel)?;
    let mut batch = stub.batch();
    let calls = [
        batch.send::<f64>("divide", (10.0, 4.0))?,
        batch.send::<f64>("divide", (10.0, 0.0))?,
        batch.send::<f64>("devide", (10.0, 4.0))?,
    ];
    batch.flush()?;
    let outcomes = calls.map(|call| match call.wait() {
        Ok(quotient) => quotient.to_string(),
        Err(error) => error.to_string(),
    });
    Ok(outcomes.to_vec())
}

fn main() -> Result<()> {
    // ANCHOR: register
    let procedures = Procedures::new().on_named("divide", &["a", "b"], divide);
    // ANCHOR_END: register
    println!("the server offers {procedures:?}");
    let server = Server::new(procedures).observer(Arc::new(Print));
    let (channel, connection) = Channel::in_memory()?;
    let calling = thread::spawn(move || client(&channel));

    let mut stub = ServerStub::new(&server, connection);
    for number in 1.. {
        println!("process() number {number}:");
        if !stub.process()? {
            println!("  the client has hung up");
            break;
        }
    }

    // The third name was looked up in vain, and nothing was called: that is an outcome too.
    let outcomes = calling.join().unwrap_or_else(|panic| resume_unwind(panic))?;
    println!("what the client got: {outcomes:#?}");
    Ok(())
}
