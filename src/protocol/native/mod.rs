//! The native wire, version 1: made to be read in a hex dump.
//!
//! All numbers are big-endian. The client opens with `9ST` and the version, `0x01`; then frames go
//! both ways:
//!
//! | kind | body |
//! |---|---|
//! | `C` call | `deadline_ms: u32` (the time that is left, 0 is for ever), the procedure's name (`u32` length, UTF-8), the arguments: one value, `[` by position or `{` by name |
//! | `N` notify | as a call, with id 0; never answered |
//! | `R` reply | one value |
//! | `F` fault | `code: i32`, message (`u32` length, UTF-8), one value of data |
//! | `B` bye | `last: u32`: calls with a higher id were not executed |
//!
//! A value is a tag and its content; the tags are the letters of Python's `struct` where it has
//! one: see [`tag`].

pub mod explain;
pub mod frame;
mod pack;
mod unpack;

use std::time::Instant;

use byteorder::{BigEndian, ByteOrder};
use frame::{Frame, FrameFinder};

pub use pack::{Packer, pack};
pub use unpack::{Unpacker, unpack};

use super::{
    Answer, AnyFinder, Arrived, Calls, Framing, Gaps, Message, Parts, Protocol, Request, Side,
    Transport,
};
use crate::error::ProtocolError;
use crate::message::{Call, Fault, Outcome, Outgoing, Packed};
use crate::value::Value;

/// The letters that open a value.
pub mod tag {
    // ANCHOR: tags
    /// Nothing.
    pub const NULL: u8 = b'_';
    /// One byte, 0 or 1.
    pub const BOOL: u8 = b'?';
    /// An `i64`; every integer that fits is written so.
    pub const INT: u8 = b'q';
    /// A `u64` above `i64`'s range.
    pub const BIG_INT: u8 = b'Q';
    /// An `f64`, IEEE 754.
    pub const FLOAT: u8 = b'd';
    /// `u32` length, UTF-8.
    pub const TEXT: u8 = b's';
    /// `u32` length, bytes.
    pub const BYTES: u8 = b'y';
    /// `u32` count, that many values.
    pub const LIST: u8 = b'[';
    /// `u32` count, that many pairs of a [`TEXT`] value and any value.
    pub const MAP: u8 = b'{';
    // ANCHOR_END: tags

    /// The tag in words.
    pub fn name(tag: u8) -> &'static str {
        match tag {
            NULL => "nothing",
            BOOL => "a boolean",
            INT | BIG_INT => "an integer",
            FLOAT => "a float",
            TEXT => "a text",
            BYTES => "bytes",
            LIST => "a list",
            MAP => "a map",
            _ => "an unknown tag",
        }
    }
}

/// Why a value could not be packed or unpacked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The value promises more than came.
    #[error("the bytes end inside a value")]
    Truncated,
    /// A byte that should be a tag is none.
    #[error("there is no tag {0:#04x}")]
    UnknownTag(u8),
    /// A boolean is neither 0 nor 1.
    #[error("a boolean is 0 or 1, not {0}")]
    BadBool(u8),
    /// Containers nest deeper than allowed.
    #[error("lists and maps nest deeper than allowed")]
    TooDeep,
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// Bytes follow where the value should have ended.
    #[error("{0} bytes follow the value")]
    TrailingBytes(usize),
    /// A map's key is not a text.
    #[error("a map's key is not a text")]
    KeyNotText,
    /// An integer needs more than 64 bits.
    #[error("an integer does not fit into 64 bits")]
    TooBig,
    /// A number is infinite or none, and the wire has no form for that.
    #[error("a number is not finite")]
    NotFinite,
    /// A text or bytes are longer than a `u32` can say.
    #[error("{0} bytes are more than a length of 32 bits can say")]
    TooLong(usize),
    /// The value is well formed, but not of the type that was expected.
    #[error("{0}")]
    Unfit(String),
}

impl serde::ser::Error for ValueError {
    fn custom<T: std::fmt::Display>(message: T) -> ValueError {
        ValueError::Unfit(message.to_string())
    }
}

impl serde::de::Error for ValueError {
    fn custom<T: std::fmt::Display>(message: T) -> ValueError {
        ValueError::Unfit(message.to_string())
    }
}

/// The native wire with its limits.
///
/// ```
/// use ninestep::protocol::native::Native;
///
/// let frugal = Native { max_message: 64 * 1024, ..Native::default() };
/// assert_eq!(frugal.max_depth, 64);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Native {
    /// The bytes of one frame after its length: 4 MiB unless told otherwise.
    pub max_message: usize,
    /// How deep lists and maps may nest: 64 unless told otherwise.
    pub max_depth: usize,
}

impl Default for Native {
    fn default() -> Native {
        Native { max_message: 4 << 20, max_depth: 64 }
    }
}

impl Native {
    /// Appends a call's frame, whole but for its length.
    fn pack_call(
        &self,
        call: &Outgoing<'_>,
        out: &mut Vec<u8>,
        gaps: &mut Gaps,
    ) -> Result<(), ValueError> {
        pack::put_u32(out, call.deadline.map_or(0, milliseconds_until));
        pack::put_bytes(out, call.procedure.as_bytes())?;
        let arguments_at = out.len();
        call.arguments.pack(&mut Packer::leaving(out, self.max_depth, gaps))?;
        match out[arguments_at] {
            tag::LIST | tag::MAP => Ok(()),
            // Rust's empty tuple is nothing; a call without arguments is an empty list.
            tag::NULL => {
                out[arguments_at] = tag::LIST;
                pack::put_u32(out, 0);
                Ok(())
            }
            other => Err(ValueError::Unfit(format!(
                "arguments are a tuple, a sequence, a struct or a map, not {}",
                tag::name(other)
            ))),
        }
    }

    /// Appends a reply or a fault, and nothing if that fails. A reply with gaps is sent instead,
    /// and leaves its gaps behind.
    fn pack_outcome(
        &self,
        id: u32,
        outcome: Outcome<'_>,
        out: &mut Vec<u8>,
        gaps: &mut Gaps,
        send: &mut dyn FnMut(&Parts<'_>),
    ) -> Result<(), String> {
        let kind = if outcome.is_ok() { frame::REPLY } else { frame::FAULT };
        let start = frame::begin(out, kind, id);
        let body = match outcome {
            Ok(value) => {
                let packed = value.pack(&mut Packer::leaving(out, self.max_depth, gaps));
                if !gaps.is_empty() {
                    return self.end_with_gaps(packed, start, out, gaps).map(|()| {
                        send(&Parts { bytes: &out[start..], gaps, value });
                        out.truncate(start);
                    });
                }
                packed
            }
            Err(fault) => self.pack_fault(&fault, out),
        };
        if let Err(error) = body {
            out.truncate(start);
            return Err(error.to_string());
        }
        frame::end(out, start, self.max_message).map_err(|error| error.to_string())
    }

    /// Ends a frame that leaves gaps; if that fails, there is none.
    #[cold]
    fn end_with_gaps(
        &self,
        packed: Result<(), ValueError>,
        start: usize,
        out: &mut Vec<u8>,
        gaps: &mut Gaps,
    ) -> Result<(), String> {
        let ended = packed.map_err(|error| error.to_string()).and_then(|()| {
            frame::end_with_gaps(out, start, gaps.missing(), self.max_message)
                .map_err(|error| error.to_string())
        });
        ended.inspect_err(|_| {
            out.truncate(start);
            gaps.clear();
        })
    }

    fn pack_fault(&self, fault: &Fault, out: &mut Vec<u8>) -> Result<(), ValueError> {
        pack::put_u32(out, fault.code.cast_unsigned());
        pack::put_bytes(out, fault.message.as_bytes())?;
        pack(&fault.data, self.max_depth, out)
    }

    fn unpack_fault(&self, mut body: &[u8]) -> Result<Fault, ValueError> {
        let code = unpack::take_u32(&mut body)?.cast_signed();
        let message = unpack::take_text(&mut body)?.to_owned();
        let data: Value = unpack(body, self.max_depth)?;
        Ok(Fault { code, message, data })
    }
}

/// What is wrong with a frame that a client has no business sending.
#[cold]
#[inline(never)]
fn no_call(kind: u8, id: u32) -> ProtocolError {
    match kind {
        frame::CALL | frame::NOTIFY => ProtocolError::BadId(id),
        frame::REPLY | frame::FAULT | frame::BYE => ProtocolError::UnexpectedKind(kind),
        other => ProtocolError::UnknownKind(other),
    }
}

#[cold]
fn invalid(why: &ValueError) -> Fault {
    Fault::new(Fault::INVALID_CALL, format!("not a valid call: {why}"))
}

/// A deadline as the wire has it: never 0, which would be for ever.
fn milliseconds_until(deadline: Instant) -> u32 {
    let left = deadline.saturating_duration_since(Instant::now());
    u32::try_from(left.as_millis()).unwrap_or(u32::MAX).max(1)
}

/// A call's body, up to the arguments.
struct CallHead<'a> {
    deadline_ms: u32,
    procedure: &'a [u8],
    arguments: &'a [u8],
}

impl<'a> CallHead<'a> {
    fn unpack(mut body: &'a [u8]) -> Result<CallHead<'a>, ValueError> {
        let deadline_ms = unpack::take_u32(&mut body)?;
        let procedure = unpack::take_bytes(&mut body)?;
        match body.first() {
            Some(&tag::LIST | &tag::MAP) => {
                Ok(CallHead { deadline_ms, procedure, arguments: body })
            }
            Some(&other) => Err(ValueError::Unfit(format!(
                "arguments are a list or a map, not {}",
                tag::name(other)
            ))),
            None => Err(ValueError::Truncated),
        }
    }
}

impl Framing for Native {
    fn finder(&self, side: Side) -> AnyFinder {
        AnyFinder::Frames(FrameFinder::new(side == Side::Server, self.max_message))
    }

    fn hello(&self) -> &'static [u8] {
        &frame::GREETING
    }

    fn last_words(&self, fault: &Fault, out: &mut Vec<u8>) {
        // A fault that cannot be packed leaves nothing to say.
        let _ = self.pack_outcome(0, Err(fault.clone()), out, &mut Gaps::default(), &mut |_| {});
    }

    fn bye(&self, last: u32, out: &mut Vec<u8>) {
        let start = frame::begin(out, frame::BYE, 0);
        pack::put_u32(out, last);
        let _ = frame::end(out, start, self.max_message);
    }
}

impl Protocol for Native {
    fn transport(&self) -> Transport<'_> {
        Transport::Stream(self)
    }

    fn answer(
        &self,
        message: Message<'_>,
        calls: &mut dyn Calls,
        answer: &mut Answer,
    ) -> Result<(), ProtocolError> {
        let Answer { bytes: out, gaps, .. } = answer;
        gaps.clear();
        let Frame { kind, id, body } = Frame::read(message.bytes)?;
        let answered = match kind {
            frame::CALL if id != 0 => true,
            frame::NOTIFY if id == 0 => false,
            _ => return Err(no_call(kind, id)),
        };
        let start = out.len();
        let mut reply = |outcome: Outcome<'_>, send: &mut dyn FnMut(&Parts<'_>)| {
            out.truncate(start);
            // An outcome that left gaps is sent already.
            if !answered || !gaps.is_empty() {
                return Ok(());
            }
            self.pack_outcome(id, outcome, out, gaps, send).map_err(|why| {
                Fault::new(Fault::INTERNAL, format!("the result cannot be packed: {why}"))
            })
        };
        match CallHead::unpack(body) {
            Ok(head) => {
                let mut unpacker =
                    Unpacker::with_tail(head.arguments, self.max_depth, message.tail);
                let call = Call {
                    id,
                    procedure: head.procedure,
                    arguments: Packed::Native(&mut unpacker),
                    patience_ms: (head.deadline_ms > 0).then_some(head.deadline_ms),
                };
                calls.call_with_gaps(call, &mut reply);
            }
            Err(error) => {
                // A fault of a few words has no way to be too long.
                let _ = reply(Err(invalid(&error)), &mut |_| {});
            }
        }
        Ok(())
    }

    fn pack(&self, call: &Outgoing<'_>, request: &mut Request) -> Result<(), String> {
        let Request { bytes: out, gaps, .. } = request;
        let kind = if call.id.is_some() { frame::CALL } else { frame::NOTIFY };
        let start = frame::begin(out, kind, call.id.unwrap_or(0));
        let packed = self.pack_call(call, out, gaps);
        if !gaps.is_empty() {
            return self.end_with_gaps(packed, start, out, gaps);
        }
        if let Err(error) = packed {
            out.truncate(start);
            return Err(error.to_string());
        }
        frame::end(out, start, self.max_message).map_err(|error| error.to_string())
    }

    fn unpack(
        &self,
        message: Message<'_>,
        deliver: &mut dyn FnMut(Arrived<'_, '_>),
    ) -> Result<(), ProtocolError> {
        let Frame { kind, id, body } = Frame::read(message.bytes)?;
        match kind {
            frame::REPLY => {
                let mut unpacker = Unpacker::with_tail(body, self.max_depth, message.tail);
                deliver(Arrived::Outcome { id, outcome: Ok(Packed::Native(&mut unpacker)) });
            }
            frame::FAULT => {
                let fault = self.unpack_fault(body).map_err(ProtocolError::Malformed)?;
                deliver(match id {
                    0 => Arrived::Refused(fault),
                    _ => Arrived::Outcome { id, outcome: Err(fault) },
                });
            }
            frame::BYE if body.len() == 4 => {
                deliver(Arrived::Bye { last: BigEndian::read_u32(body) });
            }
            frame::BYE => return Err(ProtocolError::TooShort(message.bytes.len())),
            frame::CALL | frame::NOTIFY => return Err(ProtocolError::UnexpectedKind(kind)),
            other => return Err(ProtocolError::UnknownKind(other)),
        }
        Ok(())
    }
}
