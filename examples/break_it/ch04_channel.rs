//! Chapter 4: a connection that ends in the middle of a frame, at every byte of it.

use ninestep::protocol::native::{Native, frame, pack};
use ninestep::protocol::{Outgoing, Protocol};
use ninestep::{Channel, ClientStub, Server, ServerStub, demo};

fn call() -> crate::Result<Vec<u8>> {
    let mut bytes = Native::default().hello().to_vec();
    let (procedure, arguments) = ("add", &(10, 5));
    let call = Outgoing { id: Some(1), procedure, arguments, deadline: None };
    Native::default().pack(&call, &mut bytes)?;
    Ok(bytes)
}

fn reply() -> crate::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let start = frame::begin(&mut bytes, frame::REPLY, 1);
    pack(&15, 64, &mut bytes)?;
    frame::end(&mut bytes, start, 100)?;
    Ok(bytes)
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
    match stub.process() {
        Ok(true) => Ok(format!("a call; and then another one? {}", stub.process()?)),
        Ok(false) => Ok("a clean end".to_owned()),
        Err(error) => Ok(error.with_causes()),
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
    match call.wait() {
        Ok(sum) => Ok(format!("10 + 5 = {sum}")),
        Err(error) => Ok(format!("{}; did it run? {:?}", error.with_causes(), error.execution())),
    }
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
        println!("  {count:2} bytes: {}", seen(&message[..*count])?);
    }
    Ok(())
}

pub(crate) fn run() -> crate::Result {
    println!("A client leaves. What the server sees after");
    cut(&call()?, &[0, 1, 4, 5, 46, 47], seen_by_server)?;
    println!("A server leaves. What the client sees after");
    cut(&reply()?, &[0, 1, 17, 18], seen_by_client)?;
    println!("A client of a protocol without frames leaves. What its server sees after");
    cut(b"pay 1000", &[8, 7, 6], seen_without_frames)
}
