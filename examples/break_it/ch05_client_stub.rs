//! Chapter 5: replies with the wrong id, for a client that looks at ids and for one that does not.

use std::time::Duration;

use ninestep::protocol::native::{frame, pack};
use ninestep::{Channel, ClientStub, Connection, PendingCall, Result};

/// What a server sends: it is played by hand here, so that it sends what no good server would.
fn reply(id: u32, result: i64) -> crate::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let start = frame::begin(&mut bytes, frame::REPLY, id);
    pack(&result, 64, &mut bytes)?;
    frame::end(&mut bytes, start, 100)?;
    Ok(bytes)
}

// ANCHOR: naive
/// A client that takes the next reply for its own. A reply with an integer has 18 bytes.
fn next_reply(connection: &Connection, came: &mut Vec<u8>) -> crate::Result<i64> {
    while came.len() < 18 {
        connection.receive(came)?;
    }
    let reply: Vec<u8> = came.drain(..18).collect();
    Ok(i64::from_be_bytes(reply[10..].try_into()?))
}
// ANCHOR_END: naive

fn without_ids() -> crate::Result {
    let (channel, server) = Channel::in_memory()?;
    let (client, mut came) = (channel.connect()?, Vec::new());
    println!("  call 1, add(10, 5): gives up");
    server.send(&reply(1, 15)?)?;
    server.send(&reply(2, 42)?)?;
    println!("  call 2, multiply(6, 7) = {}", next_reply(&client, &mut came)?);
    server.send(&reply(3, 8)?)?;
    println!("  call 3, subtract(9, 1) = {}", next_reply(&client, &mut came)?);
    Ok(())
}

fn wait(what: &str, call: PendingCall<i64>) {
    let id = call.id();
    match call.wait_timeout(Duration::from_millis(50)) {
        Ok(result) => println!("  call {id}, {what} = {result}"),
        Err(error) => println!("  call {id}, {what}: {error}"),
    }
}

fn with_ids() -> crate::Result {
    let (channel, server) = Channel::in_memory()?;
    let stub = ClientStub::new(&channel)?;
    wait("add(10, 5)", stub.send("add", (10, 5))?);
    server.send(&reply(1, 15)?)?;
    server.send(&reply(2, 42)?)?;
    wait("multiply(6, 7)", stub.send("multiply", (6, 7))?);

    println!("A reply with an id that no call has, and then the right one:");
    let call = stub.send("subtract", (9, 1))?;
    server.send(&reply(7, 1000)?)?;
    server.send(&reply(3, 8)?)?;
    wait("subtract(9, 1)", call);

    println!("Two replies, each with the other's id:");
    let calls: Result<Vec<_>> =
        [(1, 1), (2, 2)].map(|pair| stub.send("add", pair)).into_iter().collect();
    server.send(&reply(5, 2)?)?;
    server.send(&reply(4, 4)?)?;
    for (what, call) in ["add(1, 1)", "add(2, 2)"].iter().zip(calls?) {
        wait(what, call);
    }
    Ok(())
}

pub(crate) fn run() -> crate::Result {
    println!("A client that takes the next reply; the first one comes late:");
    without_ids()?;
    println!("The client stub, and the same replies:");
    with_ids()
}
