//! Values as XML.

use std::io::Write;
use std::mem;

use data_encoding::BASE64;

use super::is_xml;
use crate::message::{Outcome, Pack};
use crate::protocol::emit::{Emit, Key, Shape, Width, emit};
use crate::protocol::native::ValueError;
use crate::protocol::special::Special;

type Result<T = ()> = std::result::Result<T, ValueError>;

/// How many bytes become one line of 76 letters, which is the longest that mail can carry.
const BYTES_TO_A_LINE: usize = 57;

/// Appends a call.
pub(super) fn call(
    procedure: &str,
    arguments: &dyn Pack,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result {
    out.extend(b"<?xml version='1.0'?>\n<methodCall>\n<methodName>");
    text(procedure, out)?;
    out.extend(b"</methodName>\n<params>\n");
    emit(&mut Xml::new(Level::Arguments, out), depth, arguments)?;
    out.extend(b"</params>\n</methodCall>\n");
    Ok(())
}

/// Appends a response.
pub(super) fn outcome(outcome: Outcome<'_>, depth: usize, out: &mut Vec<u8>) -> Result {
    out.extend(b"<?xml version='1.0'?>\n<methodResponse>\n");
    match outcome {
        Ok(result) => {
            out.extend(b"<params>\n");
            emit(&mut Xml::new(Level::Params, out), depth, result)?;
            out.extend(b"</params>\n");
        }
        Err(fault) => {
            #[derive(serde::Serialize)]
            struct Members {
                #[serde(rename = "faultCode")]
                code: i32,
                #[serde(rename = "faultString")]
                message: String,
            }
            // That a call failed matters more than a letter of the reason.
            let message = fault.message.replace(|letter| !is_xml(letter), "\u{fffd}");
            out.extend(b"<fault>\n");
            let members = Members { code: fault.code, message };
            emit(&mut Xml::new(Level::Value, out), depth.max(1), &members)?;
            out.extend(b"</fault>\n");
        }
    }
    out.extend(b"</methodResponse>\n");
    Ok(())
}

/// Appends a text. A bare carriage return would be read as a line feed.
fn text(text: &str, out: &mut Vec<u8>) -> Result {
    let is_special = |letter| matches!(letter, '&' | '<' | '>' | '\r') || !is_xml(letter);
    for piece in text.split_inclusive(is_special) {
        let special = piece.chars().next_back().filter(|letter| is_special(*letter));
        let plain = piece.len() - special.map_or(0, char::len_utf8);
        out.extend_from_slice(&piece.as_bytes()[..plain]);
        out.extend_from_slice(match special {
            None => b"",
            Some('&') => b"&amp;",
            Some('<') => b"&lt;",
            Some('>') => b"&gt;",
            Some('\r') => b"&#13;",
            Some(other) => {
                let number = u32::from(other);
                return Err(ValueError::Unfit(format!("XML has no character U+{number:04X}")));
            }
        });
    }
    Ok(())
}

struct Xml<'o> {
    out: &'o mut Vec<u8>,
    level: Level,
    /// The levels around it.
    around: Vec<Level>,
    /// What the next text is besides.
    special: Option<Special>,
}

/// What is open, and takes values.
enum Level {
    /// Nothing: the arguments come next.
    Arguments,
    Params,
    /// Nothing, and one value comes next.
    Value,
    Items,
    Members,
}

impl<'o> Xml<'o> {
    fn new(level: Level, out: &'o mut Vec<u8>) -> Xml<'o> {
        Xml { out, level, around: Vec::new(), special: None }
    }

    fn begin(&mut self) -> Result {
        match self.level {
            Level::Arguments => {
                let why = "arguments are a tuple or a sequence: XML-RPC has no names for them";
                return Err(ValueError::Unfit(why.to_owned()));
            }
            Level::Params => self.out.extend(b"<param>\n<value>"),
            Level::Value | Level::Items | Level::Members => self.out.extend(b"<value>"),
        }
        Ok(())
    }

    fn end(&mut self) {
        match self.level {
            Level::Params => self.out.extend(b"</param>\n"),
            Level::Members => self.out.extend(b"</member>\n"),
            Level::Arguments | Level::Value | Level::Items => {}
        }
    }

    /// Writes a value that is one element with something in it.
    fn element(&mut self, name: &str, content: impl FnOnce(&mut Vec<u8>) -> Result) -> Result {
        self.begin()?;
        self.out.push(b'<');
        self.out.extend(name.as_bytes());
        self.out.push(b'>');
        content(self.out)?;
        self.out.extend(b"</");
        self.out.extend(name.as_bytes());
        self.out.extend(b"></value>\n");
        self.end();
        Ok(())
    }

    fn number(&mut self, name: &str, digits: impl ToString) -> Result {
        self.element(name, |out| {
            out.extend(digits.to_string().as_bytes());
            Ok(())
        })
    }

    /// A number with a fraction, which is never left out. Rust writes no exponent here.
    fn double(&mut self, mut digits: String, is_finite: bool) -> Result {
        if !is_finite {
            return Err(ValueError::NotFinite);
        }
        if !digits.contains('.') {
            digits.push_str(".0");
        }
        self.number("double", digits)
    }
}

impl Emit for Xml<'_> {
    fn null(&mut self) -> Result {
        if let Level::Arguments = self.level {
            return Ok(());
        }
        self.begin()?;
        self.out.extend(b"<nil/></value>");
        self.end();
        Ok(())
    }

    fn bool(&mut self, value: bool) -> Result {
        self.number("boolean", u8::from(value))
    }

    fn int(&mut self, value: i64, _: Width) -> Result {
        self.number(if i32::try_from(value).is_ok() { "int" } else { "i8" }, value)
    }

    fn big_int(&mut self, value: u64) -> Result {
        Err(ValueError::Unfit(format!("{value} does not fit into 64 bits with a sign")))
    }

    fn float(&mut self, value: f64) -> Result {
        self.double(value.to_string(), value.is_finite())
    }

    fn single(&mut self, value: f32) -> Result {
        self.double(value.to_string(), value.is_finite())
    }

    fn text(&mut self, value: &str) -> Result {
        match self.special.take() {
            Some(Special::DateTime) => self.element("dateTime.iso8601", |out| text(value, out)),
            Some(Special::Guid) | None => self.element("string", |out| text(value, out)),
        }
    }

    fn bytes(&mut self, value: &[u8]) -> Result {
        self.element("base64", |out| {
            out.push(b'\n');
            for line in value.chunks(BYTES_TO_A_LINE) {
                // Writing to memory cannot fail.
                let _ = writeln!(out, "{}", BASE64.encode_display(line));
            }
            Ok(())
        })
    }

    fn newtype(&mut self, name: &'static str) {
        self.special = Special::of(name);
    }

    fn open(&mut self, shape: Shape, _: Option<usize>) -> Result {
        let is_list = matches!(shape, Shape::List | Shape::Tuple);
        if is_list && matches!(self.level, Level::Arguments) {
            self.level = Level::Params;
            return Ok(());
        }
        self.begin()?;
        self.out.extend(if is_list { &b"<array><data>\n"[..] } else { b"<struct>\n" });
        let level = if is_list { Level::Items } else { Level::Members };
        self.around.push(mem::replace(&mut self.level, level));
        Ok(())
    }

    fn key(&mut self, key: Key<'_>) -> Result {
        self.out.extend(b"<member>\n<name>");
        match key {
            Key::Text(name) => text(&name, self.out)?,
            other => text(&other.to_string(), self.out)?,
        }
        self.out.extend(b"</name>\n");
        Ok(())
    }

    fn close(&mut self, _: Shape) -> Result {
        // The arguments have nothing around them.
        let Some(around) = self.around.pop() else { return Ok(()) };
        self.out.extend(match mem::replace(&mut self.level, around) {
            Level::Members => &b"</struct></value>\n"[..],
            _ => b"</data></array></value>\n",
        });
        self.end();
        Ok(())
    }
}
