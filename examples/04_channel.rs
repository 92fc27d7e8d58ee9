//! A channel is where the server is and how it is reached. The same bytes cross, whichever it is.
//!
//! Chapter 4. One call over TCP and one over a pair of sockets inside this machine's memory; a
//! `Recorder` keeps the bytes that the client stub sent and received, and `explain` names them.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use ninestep::protocol::native::explain::Dump;
use ninestep::{Channel, ClientStub, Recorder, Result, Server, SingleThreaded, Step, demo};

/// What the client sent, and what it received.
type Crossed = (Vec<u8>, Vec<u8>);

/// Makes one call over a channel, and hangs up.
fn call_over(channel: Channel) -> Result<Crossed> {
    let steps = Arc::new(Recorder::default());
    let stub = ClientStub::new(&channel.observer(steps.clone()))?;
    let sum: i64 = stub.call("add", (10, 5))?;
    println!("  10 + 5 = {sum}");
    let (mut sent, mut received) = Crossed::default();
    for event in steps.take() {
        match event.step {
            Step::Send => sent = event.bytes,
            Step::Receive => received = event.bytes,
            _ => {}
        }
    }
    Ok((sent, received))
}

fn over_tcp() -> Result<Crossed> {
    let server = Server::new(demo::procedures()).bind("127.0.0.1:0")?;
    let (address, stop) = (server.local_addr(), server.stop_handle());
    let serving = thread::spawn(move || server.run(&SingleThreaded));
    println!("over TCP, to {address}:");
    let crossed = call_over(Channel::new(address))?;
    stop.stop();
    serving.join().unwrap_or_else(|panic| resume_unwind(panic))?;
    Ok(crossed)
}

fn in_memory() -> Result<Crossed> {
    // There is nothing to listen on: the pair is connected from the start, and the server's end of
    // it is served until the client hangs up.
    let (channel, connection) = Channel::in_memory()?;
    let server = Server::new(demo::procedures());
    let serving = thread::spawn(move || server.serve(connection));
    println!("in memory:");
    let crossed = call_over(channel)?;
    serving.join().unwrap_or_else(|panic| resume_unwind(panic));
    Ok(crossed)
}

fn main() -> Result<()> {
    let tcp = over_tcp()?;
    let memory = in_memory()?;
    println!("the same bytes crossed: {}", tcp == memory);

    let (sent, received) = tcp;
    println!("\nthe client sent {} bytes:", sent.len());
    print!("{}", Dump(&sent));
    println!("\nthe server answered with {} bytes:", received.len());
    print!("{}", Dump(&received));
    Ok(())
}
