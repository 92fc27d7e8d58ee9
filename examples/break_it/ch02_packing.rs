//! Chapter 2: a client that packs its numbers in the other byte order, and the tests that it passes.

use std::thread;

use ninestep::protocol::native::explain::Dump;
use ninestep::{Channel, ClientStub, Result, Server, demo};

// ANCHOR: flipped
/// A client whose author packs with `to_le_bytes` and unpacks with `from_le_bytes`. Swapping the
/// bytes of a number before our own stub packs it puts the same on the wire.
fn flipped(stub: &ClientStub, procedure: &str, a: i64, b: i64) -> Result<i64> {
    let result: i64 = stub.call(procedure, (a.swap_bytes(), b.swap_bytes()))?;
    Ok(result.swap_bytes())
}
// ANCHOR_END: flipped

fn show(what: &str, outcome: Result<i64>) {
    match outcome {
        Ok(result) => println!("  {what} = {result}"),
        Err(error) => println!("  {what}: {error}"),
    }
}

pub(crate) fn run() -> crate::Result {
    println!("The number 10 in four bytes:");
    println!("  big-endian     {:02x?}", 10_u32.to_be_bytes());
    println!("  little-endian  {:02x?}", 10_u32.to_le_bytes());
    println!("  one read as the other: {}", u32::from_be_bytes(10_u32.to_le_bytes()));

    let (channel, connection) = Channel::in_memory()?;
    thread::spawn(move || Server::new(demo::procedures()).serve(connection));
    let stub = ClientStub::new(&channel)?;
    println!("A little-endian client of our big-endian server:");
    let echo: i64 = stub.call("echo", (10_i64.swap_bytes(),))?;
    println!("  echo 10 = {}", echo.swap_bytes());
    show("10 + 5", flipped(&stub, "add", 10, 5));
    show("10 - 5", flipped(&stub, "subtract", 10, 5));
    show("200 + 100", flipped(&stub, "add", 200, 100));
    show("5 - 10", flipped(&stub, "subtract", 5, 10));
    show("10 * 5", flipped(&stub, "multiply", 10, 5));

    let (channel, connection) = Channel::in_memory()?;
    thread::spawn(move || Server::new(demo::procedures()).serve(connection));
    let client = channel.connect()?;
    println!("The same client packs the length of a message of 39 bytes:");
    client.send(&[&b"9ST\x01"[..], &39_u32.to_le_bytes()].concat())?;
    let mut last_words = Vec::new();
    while client.receive(&mut last_words)? > 0 {}
    print!("{}", Dump(&last_words));
    Ok(())
}
