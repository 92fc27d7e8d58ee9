//! Why a message needs an end: one read may bring two messages, or a small piece of one.
//!
//! Chapter 3. A connection carries a stream of bytes and keeps no boundaries. So each message of
//! the native wire begins with its length, and a `FrameFinder` finds where it ends.

use std::error::Error;

use ninestep::protocol::native::Native;
use ninestep::protocol::native::frame::{Frame, FrameFinder};
use ninestep::protocol::{Finder, Outgoing, Protocol, Request};
use ninestep::{Channel, Result};

/// Packs `add(a, b)` as call number `id`.
fn call(id: u32, a: i64, b: i64) -> Result<Vec<u8>, String> {
    let mut request = Request::default();
    let call = Outgoing { id: Some(id), procedure: "add", arguments: &(a, b), deadline: None };
    Native::default().pack(&call, &mut request)?;
    Ok(request.bytes)
}

// ANCHOR: take-messages
/// Takes every whole message out of the buffer, and tells how many there were. What is left is
/// the beginning of the next one.
fn take_messages(finder: &mut FrameFinder, buffer: &mut Vec<u8>) -> Result<usize> {
    let mut count = 0;
    while let Some(message) = finder.find(buffer)? {
        let Frame { kind, id, body } = Frame::read(&buffer[message.clone()])?;
        println!("  found kind {}, id {id}, {} bytes of body", char::from(kind), body.len());
        buffer.drain(..message.end);
        count += 1;
    }
    Ok(count)
}
// ANCHOR_END: take-messages

fn main() -> Result<(), Box<dyn Error>> {
    // Two connected sockets. The greeting that opens a connection is left out here.
    let (channel, reader) = Channel::in_memory()?;
    let writer = channel.connect()?;
    let mut finder = FrameFinder::new(false, Native::default().max_message);
    let mut buffer = Vec::new();

    println!("Two messages, each sent on its own:");
    writer.send(&call(1, 10, 5)?)?;
    writer.send(&call(2, 3, 4)?)?;
    println!("  one read brought {} bytes", reader.receive(&mut buffer)?);
    let count = take_messages(&mut finder, &mut buffer)?;
    println!("  so one read was {count} messages");

    println!("One message, sent a byte at a time:");
    let mut reads = 0;
    for byte in call(3, 100, 200)? {
        writer.send(&[byte])?;
        reader.receive(&mut buffer)?;
        reads += 1;
        if take_messages(&mut finder, &mut buffer)? > 0 {
            println!("  so one message was {reads} reads");
        }
    }

    println!("One message and a half, then the rest:");
    let two = [call(4, 1, 1)?, call(5, 2, 2)?].concat();
    let (first, rest) = two.split_at(two.len() * 3 / 4);
    for part in [first, rest] {
        writer.send(part)?;
        println!("  one read brought {} bytes", reader.receive(&mut buffer)?);
        take_messages(&mut finder, &mut buffer)?;
        println!("  {} bytes wait for more", buffer.len());
    }

    println!(
        "A length that nobody should believe, before a single byte of memory is taken for it:"
    );
    match finder.find(b"\xff\xff\xff\xff") {
        Ok(found) => println!("  found {found:?}"),
        Err(error) => println!("  refused: {error}"),
    }
    Ok(())
}
