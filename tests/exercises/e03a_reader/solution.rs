//! Exercise 3a, solved.

use std::io;

use ninestep::Connection;

// ANCHOR: answer
#[derive(Default)]
pub(crate) struct Reader {
    buffer: Vec<u8>,
}

impl Reader {
    pub(crate) fn read(&mut self, connection: &Connection) -> io::Result<Vec<String>> {
        connection.receive(&mut self.buffer)?;
        let mut messages = Vec::new();
        while let Some((length, rest)) = self.buffer.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            let Some(text) = rest.get(..length) else { break };
            messages.push(String::from_utf8_lossy(text).into_owned());
            self.buffer.drain(..4 + length);
        }
        Ok(messages)
    }
}
// ANCHOR_END: answer
