//! Frames: where a message ends.
//!
//! TCP carries bytes, not messages: one read may bring half a message or three of them. So every
//! message begins with the number of bytes that follow, and nobody has to guess.
//!
//! ```text
//! length: u32   kind: u8   id: u32   body
//! ```

use std::ops::Range;

use byteorder::{BigEndian, ByteOrder};

use super::ValueError;
use super::unpack::{broken_bytes, take_bytes, take_u32};
use crate::error::ProtocolError;
use crate::protocol::{Finder, Gaps};

/// What a client sends first: the wire's name and version 1.
pub const GREETING: [u8; 4] = [b'9', b'S', b'T', VERSION];
const VERSION: u8 = 1;

/// Frame kind: a call.
pub const CALL: u8 = b'C';
/// Frame kind: a call that is never answered.
pub const NOTIFY: u8 = b'N';
/// Frame kind: a result.
pub const REPLY: u8 = b'R';
/// Frame kind: a fault.
pub const FAULT: u8 = b'F';
/// Frame kind: the server is stopping.
pub const BYE: u8 = b'B';

/// The bytes of `length`.
const PREFIX: usize = 4;
/// The bytes of `kind` and `id`, which every frame has.
const HEADER: usize = 5;

/// The bytes of most frames, or more.
const SHORT: usize = 64;

/// One frame, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The letter that says what the body is.
    pub kind: u8,
    /// The call that this belongs to; 0 belongs to the connection.
    pub id: u32,
    /// The rest, by kind.
    pub body: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Takes apart a whole frame, as [`FrameFinder`] found it.
    ///
    /// # Errors
    /// It is too short for a header.
    pub fn read(bytes: &'a [u8]) -> Result<Frame<'a>, ProtocolError> {
        let too_short = ProtocolError::TooShort(bytes.len());
        let (head, body) = bytes.split_at_checked(PREFIX + HEADER).ok_or(too_short)?;
        Ok(Frame { kind: head[4], id: BigEndian::read_u32(&head[5..]), body })
    }
}

// ANCHOR: begin-end
/// Writes a frame's head and returns where the frame began, for [`end`].
pub fn begin(out: &mut Vec<u8>, kind: u8, id: u32) -> usize {
    // Most frames are short, and one allocation holds them.
    out.reserve(SHORT);
    let start = out.len();
    let mut head = [0; PREFIX + HEADER];
    head[4] = kind;
    BigEndian::write_u32(&mut head[5..], id);
    out.extend_from_slice(&head);
    start
}

/// Writes the length of the frame that began at `start`, now that it is known.
///
/// # Errors
/// The frame is longer than `limit` bytes; it was removed from `out`.
pub fn end(out: &mut Vec<u8>, start: usize, limit: usize) -> Result<(), ProtocolError> {
    end_with_gaps(out, start, 0, limit)
}

/// The same for a frame that still lacks so many bytes.
pub(super) fn end_with_gaps(
    out: &mut Vec<u8>,
    start: usize,
    missing: usize,
    limit: usize,
) -> Result<(), ProtocolError> {
    let length = out.len() - start - PREFIX + missing;
    match u32::try_from(length) {
        Ok(short) if length <= limit => {
            BigEndian::write_u32(&mut out[start..start + PREFIX], short);
            Ok(())
        }
        _ => {
            out.truncate(start);
            Err(ProtocolError::TooLong { length: length as u64, limit })
        }
    }
}
// ANCHOR_END: begin-end

/// Finds frames in a stream, after the greeting if this side waits for one.
pub struct FrameFinder {
    greeting: bool,
    limit: usize,
    /// How much of a frame must have come before it is looked through again.
    look_at: usize,
}

impl FrameFinder {
    /// A finder that allows frames of up to `limit` bytes after the length, and expects the
    /// client's greeting first if `greeting` says so.
    pub fn new(greeting: bool, limit: usize) -> FrameFinder {
        FrameFinder { greeting, limit, look_at: 0 }
    }
}

#[cold]
fn wrong_magic(came: &[u8]) -> ProtocolError {
    ProtocolError::WrongMagic(came.iter().take(GREETING.len()).copied().collect())
}

impl Finder for FrameFinder {
    // In one piece with its caller, as `ReadBuffer::find` is.
    #[inline(always)]
    fn find(&mut self, buffered: &[u8]) -> Result<Option<Range<usize>>, ProtocolError> {
        let mut rest = buffered;
        if self.greeting {
            match *buffered {
                [b'9', b'S', b'T', VERSION, ref after @ ..] => rest = after,
                [b'9', b'S', b'T', version, ..] => {
                    return Err(ProtocolError::UnknownVersion(version));
                }
                _ if GREETING.starts_with(buffered) => return Ok(None),
                _ => return Err(wrong_magic(buffered)),
            }
        }
        // ANCHOR: find
        let start = buffered.len() - rest.len();
        let Ok(length) = take_u32(&mut rest) else { return Ok(None) };
        let length = length as usize;
        if length > self.limit {
            return Err(ProtocolError::TooLong { length: length as u64, limit: self.limit });
        }
        if length < HEADER {
            return Err(ProtocolError::TooShort(length));
        }
        if rest.len() < length {
            return Ok(None);
        }
        (self.greeting, self.look_at) = (false, 0);
        Ok(Some(start..start + PREFIX + length))
        // ANCHOR_END: find
    }

    /// A frame is looked through again only when twice as much has come.
    fn tail(&mut self, begun: &[u8]) -> Option<Range<usize>> {
        if self.greeting || begun.len() < self.look_at {
            return None;
        }
        self.look_at = 2 * begun.len();
        let frame = Frame::read(begun).ok()?;
        let value = match frame.kind {
            CALL | NOTIFY => arguments(frame.body).ok()?,
            REPLY => frame.body,
            _ => return None,
        };
        let (came, length) = broken_bytes(value)?;
        let start = begun.len() - came.len();
        let ends_frame = start + length == PREFIX + BigEndian::read_u32(begun) as usize;
        (ends_frame && length >= Gaps::LONG).then_some(start..start + length)
    }
}

/// What follows the deadline and the procedure's name.
fn arguments(mut call: &[u8]) -> Result<&[u8], ValueError> {
    take_u32(&mut call)?;
    take_bytes(&mut call)?;
    Ok(call)
}
