//! Names every field of a message, for the examples and the book.

use std::fmt;

use byteorder::{BigEndian, ByteOrder};

use super::envelope::{self, Envelope, Wrap};
use super::kind;
use crate::protocol::native::ValueError;
use crate::protocol::native::explain::{Field, dump};

/// Explains one whole message, and says which bytes it does not understand.
///
/// ```
/// let fields = ninestep::protocol::thrift::explain::explain(
///     b"\x80\x01\0\x02\0\0\0\x03add\0\0\0\x01\x0a\0\0\0\0\0\0\0\0\0\x0f\0");
/// let says: Vec<&str> = fields.iter().map(|field| field.says.as_str()).collect();
/// assert_eq!(says, ["1, reply", "3", "\"add\"", "1", "0, an i64", "15", "end"]);
/// ```
pub fn explain(bytes: &[u8]) -> Vec<Field> {
    let mut explained = Explained { bytes, at: 0, fields: Vec::new() };
    if explained.message().is_err() {
        let rest = bytes.len() - explained.at;
        explained.push(rest, "not understood", format!("{rest} bytes"));
    }
    explained.fields
}

/// The annotated hex dump of what [`explain`] explains, a line for each field: where it stands, its
/// bytes, the same as letters, what it is, what it says.
pub struct Dump<'a>(pub &'a [u8]);

impl fmt::Display for Dump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        dump(self.0, explain(self.0), f)
    }
}

/// How deep a dump follows; it never needs more.
const MAX_DEPTH: usize = 64;

struct Explained<'a> {
    bytes: &'a [u8],
    at: usize,
    fields: Vec<Field>,
}

impl<'a> Explained<'a> {
    fn push(&mut self, length: usize, name: impl Into<String>, says: impl ToString) {
        let range = self.at..self.at + length;
        self.at = range.end;
        self.fields.push(Field { range, name: name.into(), says: says.to_string() });
    }

    /// The next bytes, which are not named yet.
    fn peek(&self, count: usize) -> Result<&'a [u8], ValueError> {
        let end = self.at.saturating_add(count);
        self.bytes.get(self.at..end).ok_or(ValueError::Truncated)
    }

    fn peek_u32(&self) -> Result<u32, ValueError> {
        Ok(BigEndian::read_u32(self.peek(4)?))
    }

    fn message(&mut self) -> Result<(), ValueError> {
        let wrap = Wrap::detect(self.bytes).ok().flatten().ok_or(ValueError::Truncated)?;
        let Envelope { kind, name, seqid, .. } = Envelope::read(wrap, self.bytes)?;
        if wrap.framed {
            self.push(4, "frame", format!("{} bytes follow", self.bytes.len() - 4));
        }
        let kind = match kind {
            envelope::CALL => "call",
            envelope::REPLY => "reply",
            envelope::EXCEPTION => "exception",
            envelope::ONEWAY => "oneway",
            _ => "unknown",
        };
        if wrap.strict {
            self.push(4, "version, kind", format!("1, {kind}"));
        }
        self.push(4, "name: length", name.len());
        self.push(name.len(), "name", format!("{name:?}"));
        if !wrap.strict {
            self.push(1, "kind", kind);
        }
        self.push(4, "seqid", seqid);
        self.fields_of("", MAX_DEPTH)
    }

    /// The fields of a struct, whose own names begin with `of`.
    fn fields_of(&mut self, of: &str, depth: usize) -> Result<(), ValueError> {
        let depth = depth.checked_sub(1).ok_or(ValueError::TooDeep)?;
        loop {
            let kind = self.peek(1)?[0];
            if kind == kind::STOP {
                self.push(1, format!("{of}stop"), "end");
                return Ok(());
            }
            let id = BigEndian::read_i16(&self.peek(3)?[1..]);
            self.push(3, format!("{of}field"), format!("{id}, {}", kind::name(kind)));
            self.value(kind, &format!("{of}field {id}"), depth)?;
        }
    }

    fn value(&mut self, kind: u8, name: &str, depth: usize) -> Result<(), ValueError> {
        if let Some(size) = kind::size(kind) {
            let value = self.peek(size)?;
            let says = match kind {
                kind::BOOL => (value[0] != 0).to_string(),
                kind::DOUBLE => BigEndian::read_f64(value).to_string(),
                kind::UUID => "16 bytes".to_owned(),
                _ => BigEndian::read_int(value, size).to_string(),
            };
            self.push(size, name, says);
            return Ok(());
        }
        match kind {
            kind::STRING => {
                let length = self.peek_u32()?;
                let text = &self.peek((length as usize).saturating_add(4))?[4..];
                self.push(4, format!("{name}: length"), length);
                self.push(text.len(), name, format!("{:?}", String::from_utf8_lossy(text)));
                Ok(())
            }
            kind::STRUCT => self.fields_of(&format!("{name}."), depth),
            kind::LIST | kind::SET => {
                let head = self.peek(5)?;
                let count = BigEndian::read_u32(&head[1..]);
                self.push(5, name, format!("{count} values, each {}", kind::name(head[0])));
                self.items(&[head[0]], count, name, depth)
            }
            kind::MAP => {
                let head = self.peek(6)?;
                let count = BigEndian::read_u32(&head[2..]);
                let (key, value) = (kind::name(head[0]), kind::name(head[1]));
                self.push(6, name, format!("{count} times {key} and {value}"));
                self.items(&head[..2], count, name, depth)
            }
            other => Err(ValueError::UnknownTag(other)),
        }
    }

    fn items(
        &mut self,
        kinds: &[u8],
        count: u32,
        name: &str,
        depth: usize,
    ) -> Result<(), ValueError> {
        let depth = depth.checked_sub(1).ok_or(ValueError::TooDeep)?;
        for number in 1..=count {
            for kind in kinds {
                self.value(*kind, &format!("{name}.{number}"), depth)?;
            }
        }
        Ok(())
    }
}
