//! Where a message ends.
//!
//! Nothing on an unframed connection says how long a message is: whoever wants to know must walk
//! through its values. A walk that runs out of bytes keeps its place and goes on from there when
//! more have come, or a large message would be walked through anew for each of its pieces.

use std::mem;
use std::ops::Range;

use byteorder::{BigEndian, ByteOrder};

use super::envelope::Wrap;
use super::kind;
use crate::error::ProtocolError;
use crate::protocol::Finder;
use crate::protocol::native::ValueError;

/// Finds messages, framed or not: each says itself which it is.
pub(super) struct MessageFinder {
    max_message: usize,
    max_depth: usize,
    /// Through the message that has begun, if it is not framed.
    walk: Option<Walk>,
}

impl MessageFinder {
    pub(super) fn new(max_message: usize, max_depth: usize) -> MessageFinder {
        MessageFinder { max_message, max_depth, walk: None }
    }

    fn find_frame(&self, buffered: &[u8]) -> Result<Option<Range<usize>>, ProtocolError> {
        let length = BigEndian::read_u32(buffered) as usize;
        if length > self.max_message {
            return Err(ProtocolError::TooLong { length: length as u64, limit: self.max_message });
        }
        Ok((buffered.len() - 4 >= length).then_some(0..4 + length))
    }
}

impl Finder for MessageFinder {
    fn find(&mut self, buffered: &[u8]) -> Result<Option<Range<usize>>, ProtocolError> {
        if self.walk.is_none() {
            let Some(wrap) = Wrap::detect(buffered)? else { return Ok(None) };
            if wrap.framed {
                return self.find_frame(buffered);
            }
            let Some(header) = wrap.header_length(buffered) else { return Ok(None) };
            self.walk = Some(Walk::new(header, Level::Fields, self.max_message, self.max_depth));
        }
        let Some(walk) = &mut self.walk else { return Ok(None) };
        let end = walk.go_on(buffered)?;
        if end.is_some() {
            self.walk = None;
        }
        Ok(end.map(|end| 0..end))
    }
}

/// Skips one value, in which containers may nest as deep as `max_depth`.
///
/// # Errors
/// The value does not end within `bytes`, nests deeper, or is of an unknown kind.
pub(super) fn skip(kind: u8, bytes: &[u8], max_depth: usize) -> Result<usize, ValueError> {
    let end = match kind::size(kind) {
        Some(size) => Some(size).filter(|size| *size <= bytes.len()),
        None => {
            // The value is the only item of a container that is not there.
            let item = Level::Items { kinds: [kind; 2], left: 1 };
            end_of(Walk::new(0, item, bytes.len(), max_depth + 1), bytes)?
        }
    };
    end.ok_or(ValueError::Truncated)
}

/// Where the struct ends that `bytes` begins with.
///
/// # Errors
/// Those of [`skip`].
pub(super) fn end_of_struct(bytes: &[u8], max_depth: usize) -> Result<usize, ValueError> {
    let end = end_of(Walk::new(0, Level::Fields, bytes.len(), max_depth), bytes)?;
    end.ok_or(ValueError::Truncated)
}

fn end_of(mut walk: Walk, bytes: &[u8]) -> Result<Option<usize>, ValueError> {
    walk.go_on(bytes).map_err(|error| match error {
        ProtocolError::Malformed(why) => why,
        _ => ValueError::Truncated,
    })
}

/// A walk through values, which keeps its place.
///
/// It has a list of open containers instead of calling itself, so a peer cannot make the stack
/// overflow.
struct Walk {
    /// Everything before this was understood. It may lie beyond the bytes that have come.
    at: usize,
    level: Level,
    /// The levels around it; a call of simple values needs no memory for them.
    around: Vec<Level>,
    limit: usize,
    max_depth: usize,
}

/// The container that is open.
enum Level {
    /// None: the outermost has ended.
    Ended,
    Fields,
    /// A map's keys and values are items in turn; those of a list are all of one kind.
    Items {
        kinds: [u8; 2],
        left: u64,
    },
}

impl Walk {
    fn new(at: usize, level: Level, limit: usize, max_depth: usize) -> Walk {
        Walk { at, level, around: Vec::new(), limit, max_depth }
    }

    /// Goes on to the end of the outermost container; `None` asks for more bytes.
    fn go_on(&mut self, bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
        loop {
            if self.at > self.limit {
                return Err(self.too_long(0));
            }
            if self.at > bytes.len() {
                return Ok(None);
            }
            let (kind, header) = match &self.level {
                Level::Ended => return Ok(Some(self.at)),
                Level::Fields => match bytes.get(self.at) {
                    None => return Ok(None),
                    Some(&kind::STOP) => {
                        self.at += 1;
                        self.close();
                        continue;
                    }
                    // Most calls are made of these.
                    Some(&kind) if let Some(size) = kind::size(kind) => {
                        self.at += 3 + size;
                        continue;
                    }
                    Some(&kind) => (kind, 3),
                },
                Level::Items { left: 0, .. } => {
                    self.close();
                    continue;
                }
                Level::Items { kinds, left } => (kinds[usize::from(left % 2 == 1)], 0),
            };
            let value = bytes.get(self.at + header..).unwrap_or_default();
            let Some((length, opened)) = measure(kind, value)? else { return Ok(None) };
            self.at = self.at.saturating_add(header).saturating_add(length);
            if let Level::Items { left, .. } = &mut self.level {
                *left -= 1;
            }
            if let Some(level) = opened {
                self.open(level)?;
            }
        }
    }

    fn open(&mut self, level: Level) -> Result<(), ProtocolError> {
        if self.around.len() + 1 >= self.max_depth {
            return Err(ProtocolError::Malformed(ValueError::TooDeep));
        }
        // Every item is a byte at least, so more than the limit has room for is a lie.
        if let Level::Items { left, .. } = level
            && left > self.limit.saturating_sub(self.at) as u64
        {
            return Err(self.too_long(left));
        }
        self.around.push(mem::replace(&mut self.level, level));
        Ok(())
    }

    fn close(&mut self) {
        self.level = self.around.pop().unwrap_or(Level::Ended);
    }

    fn too_long(&self, more: u64) -> ProtocolError {
        ProtocolError::TooLong { length: (self.at as u64).saturating_add(more), limit: self.limit }
    }
}

/// The bytes that can be passed over at the beginning of a value, and the container that then is
/// open, if any; `None` asks for more bytes.
fn measure(kind: u8, value: &[u8]) -> Result<Option<(usize, Option<Level>)>, ProtocolError> {
    if let Some(size) = kind::size(kind) {
        return Ok(Some((size, None)));
    }
    let (header, kinds) = match kind {
        kind::STRUCT => return Ok(Some((0, Some(Level::Fields)))),
        kind::STRING => {
            let length = value.get(..4).map(BigEndian::read_u32);
            return Ok(length.map(|length| ((length as usize).saturating_add(4), None)));
        }
        kind::LIST | kind::SET => (5, value.first().map(|kind| [*kind; 2])),
        kind::MAP => (6, value.first_chunk().copied()),
        _ => return Err(ProtocolError::Malformed(ValueError::UnknownTag(kind))),
    };
    let (Some(kinds), Some(count)) = (kinds, value.get(header - 4..header)) else {
        return Ok(None);
    };
    let count = u64::from(BigEndian::read_u32(count));
    let left = if kind == kind::MAP { 2 * count } else { count };
    Ok(Some(match (kind::size(kinds[0]), kind::size(kinds[1])) {
        // Items that are all of one size are passed over at once.
        (Some(first), Some(second)) => {
            let length = left.saturating_mul((first + second) as u64) / 2;
            (usize::try_from(length).unwrap_or(usize::MAX).saturating_add(header), None)
        }
        _ => (header, Some(Level::Items { kinds, left })),
    }))
}
