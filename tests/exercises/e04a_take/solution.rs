//! Exercise 4a, solved.

use std::io::{self, ErrorKind};

use ninestep::Connection;

// ANCHOR: answer
pub(crate) struct Reader {
    connection: Connection,
    /// What came and was not taken yet.
    buffer: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(connection: Connection) -> Reader {
        Reader { connection, buffer: Vec::new() }
    }

    pub(crate) fn take(&mut self, count: usize) -> io::Result<Option<Vec<u8>>> {
        while self.buffer.len() < count {
            if self.connection.receive(&mut self.buffer)? == 0 {
                return match self.buffer.len() {
                    0 => Ok(None),
                    _ => Err(ErrorKind::UnexpectedEof.into()),
                };
            }
        }
        Ok(Some(self.buffer.drain(..count).collect()))
    }
}
// ANCHOR_END: answer
