//! Protocol Buffers, byte by byte.
//!
//! A message is a run of fields. Before each value stands a tag: the field's number and the *wire
//! type*, which says how long the value is and no more. Who does not know a field can pass it over.

use byteorder::{ByteOrder, LittleEndian};

use crate::protocol::native::ValueError;

type Result<T = ()> = std::result::Result<T, ValueError>;

/// The wire types: the lowest three bits of a tag.
pub(super) const VARINT: u8 = 0;
pub(super) const FIXED64: u8 = 1;
pub(super) const LENGTH: u8 = 2;
const GROUP: u8 = 3;
const END_GROUP: u8 = 4;
pub(super) const FIXED32: u8 = 5;

/// The highest number that a field may have.
pub(super) const MAX_NUMBER: u32 = (1 << 29) - 1;

/// How deep unknown groups may nest.
const MAX_GROUPS: usize = 64;

/// A value, of which only its wire type is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Raw<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    /// Text, bytes, a message, or packed numbers.
    Bytes(&'a [u8]),
}

/// Appends an integer in groups of seven bits, the lowest first; the eighth bit says that more
/// follow.
pub(super) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn put_tag(number: u32, wire_type: u8, out: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3 | u64::from(wire_type), out);
}

impl Raw<'_> {
    pub(super) fn wire_type(&self) -> u8 {
        match self {
            Raw::Varint(_) => VARINT,
            Raw::Fixed64(_) => FIXED64,
            Raw::Fixed32(_) => FIXED32,
            Raw::Bytes(_) => LENGTH,
        }
    }

    /// Appends a field.
    pub(super) fn put(self, number: u32, out: &mut Vec<u8>) {
        put_tag(number, self.wire_type(), out);
        self.put_value(out);
    }

    /// Appends the value alone.
    pub(super) fn put_value(self, out: &mut Vec<u8>) {
        match self {
            Raw::Varint(value) => put_varint(value, out),
            Raw::Fixed64(value) => out.extend_from_slice(&value.to_le_bytes()),
            Raw::Fixed32(value) => out.extend_from_slice(&value.to_le_bytes()),
            Raw::Bytes(bytes) => {
                put_varint(bytes.len() as u64, out);
                out.extend_from_slice(bytes);
            }
        }
    }
}

/// Leaves room for the length of what is appended next; [`end_length`] fills it in.
pub(super) fn begin_length(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len()
}

/// Puts the length of everything behind `start` before it. Most lengths need the one byte that was
/// left; for others the content moves.
pub(super) fn end_length(start: usize, out: &mut Vec<u8>) {
    let end = out.len();
    let length = (end - start) as u64;
    if length < 0x80 {
        out[start - 1] = length as u8;
        return;
    }
    put_varint(length, out);
    let more = out.len() - end - 1;
    // The length stands at the end now, and goes to where the content stood.
    out[start - 1..].rotate_right(more + 1);
    out.remove(start + more);
}

pub(super) fn take_varint(rest: &mut &[u8]) -> Result<u64> {
    // Tags and lengths are one byte most often.
    if let [byte @ ..0x80, after @ ..] = *rest {
        *rest = after;
        return Ok((*byte).into());
    }
    let mut value = 0;
    for (index, byte) in rest.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            // Of the tenth byte one bit is left.
            if index == 9 && *byte > 1 {
                return Err(ValueError::TooBig);
            }
            *rest = &rest[index + 1..];
            return Ok(value);
        }
    }
    Err(if rest.len() < 10 { ValueError::Truncated } else { ValueError::TooBig })
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(count).ok_or(ValueError::Truncated)?;
    *rest = after;
    Ok(taken)
}

/// A field's number and wire type.
pub(super) fn take_tag(rest: &mut &[u8]) -> Result<(u32, u8)> {
    let tag = take_varint(rest)?;
    match u32::try_from(tag >> 3) {
        Ok(number @ 1..=MAX_NUMBER) => Ok((number, tag as u8 & 7)),
        _ => Err(ValueError::Unfit(format!("{} is no number of a field", tag >> 3))),
    }
}

/// A value of this wire type, which is no group.
pub(super) fn take_raw<'a>(wire_type: u8, rest: &mut &'a [u8]) -> Result<Raw<'a>> {
    Ok(match wire_type {
        VARINT => Raw::Varint(take_varint(rest)?),
        FIXED64 => Raw::Fixed64(LittleEndian::read_u64(take(rest, 8)?)),
        FIXED32 => Raw::Fixed32(LittleEndian::read_u32(take(rest, 4)?)),
        LENGTH => {
            let length = usize::try_from(take_varint(rest)?).map_err(|_| ValueError::Truncated)?;
            Raw::Bytes(take(rest, length)?)
        }
        END_GROUP => return Err(ValueError::Unfit("a group ends that never began".to_owned())),
        other => return Err(ValueError::Unfit(format!("there is no wire type {other}"))),
    })
}

/// The next field of a message. Groups, which nobody writes any more, are passed over.
pub(super) fn take_field<'a>(rest: &mut &'a [u8]) -> Result<Option<(u32, Raw<'a>)>> {
    while !rest.is_empty() {
        let (number, wire_type) = take_tag(rest)?;
        if wire_type != GROUP {
            return Ok(Some((number, take_raw(wire_type, rest)?)));
        }
        skip_group(number, rest, MAX_GROUPS)?;
    }
    Ok(None)
}

fn skip_group(begun: u32, rest: &mut &[u8], depth: usize) -> Result {
    let depth = depth.checked_sub(1).ok_or(ValueError::TooDeep)?;
    loop {
        match take_tag(rest)? {
            (number, END_GROUP) if number == begun => return Ok(()),
            (number, GROUP) => skip_group(number, rest, depth)?,
            (_, wire_type) => take_raw(wire_type, rest).map(drop)?,
        }
    }
}

/// Zigzag: 0, -1, 1, -2 … become 0, 1, 2, 3 …, so that small numbers are short whatever their sign.
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}
