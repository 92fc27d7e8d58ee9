//! Exercise 3a. The chapter's naive reader: one read, one message. Give it a buffer that outlives the
//! call, and let it return every whole message, which may be none.

use std::io;

use ninestep::Connection;

#[derive(Default)]
pub(crate) struct Reader {}

impl Reader {
    /// Reads once, and returns the messages that are whole by then.
    pub(crate) fn read(&mut self, connection: &Connection) -> io::Result<Vec<String>> {
        let mut bytes = Vec::new();
        connection.receive(&mut bytes)?;
        let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
            return Ok(vec!["(nothing)".to_owned()]);
        };
        let length = u32::from_be_bytes(*length) as usize;
        let text = &rest[..length.min(rest.len())];
        Ok(vec![String::from_utf8_lossy(text).into_owned()])
    }
}
