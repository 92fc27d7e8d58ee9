//! Bytes that came and are not consumed yet.

use std::io;

use super::Connection;

/// Half a message stays here until the rest of it comes, whatever happens in between.
///
/// It grows with bytes that came, never on the word of a length.
#[derive(Default)]
pub(crate) struct ReadBuffer {
    bytes: Vec<u8>,
    consumed: usize,
    /// Whether the last read took all the room there was, so that more may be waiting.
    crowded: bool,
}

impl ReadBuffer {
    /// The room that every read has at least.
    pub(crate) const LEAST_ROOM: usize = 1024;
    /// Beyond this only an unfinished message is a reason to grow.
    const ENOUGH: usize = 64 * 1024;
    /// A piece up to this length is quickly copied.
    #[cfg(feature = "http")]
    pub(crate) const SHORT: usize = 512;
    /// A buffer larger than this is given back when its connection is idle.
    const KEPT: usize = 16 * 1024;

    /// What is not consumed yet.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.consumed..]
    }

    /// Forgets the first `count` unread bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.consumed += count;
        if self.consumed == self.bytes.len() {
            self.bytes.clear();
            self.consumed = 0;
        }
    }

    /// Appends what one read brings, waiting for it if `wait` says so. `None`: nothing came (in
    /// the time that [`Connection::limit_reads`] set); 0: the connection has ended.
    pub(crate) fn fill(&mut self, from: &Connection, wait: bool) -> io::Result<Option<usize>> {
        if self.crowded || self.bytes.capacity() - self.bytes.len() < Self::LEAST_ROOM {
            self.make_room();
        }
        let came = from.receive_some(&mut self.bytes, wait);
        self.crowded = self.bytes.len() == self.bytes.capacity();
        came
    }

    /// Takes what another buffer has not consumed. A short piece is copied, so that one of the two
    /// stays small.
    #[cfg(feature = "http")]
    pub(crate) fn take_over(&mut self, other: &mut ReadBuffer) {
        match self.unread().is_empty() && other.unread().len() > ReadBuffer::SHORT {
            true => std::mem::swap(self, other),
            false => self.bytes.extend_from_slice(other.unread()),
        }
        other.consume(other.unread().len());
    }

    /// Gives memory back that only a large message needed.
    pub(crate) fn shrink(&mut self) {
        if self.unread().is_empty() && self.bytes.capacity() > Self::KEPT {
            *self = ReadBuffer::default();
        }
    }

    /// Moves what is unread to the front, and grows if that frees too little.
    fn make_room(&mut self) {
        self.bytes.drain(..self.consumed);
        self.consumed = 0;
        let (unread, capacity) = (self.bytes.len(), self.bytes.capacity());
        let room = match self.crowded && capacity < Self::ENOUGH {
            true => 2 * capacity - unread,
            false => unread.max(Self::LEAST_ROOM),
        };
        self.bytes.reserve(room);
    }
}
