//! The single-threaded server: whoever is connected and says nothing keeps everybody else out.
//!
//! Chapter 8. Compare with 09_thread_per_connection, where the same two clients do not meet.

use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use ninestep::{Channel, ClientStub, Procedures, Result, Server, SingleThreaded};

fn clients(channel: &Channel) -> Result<()> {
    let first = ClientStub::new(channel)?;
    println!("first client:  {}", first.call::<String>("hello", ("first",))?);
    println!("first client:  stays connected and says nothing");

    // The operating system accepts this connection and takes the call's bytes: they wait in the
    // server's queue. So there is no error here, only silence.
    let second = ClientStub::new(channel)?;
    println!("second client: is connected");
    let impatient = second.call_timeout(Duration::from_millis(200));
    match impatient.call::<String>("hello", ("second",)) {
        Ok(reply) => println!("second client: {reply}"),
        Err(error) => println!("second client: {error}"),
    }

    println!("first client:  leaves");
    drop(first);
    // This call waits as long as it takes.
    println!("second client: {}", second.call::<String>("hello", ("second",))?);
    Ok(())
}

fn main() -> Result<()> {
    let procedures = Procedures::new().on("hello", |name: String| {
        format!("hello {name} client, from {:?}", thread::current().id())
    });
    let server = Server::new(procedures).bind("127.0.0.1:0")?;
    let (address, stop) = (server.local_addr(), server.stop_handle());
    let serving = thread::spawn(move || server.run(&SingleThreaded));
    clients(&Channel::new(address))?;
    stop.stop();
    serving.join().unwrap_or_else(|panic| resume_unwind(panic))
}
