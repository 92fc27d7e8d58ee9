//! Names every field of a message, for the examples and the book.

use std::fmt;

use super::read::Limits;
use super::unpack::{Reader, Units};
use crate::protocol::native::ValueError;
use crate::protocol::native::explain::{Field, dump};
use crate::protocol::pull::{Event, Hint, Pull};

/// Explains one whole message, and says which bytes it does not understand.
///
/// ```
/// let fields = ninestep::protocol::hprose::explain::explain(b"Cs3\"add\"a2{i10;5}z");
/// let says: Vec<&str> = fields.iter().map(|field| field.says.as_str()).collect();
/// assert_eq!(says, ["call", "\"add\"", "begins", "10", "5", "ends", "end"]);
/// ```
pub fn explain(bytes: &[u8]) -> Vec<Field> {
    let mut explained = Explained { bytes, at: 0, fields: Vec::new() };
    if explained.message().is_err() {
        explained.push(bytes.len(), "not understood", "");
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

/// How deep a dump follows, and how long references may make a message; it never needs more.
const LIMITS: Limits = (64, usize::MAX);

struct Explained<'a> {
    bytes: &'a [u8],
    /// Where the next field begins.
    at: usize,
    fields: Vec<Field>,
}

impl<'a> Explained<'a> {
    fn push(&mut self, end: usize, name: impl Into<String>, says: impl ToString) {
        let range = self.at..end;
        self.at = end;
        self.fields.push(Field { range, name: name.into(), says: says.to_string() });
    }

    fn message(&mut self) -> Result<(), ValueError> {
        while let Some(&tag) = self.bytes.get(self.at) {
            let piece = match tag {
                b'C' => "call",
                b'R' => "result",
                b'A' => "arguments",
                b'E' => "error",
                b'F' => "names",
                b't' => "arguments wanted back",
                b'z' => "end",
                _ => return Err(ValueError::UnknownTag(tag)),
            };
            self.push(self.at + 1, "piece", piece);
            if let b'C' | b'E' = tag {
                let mut reader = self.reader();
                let text = reader.lone_text()?;
                self.push(
                    reader.place(),
                    if tag == b'C' { "name" } else { "message" },
                    Quoted(&text),
                );
            }
            if tag == b'C' && self.bytes.get(self.at) == Some(&b'a') {
                self.value("arguments")?;
            } else if let b'R' | b'A' | b'F' = tag {
                self.value(piece)?;
            }
        }
        Ok(())
    }

    fn reader(&self) -> Reader<'a> {
        Reader::new(self.bytes, self.at, Units::Utf16, LIMITS)
    }

    fn value(&mut self, name: &str) -> Result<(), ValueError> {
        let mut reader = self.reader();
        self.part(&mut reader, name, LIMITS.0)
    }

    fn part(
        &mut self,
        reader: &mut Reader<'a>,
        name: &str,
        depth: usize,
    ) -> Result<(), ValueError> {
        let depth = depth.checked_sub(1).ok_or(ValueError::TooDeep)?;
        let tag = self.bytes.get(self.at).copied().unwrap_or_default();
        let event = reader.next(Hint::Any)?;
        let end = reader.place();
        match event {
            Event::List => {
                self.push(end, format!("{name}: list"), "begins");
                let mut count = 0;
                while reader.item()? {
                    count += 1;
                    self.part(reader, &format!("item {count}"), depth)?;
                }
                self.push(reader.place(), "list", "ends");
            }
            Event::Map => {
                self.push(end, format!("{name}: map"), "begins");
                while let Some(key) = reader.key()? {
                    let key = key.to_string();
                    // The names of an object's fields stand in its class.
                    if reader.place() > self.at {
                        self.push(reader.place(), "key", Quoted(&key));
                    }
                    self.part(reader, &key, depth)?;
                }
                self.push(reader.place(), "map", "ends");
            }
            _ if tag == b'r' => self.push(end, name, "as an earlier value"),
            Event::Null => self.push(end, name, "nothing"),
            Event::Bool(value) => self.push(end, name, value),
            Event::Int(value) => self.push(end, name, value),
            Event::Float(value) => self.push(end, name, format!("{value:?}")),
            Event::Text(text) => self.push(end, name, Quoted(&text)),
            Event::Bytes(bytes) => self.push(end, name, format!("{} bytes", bytes.len())),
            #[cfg(any(feature = "grpc", feature = "thrift"))]
            Event::Variant(index) => self.push(end, name, index),
        }
        Ok(())
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
