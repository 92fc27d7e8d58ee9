//! How a message begins, and what may surround it.
//!
//! ```text
//! strict:  80 01 00 kind   length: u32, name           seqid: i32   struct
//! old:     length: u32, name               kind: u8    seqid: i32   struct
//! framed:  length: u32, then one of these two
//! ```

use byteorder::{BigEndian, ByteOrder};

use crate::error::ProtocolError;
use crate::protocol::native::ValueError;

/// Message kind: a call.
pub(super) const CALL: u8 = 1;
/// Message kind: a result, or an exception that the service declares.
pub(super) const REPLY: u8 = 2;
/// Message kind: any other no.
pub(super) const EXCEPTION: u8 = 3;
/// Message kind: a call that is never answered.
pub(super) const ONEWAY: u8 = 4;

/// The first two bytes of a strict header; a length cannot begin so.
const VERSION_1: [u8; 2] = [0x80, 0x01];

/// What surrounds a message. The answer is surrounded by the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrap {
    pub(super) framed: bool,
    pub(super) strict: bool,
}

impl Wrap {
    /// Tells by the first five bytes; `None` asks for more.
    ///
    /// A strict header begins with its version. Otherwise the first four bytes are the length of
    /// a frame, in which a header begins with its version or with a name's length, so with 80 or
    /// 00; or they are the length of a name, which begins with a letter.
    pub(super) fn detect(bytes: &[u8]) -> Result<Option<Wrap>, ProtocolError> {
        match bytes {
            // A letter where a length should be: this is another protocol.
            [b' '..=b'~', ..] => Err(wrong_magic(bytes)),
            [0x80, 0x01, _, _, _, ..] => Ok(Some(Wrap { framed: false, strict: true })),
            [0x80] | [0x80, 0x01, ..] => Ok(None),
            [0x80..=0xff, ..] => Err(wrong_magic(bytes)),
            [] | [_] | [_, _] | [_, _, _] | [_, _, _, _] => Ok(None),
            [_, _, _, _, 0x80, ..] => Ok(Some(Wrap { framed: true, strict: true })),
            [_, _, _, _, 0, ..] => Ok(Some(Wrap { framed: true, strict: false })),
            _ => Ok(Some(Wrap { framed: false, strict: false })),
        }
    }

    /// The bytes before the arguments or the result of an unframed message, if enough have come
    /// to tell.
    pub(super) fn header_length(self, bytes: &[u8]) -> Option<usize> {
        let (before, after) = if self.strict { (4, 4) } else { (0, 5) };
        let name = BigEndian::read_u32(bytes.get(before..before + 4)?);
        Some((before + 4 + after).saturating_add(name as usize))
    }
}

fn wrong_magic(bytes: &[u8]) -> ProtocolError {
    ProtocolError::WrongMagic(bytes[..bytes.len().min(4)].to_vec())
}

/// A whole message, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Envelope<'a> {
    pub(super) wrap: Wrap,
    pub(super) kind: u8,
    pub(super) name: &'a str,
    pub(super) seqid: i32,
    /// A struct: the arguments or the result.
    pub(super) body: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Takes a message apart whose `wrap` is known already.
    pub(super) fn read(wrap: Wrap, bytes: &'a [u8]) -> Result<Envelope<'a>, ValueError> {
        let bytes = if wrap.framed { bytes.get(4..).unwrap_or_default() } else { bytes };
        let length = wrap.header_length(bytes).ok_or(ValueError::Truncated)?;
        let (head, body) = bytes.split_at_checked(length).ok_or(ValueError::Truncated)?;
        let (head, seqid) = head.split_at(length - 4);
        let (kind, name) = match wrap.strict {
            true if !head.starts_with(&VERSION_1) => return Err(ValueError::UnknownTag(head[0])),
            true => (head[3], &head[8..]),
            false => (head[head.len() - 1], &head[4..head.len() - 1]),
        };
        let name = str::from_utf8(name).map_err(|_| ValueError::NotUtf8)?;
        Ok(Envelope { wrap, kind, name, seqid: BigEndian::read_i32(seqid), body })
    }
}

/// Writes everything before the struct, and returns where the message began, for [`end`].
pub(super) fn begin(out: &mut Vec<u8>, wrap: Wrap, kind: u8, name: &str, seqid: i32) -> usize {
    let start = out.len();
    // A name longer than a length can say is longer than a message may be: `end` refuses it.
    let length = (name.len() as u32).to_be_bytes();
    if wrap.framed {
        out.extend_from_slice(&[0; 4]);
    }
    if wrap.strict {
        out.extend_from_slice(&[VERSION_1[0], VERSION_1[1], 0, kind]);
    }
    out.extend_from_slice(&length);
    out.extend_from_slice(name.as_bytes());
    if !wrap.strict {
        out.push(kind);
    }
    out.extend_from_slice(&seqid.to_be_bytes());
    start
}

/// Ends the message that began at `start`: a frame's length is known now.
///
/// # Errors
/// The message is longer than `limit` bytes; it was removed from `out`.
pub(super) fn end(
    out: &mut Vec<u8>,
    wrap: Wrap,
    start: usize,
    limit: usize,
) -> Result<(), ProtocolError> {
    let length = out.len() - start - if wrap.framed { 4 } else { 0 };
    match u32::try_from(length) {
        Ok(short) if length <= limit => {
            if wrap.framed {
                BigEndian::write_u32(&mut out[start..start + 4], short);
            }
            Ok(())
        }
        _ => {
            out.truncate(start);
            Err(ProtocolError::TooLong { length: length as u64, limit })
        }
    }
}
