//! Names every field of a message, for the examples and the book.

use std::fmt;

use super::PREFIX;
use super::wire::{Raw, take_raw, take_tag};
use crate::protocol::native::ValueError;
use crate::protocol::native::explain::{Field, dump};

/// Explains one message with what stands before it, and says which bytes it does not understand.
///
/// The bytes do not say whether a field is text, bytes, a message or packed numbers; what is text
/// is shown as that.
///
/// ```
/// let fields = ninestep::protocol::grpc::explain::explain(b"\0\0\0\0\x04\x08\x0a\x10\x05");
/// let says: Vec<&str> = fields.iter().map(|field| field.says.as_str()).collect();
/// assert_eq!(says, ["no", "4", "1, varint", "10", "2, varint", "5"]);
/// ```
pub fn explain(bytes: &[u8]) -> Vec<Field> {
    let mut explained = Explained { bytes, rest: bytes, fields: Vec::new() };
    if explained.message().is_err() {
        let rest = explained.rest.len();
        explained.rest = &[];
        explained.push("not understood", format!("{rest} bytes"));
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

struct Explained<'a> {
    bytes: &'a [u8],
    /// What is not named yet.
    rest: &'a [u8],
    fields: Vec<Field>,
}

impl Explained<'_> {
    /// Names what was taken off since the last name.
    fn push(&mut self, name: impl Into<String>, says: impl ToString) {
        let start = self.fields.last().map_or(0, |field| field.range.end);
        let range = start..self.bytes.len() - self.rest.len();
        self.fields.push(Field { range, name: name.into(), says: says.to_string() });
    }

    fn message(&mut self) -> Result<(), ValueError> {
        let Some((prefix, message)) = self.bytes.split_first_chunk::<PREFIX>() else {
            return Err(ValueError::Truncated);
        };
        let [flag, length @ ..] = prefix;
        self.rest = &self.bytes[1..];
        self.push("compressed", if *flag == 0 { "no" } else { "yes" });
        self.rest = message;
        self.push("length", u32::from_be_bytes(*length));
        while !self.rest.is_empty() {
            let mut rest = self.rest;
            let (number, wire_type) = take_tag(&mut rest)?;
            let name = ["varint", "64 bits", "length", "group", "end of group", "32 bits"];
            let name = name.get(usize::from(wire_type)).ok_or(ValueError::UnknownTag(wire_type))?;
            let before = rest;
            let raw = take_raw(wire_type, &mut rest)?;
            self.rest = before;
            self.push("tag", format!("{number}, {name}"));
            if let Raw::Bytes(bytes) = raw {
                self.rest = &before[before.len() - rest.len() - bytes.len()..];
                self.push(format!("field {number}: length"), bytes.len());
            }
            self.rest = rest;
            self.push(format!("field {number}"), says(raw));
        }
        Ok(())
    }
}

fn says(raw: Raw<'_>) -> String {
    match raw {
        Raw::Varint(value) => value.cast_signed().to_string(),
        Raw::Fixed64(bits) => f64::from_bits(bits).to_string(),
        Raw::Fixed32(bits) => f32::from_bits(bits).to_string(),
        Raw::Bytes(bytes) => match str::from_utf8(bytes) {
            Ok(text) => format!("{text:?}"),
            Err(_) => format!("{} bytes", bytes.len()),
        },
    }
}
