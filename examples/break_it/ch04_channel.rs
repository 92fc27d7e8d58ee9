//! Chapter 4: a connection that ends in the middle of a frame, at every byte of it.

use ninestep::{Channel, ClientStub, Error, Server, ServerStub, demo};

/// The greeting, and `add(10, 5)`.
const CALL: &[u8] = b"9ST\x01\0\0\0\x27C\0\0\0\x01\0\0\0\0\0\0\0\x03add[\0\0\0\x02\
    q\0\0\0\0\0\0\0\x0aq\0\0\0\0\0\0\0\x05";

/// 15, to the same call.
const REPLY: &[u8] = b"\0\0\0\x0eR\0\0\0\x01q\0\0\0\0\0\0\0\x0f";

fn why(error: &Error) -> String {
    match error {
        Error::Protocol(broken) => broken.to_string(),
        other => other.to_string(),
    }
}

// ANCHOR: server-side
/// What a server sees of a client that sends so much and leaves.
fn seen_by_server(sent: &[u8]) -> crate::Result<String> {
    let (channel, connection) = Channel::in_memory()?;
    let client = channel.connect()?;
    client.send(sent)?;
    client.finish_sending();
    let server = Server::new(demo::procedures());
    let mut stub = ServerStub::new(&server, connection);
    let mut answered = 0;
    loop {
        match stub.process() {
            Ok(true) => answered += 1,
            Ok(false) => return Ok(format!("{answered} answered, and a clean end")),
            Err(error) => return Ok(why(&error)),
        }
    }
}
// ANCHOR_END: server-side

/// What a client sees of a server that sends so much and leaves.
fn seen_by_client(sent: &[u8]) -> crate::Result<String> {
    let (channel, server) = Channel::in_memory()?;
    let stub = ClientStub::new(&channel)?;
    let call = stub.send::<i64>("add", (10, 5))?;
    server.send(sent)?;
    server.finish_sending();
    Ok(call.wait().map_or_else(
        |error| format!("{}; did it run? {:?}", why(&error), error.execution()),
        |sum| format!("10 + 5 = {sum}"),
    ))
}

/// The same for a protocol whose message ends where the connection does.
fn seen_without_frames(sent: &[u8]) -> crate::Result<String> {
    let (channel, server) = Channel::in_memory()?;
    channel.connect()?.send(sent)?;
    let mut message = Vec::new();
    while server.receive(&mut message)? > 0 {}
    Ok(String::from_utf8(message)?)
}

fn cut(message: &[u8], at: &[usize], seen: fn(&[u8]) -> crate::Result<String>) -> crate::Result {
    for count in at {
        println!("  {count:2}: {}", seen(&message[..*count])?);
    }
    Ok(())
}

pub(crate) fn run() -> crate::Result {
    println!("A call has 47 bytes, and its client leaves early. What the server sees, after");
    cut(CALL, &[0, 1, 4, 5, 46, 47], seen_by_server)?;
    println!("A reply has 18 bytes, and its server leaves early. What the client sees, after");
    cut(REPLY, &[0, 1, 17, 18], seen_by_client)?;
    println!("\"pay 1000\" on a protocol without frames. What its server sees, after");
    cut(b"pay 1000", &[8, 7, 6], seen_without_frames)
}
