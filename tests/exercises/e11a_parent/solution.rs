//! Exercise 11a, solved.

use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::thread;

pub(crate) struct Parent {
    command: Command,
}

impl Parent {
    pub(crate) fn new(command: Command) -> Parent {
        Parent { command }
    }

    // ANCHOR: answer
    pub(crate) fn serve(&mut self, connection: TcpStream) -> io::Result<u32> {
        let started = self.command.stdin(OwnedFd::from(connection)).spawn();
        // The command holds the parent's copy, until it is given something else.
        self.command.stdin(Stdio::null());
        let mut child = started?;
        let number = child.id();
        thread::spawn(move || child.wait());
        Ok(number)
    }
    // ANCHOR_END: answer
}
