//! The check of exercise 4a.

mod solution;
mod starter;

use std::io::{self, ErrorKind};
use std::thread;

use ninestep::{Channel, Connection};

use crate::kit::{Check, Exercise, ensure, equal};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "4a",
    folder: "e04a_take",
    title: "so many bytes, or none",
    starter: || {
        check(|connection| {
            let mut reader = starter::Reader::new(connection);
            Box::new(move |count| reader.take(count))
        })
    },
    solution: || {
        check(|connection| {
            let mut reader = solution::Reader::new(connection);
            Box::new(move |count| reader.take(count))
        })
    },
};

type Take = Box<dyn FnMut(usize) -> io::Result<Option<Vec<u8>>>>;

fn check(reader: fn(Connection) -> Take) -> Check {
    let (channel, connection) = Channel::in_memory()?;
    let writer = channel.connect()?;
    writer.send(b"abcdef")?;
    drop(writer);
    let mut take = reader(connection);
    equal("take(2) of abcdef", text(take(2)?), Some("ab".to_owned()))?;
    equal("take(4) after it", text(take(4)?), Some("cdef".to_owned()))?;
    equal("take(1) at the end", text(take(1)?), None)?;

    let (channel, connection) = Channel::in_memory()?;
    let writer = channel.connect()?;
    writer.send(b"abc")?;
    drop(writer);
    let torn = reader(connection)(4);
    ensure(
        matches!(&torn, Err(error) if error.kind() == ErrorKind::UnexpectedEof),
        format!("take(4) of abc and the end is {torn:?}\nand should be an UnexpectedEof"),
    )?;

    // More than one read brings.
    let (channel, connection) = Channel::in_memory()?;
    let writer = channel.connect()?;
    let sending = thread::spawn(move || writer.send(&[b'x'; 1 << 20]));
    let taken = reader(connection)(1 << 20)?.map(|bytes| bytes.len());
    drop(sending);
    equal("the length of take(1048576)", taken, Some(1 << 20))
}

fn text(taken: Option<Vec<u8>>) -> Option<String> {
    taken.map(|bytes| bytes.escape_ascii().to_string())
}
