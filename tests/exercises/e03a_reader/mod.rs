//! The check of exercise 3a.

mod solution;
mod starter;

use std::io;

use ninestep::{Channel, Connection};

use crate::kit::{Check, Exercise, equal};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "3a",
    folder: "e03a_reader",
    title: "a reader that keeps what is left",
    starter: || {
        let mut reader = starter::Reader::default();
        check(&mut |connection| reader.read(connection))
    },
    solution: || {
        let mut reader = solution::Reader::default();
        check(&mut |connection| reader.read(connection))
    },
};

fn frame(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes(), text.as_bytes()].concat()
}

fn check(read: &mut dyn FnMut(&Connection) -> io::Result<Vec<String>>) -> Check {
    let (channel, reader) = Channel::in_memory()?;
    let writer = channel.connect()?;
    let mut sent = |what: &str, bytes: &[u8], wanted: &[&str]| -> Check {
        writer.send(bytes)?;
        equal(what, read(&reader)?, wanted.iter().map(|text| (*text).to_owned()).collect())
    };
    let (one, two) = (frame("add 10 5"), frame("add 3 4"));
    sent("a read that brings one message", &one, &["add 10 5"])?;
    sent("a read that brings two", &[&one[..], &two].concat(), &["add 10 5", "add 3 4"])?;
    sent("a read that brings two bytes", &one[..2], &[])?;
    sent("the next, up to the middle of a word,", &one[2..7], &[])?;
    sent(
        "the rest, and half of another message,",
        &[&one[7..], &two[..5]].concat(),
        &["add 10 5"],
    )?;
    sent(
        "the other half, and an empty message,",
        &[&two[5..], &frame("")].concat(),
        &["add 3 4", ""],
    )
}
