//! Chapter 3: the bug that a sleep hides. This reader takes what one read brings for one message.

use std::io;

use ninestep::{Channel, Connection};

/// A length, then so many bytes of text: a frame.
fn frame(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes(), text.as_bytes()].concat()
}

// ANCHOR: naive
/// One read, one message: it looks right, and it passes every test that waits a little.
fn naive_read(connection: &Connection) -> io::Result<String> {
    let mut bytes = Vec::new();
    connection.receive(&mut bytes)?;
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return Ok("(nothing)".to_owned());
    };
    let length = u32::from_be_bytes(*length) as usize;
    let text = &rest[..length.min(rest.len())];
    Ok(String::from_utf8_lossy(text).into_owned())
}
// ANCHOR_END: naive

pub(crate) fn run() -> crate::Result {
    let (channel, reader) = Channel::in_memory()?;
    let writer = channel.connect()?;

    println!("Two calls, and after each a pause long enough for the reader:");
    for call in ["add 10 5", "add 3 4"] {
        writer.send(&frame(call))?;
        println!("  sent {call:?}, read {:?}", naive_read(&reader)?);
    }

    println!("A call that comes in two pieces, because the network cut it there:");
    let (piece, rest) = (&frame("add 10 5")[..10], &frame("add 10 5")[10..]);
    writer.send(piece)?;
    println!("  sent {} bytes of 12, read {:?}", piece.len(), naive_read(&reader)?);
    writer.send(rest)?;
    println!("  sent the other {}, read {:?}", rest.len(), naive_read(&reader)?);

    println!("The first two calls again, without the pause:");
    writer.send(&frame("add 10 5"))?;
    writer.send(&frame("add 3 4"))?;
    println!("  sent both, read {:?}", naive_read(&reader)?);
    writer.finish_sending();
    println!("  and then {:?}: nobody will ever answer \"add 3 4\"", naive_read(&reader)?);
    Ok(())
}
