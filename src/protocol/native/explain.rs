//! Names every field of a message, for the tour, the examples and the book.

use std::fmt;
use std::ops::Range;

use super::frame::{self, Frame, GREETING};
use super::unpack::{take, take_bytes, take_u32};
use super::{ValueError, tag};

/// A run of bytes and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Where it stands in the explained bytes.
    pub range: Range<usize>,
    /// What it is, for instance `argument 1: integer`.
    pub name: String,
    /// What it says, for instance `10`.
    pub says: String,
}

/// Explains what one side sent: the greeting, if it is there, and whole frames.
///
/// It never fails: bytes that are no message become one field that says so.
///
/// ```
/// use ninestep::protocol::native::explain::explain;
///
/// let fields = explain(b"9ST\x01\0\0\0\x0eR\0\0\0\x01q\0\0\0\0\0\0\0\x0f");
/// let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
/// assert_eq!(names, ["magic", "version", "length", "kind", "id", "result: integer"]);
/// assert_eq!(fields[5].says, "15");
/// ```
pub fn explain(bytes: &[u8]) -> Vec<Field> {
    let mut explained = Explained { bytes, rest: bytes, fields: Vec::new() };
    if bytes.starts_with(&GREETING[..3]) && bytes.len() >= GREETING.len() {
        explained.rest = &bytes[3..];
        explained.push("magic", "9ST".to_owned());
        explained.rest = &bytes[4..];
        explained.push("version", bytes[3].to_string());
    }
    while !explained.rest.is_empty() {
        if let Err(error) = explained.frame() {
            explained.rest = &[];
            explained.push("not understood", error.to_string());
        }
    }
    explained.fields
}

/// The annotated hex dump of what [`explain`] explains, a line for each field: where it stands, its
/// bytes, the same as letters, what it is, what it says.
///
/// ```
/// use ninestep::protocol::native::explain::Dump;
///
/// let dump = Dump(b"\0\0\0\x0eR\0\0\0\x01q\0\0\0\0\0\0\0\x0f").to_string();
/// let last = dump.lines().last().unwrap();
/// assert_eq!(last, "   9  71 00 00 00 00 00 00 00 0f  q........  result: integer      15");
/// ```
pub struct Dump<'a>(pub &'a [u8]);

/// The most bytes of one field that a dump shows.
const SHOWN: usize = 9;

impl fmt::Display for Dump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        dump(self.0, explain(self.0), f)
    }
}

/// The same of bytes that were explained already, on whichever wire.
pub struct Annotated<'a>(pub &'a [u8], pub Vec<Field>);

impl fmt::Display for Annotated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        dump(self.0, self.1.clone(), f)
    }
}

/// Writes a line for each field of these bytes.
pub(crate) fn dump(bytes: &[u8], fields: Vec<Field>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for Field { range, name, says } in fields {
        let at = range.start;
        let bytes = &bytes[range];
        let shown = &bytes[..bytes.len().min(SHOWN)];
        let hex: Vec<String> = shown.iter().map(|byte| format!("{byte:02x}")).collect();
        let letter = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' };
        let letters: String = shown.iter().map(letter).collect();
        let more = if bytes.len() > SHOWN { "…" } else { " " };
        let hex = hex.join(" ");
        writeln!(f, "{at:4}  {hex:26}{more} {letters:9}  {name:19}  {says}")?;
    }
    Ok(())
}

struct Explained<'a> {
    bytes: &'a [u8],
    rest: &'a [u8],
    fields: Vec<Field>,
}

impl<'a> Explained<'a> {
    /// Names everything between the last field and what is left.
    fn push(&mut self, name: impl Into<String>, says: String) {
        let start = self.fields.last().map_or(0, |field| field.range.end);
        let end = self.bytes.len() - self.rest.len();
        self.fields.push(Field { range: start..end, name: name.into(), says });
    }

    fn frame(&mut self) -> Result<(), ValueError> {
        let mut body = self.rest;
        let body = take_bytes(&mut body)?;
        let whole = &self.rest[..4 + body.len()];
        let Frame { kind, id, .. } = Frame::read(whole).map_err(|_| ValueError::Truncated)?;
        take_u32(&mut self.rest)?;
        self.push("length", format!("{} bytes follow", body.len()));
        take(&mut self.rest, 1)?;
        self.push("kind", kind_name(kind).to_owned());
        take_u32(&mut self.rest)?;
        self.push("id", id.to_string());
        match kind {
            frame::CALL | frame::NOTIFY => self.call(),
            frame::REPLY => self.value("result"),
            frame::FAULT => self.fault(),
            frame::BYE => {
                let last = take_u32(&mut self.rest)?;
                self.push("last", format!("calls after {last} were not executed"));
                Ok(())
            }
            other => Err(ValueError::UnknownTag(other)),
        }
    }

    fn call(&mut self) -> Result<(), ValueError> {
        match take_u32(&mut self.rest)? {
            0 => self.push("deadline", "none".to_owned()),
            left => self.push("deadline", format!("{left} ms are left")),
        }
        self.text("procedure")?;
        let tag = take(&mut self.rest, 1)?[0];
        let count = take_u32(&mut self.rest)?;
        let how = if tag == tag::LIST { "by position" } else { "by name" };
        self.push("arguments", format!("{count} {how}"));
        for number in 1..=count {
            if tag == tag::LIST {
                self.value(&format!("argument {number}"))?;
            } else {
                self.value(&format!("name {number}"))?;
                self.value(&format!("argument {number}"))?;
            }
        }
        Ok(())
    }

    fn fault(&mut self) -> Result<(), ValueError> {
        let code = take_u32(&mut self.rest)?.cast_signed();
        self.push("code", code.to_string());
        self.text("message")?;
        self.value("data")
    }

    /// A length and a text, without a tag.
    fn text(&mut self, name: &str) -> Result<(), ValueError> {
        let mut after = self.rest;
        let text = String::from_utf8_lossy(take_bytes(&mut after)?);
        take_u32(&mut self.rest)?;
        self.push(format!("{name}: length"), text.len().to_string());
        self.rest = after;
        self.push(name, format!("{text:?}"));
        Ok(())
    }

    /// One value; containers are explained item by item.
    fn value(&mut self, name: &str) -> Result<(), ValueError> {
        // The greatest depth that any limit in use allows; a dump never needs more.
        self.nested_value(name, 64)
    }

    fn nested_value(&mut self, name: &str, depth: usize) -> Result<(), ValueError> {
        let depth = depth.checked_sub(1).ok_or(ValueError::TooDeep)?;
        let tag = take(&mut self.rest, 1)?[0];
        match tag {
            tag::NULL => self.push(format!("{name}: nothing"), "null".to_owned()),
            tag::BOOL => {
                let value = take(&mut self.rest, 1)?[0];
                self.push(format!("{name}: boolean"), (value != 0).to_string());
            }
            tag::INT | tag::BIG_INT | tag::FLOAT => {
                let mut bits = [0; 8];
                bits.copy_from_slice(take(&mut self.rest, 8)?);
                let bits = u64::from_be_bytes(bits);
                let (kind, says) = match tag {
                    tag::INT => ("integer", bits.cast_signed().to_string()),
                    tag::BIG_INT => ("big integer", bits.to_string()),
                    _ => ("float", f64::from_bits(bits).to_string()),
                };
                self.push(format!("{name}: {kind}"), says);
            }
            tag::TEXT => {
                let text = String::from_utf8_lossy(take_bytes(&mut self.rest)?).into_owned();
                self.push(format!("{name}: text"), format!("{text:?}"));
            }
            tag::BYTES => {
                let bytes = take_bytes(&mut self.rest)?;
                self.push(format!("{name}: bytes"), format!("{} bytes", bytes.len()));
            }
            tag::LIST => {
                let count = take_u32(&mut self.rest)?;
                self.push(format!("{name}: list"), format!("{count} values"));
                for number in 1..=count {
                    self.nested_value(&format!("{name}.{number}"), depth)?;
                }
            }
            tag::MAP => {
                let count = take_u32(&mut self.rest)?;
                self.push(format!("{name}: map"), format!("{count} entries"));
                for number in 1..=count {
                    self.nested_value(&format!("{name}.{number} name"), depth)?;
                    self.nested_value(&format!("{name}.{number}"), depth)?;
                }
            }
            other => return Err(ValueError::UnknownTag(other)),
        }
        Ok(())
    }
}

fn kind_name(kind: u8) -> &'static str {
    match kind {
        frame::CALL => "call",
        frame::NOTIFY => "notify",
        frame::REPLY => "reply",
        frame::FAULT => "fault",
        frame::BYE => "bye",
        _ => "unknown",
    }
}
