//! Exercise 11a. A careless parent: it keeps a copy of each connection (where?) and reaps no child.
//! Mend it. It must not wait for one child before it serves the next client.

use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::process::Command;

pub(crate) struct Parent {
    command: Command,
}

impl Parent {
    /// A parent whose children run this command.
    pub(crate) fn new(command: Command) -> Parent {
        Parent { command }
    }

    /// Starts a child with the connection as its standard input, and returns its number.
    pub(crate) fn serve(&mut self, connection: TcpStream) -> io::Result<u32> {
        let child = self.command.stdin(OwnedFd::from(connection)).spawn()?;
        Ok(child.id())
    }
}
