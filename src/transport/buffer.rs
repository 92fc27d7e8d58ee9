//! Bytes that came and are not consumed yet.

use std::io;
use std::ops::Range;

use super::Connection;
use crate::error::ProtocolError;
use crate::protocol::{AnyFinder, Finder, Message, Tail};
use crate::steps::Steps;

/// Half a message stays here until the rest of it comes, whatever happens in between.
///
/// It grows with bytes that came, never on the word of a length.
#[derive(Default)]
pub(crate) struct ReadBuffer {
    bytes: Vec<u8>,
    consumed: usize,
    /// Whether the last read took all the room there was, so that more may be waiting.
    crowded: bool,
    /// The end of the message that is coming, and how long it will be, if it stands apart.
    tail: Option<Box<(Tail, usize)>>,
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
    pub(crate) const KEPT: usize = 16 * 1024;

    /// A buffer with room for one read.
    pub(crate) fn with_room() -> ReadBuffer {
        ReadBuffer { bytes: Vec::with_capacity(Self::LEAST_ROOM), ..ReadBuffer::default() }
    }

    /// What is not consumed yet.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.consumed..]
    }

    /// How many bytes came that are not consumed yet.
    // As `find`.
    #[inline(always)]
    pub(crate) fn came(&self) -> usize {
        self.unread().len() + self.tail.as_deref().map_or(0, came_apart)
    }

    /// Looks for the first whole message. Its end may stand apart unless somebody watches it.
    // What every message passes stands in one piece with its stub: see ARCHITECTURE.md on forked children.
    #[inline(always)]
    pub(crate) fn find(
        &mut self,
        finder: &mut AnyFinder,
        steps: &Steps,
    ) -> Result<Option<Range<usize>>, ProtocolError> {
        match finder.find(self.unread())? {
            None => Ok(self.find_apart(finder, steps)),
            found => Ok(found),
        }
    }

    /// The message at its place.
    pub(crate) fn message(&self, place: &Range<usize>) -> Message<'_> {
        let tail = self.tail.as_ref().map(|tail| &tail.0);
        Message { tail, ..Message::new(&self.unread()[place.clone()]) }
    }

    /// Forgets the first `count` unread bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        if self.tail.is_some() {
            self.drop_tail();
        }
        self.consumed += count;
        if self.consumed == self.bytes.len() {
            self.bytes.clear();
            self.consumed = 0;
        }
    }

    /// Appends what one read brings, waiting for it if `wait` says so. `None`: nothing came (in
    /// the time that [`limit_reads`](super::limit_reads) set); 0: the connection has ended.
    // As above.
    #[inline(always)]
    pub(crate) fn fill(&mut self, from: &Connection, wait: bool) -> io::Result<Option<usize>> {
        if let Some(tail) = &mut self.tail {
            return fill_tail(tail, from, wait);
        }
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

    /// Forgets everything that came.
    pub(crate) fn forget(&mut self) {
        self.consume(self.unread().len());
        self.crowded = false;
        self.shrink();
    }

    /// Gives memory back that only a large message needed.
    pub(crate) fn shrink(&mut self) {
        if self.unread().is_empty() && self.bytes.capacity() > Self::KEPT {
            *self = ReadBuffer::default();
        }
    }

    #[cold]
    fn drop_tail(&mut self) {
        self.tail = None;
    }

    /// Lets the end of a message stand apart, and finds the message once that has come.
    #[cold]
    fn find_apart(&mut self, finder: &mut AnyFinder, steps: &Steps) -> Option<Range<usize>> {
        if self.tail.is_none() {
            if steps.are_watched() {
                return None;
            }
            let place = finder.tail(self.unread())?;
            let content = self.bytes.split_off(self.consumed + place.start);
            self.tail = Some(Box::new((Tail::new(content), place.len())));
        }
        let (tail, length) = &mut **self.tail.as_mut()?;
        let message = self.consumed..self.bytes.len();
        // An allocator may give more room than was asked for.
        self.bytes.extend(tail.content().get(*length..)?);
        tail.content().truncate(*length);
        Some(0..message.len())
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

#[cold]
fn came_apart((tail, _): &(Tail, usize)) -> usize {
    tail.len()
}

/// Appends what one read brings to the end of a message, whose memory doubles until it has its
/// length.
#[cold]
fn fill_tail(
    (tail, length): &mut (Tail, usize),
    from: &Connection,
    wait: bool,
) -> io::Result<Option<usize>> {
    let content = tail.content();
    if content.len() == content.capacity() {
        let missing = *length - content.len();
        content.reserve_exact(missing.min(content.len().max(ReadBuffer::LEAST_ROOM)));
    }
    from.receive_some(content, wait)
}
