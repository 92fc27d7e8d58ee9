//! Exercise 4a. This `take` reads once, forgets what was too much, and does not see an end. Let it
//! return `count` bytes, `None` at an end before the first of them, `UnexpectedEof` at one later.

use std::io;

use ninestep::Connection;

pub(crate) struct Reader {
    connection: Connection,
}

impl Reader {
    pub(crate) fn new(connection: Connection) -> Reader {
        Reader { connection }
    }

    pub(crate) fn take(&mut self, count: usize) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        self.connection.receive(&mut bytes)?;
        bytes.truncate(count);
        Ok(Some(bytes))
    }
}
