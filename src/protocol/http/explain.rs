//! Names every field of what one side sends over HTTP, for the examples and the book.

use crate::protocol::native::explain::Field;

/// What explains a body: the message that HTTP carries.
pub type ExplainBody = fn(&[u8]) -> Vec<Field>;

/// Explains one request or one response of HTTP/1.1 (RFC 9112, section 2.1).
///
/// ```
/// use ninestep::protocol::http::explain::http1;
///
/// let fields = http1(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", |_| Vec::new());
/// let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
/// assert_eq!(names, ["status line", "header", "end of the head"]);
/// ```
pub fn http1(bytes: &[u8], body: ExplainBody) -> Vec<Field> {
    let mut explained = Explained::new(bytes);
    let first = if bytes.starts_with(b"HTTP/") { "status line" } else { "request line" };
    while let Some(end) = explained.rest().windows(2).position(|two| two == b"\r\n") {
        let line = String::from_utf8_lossy(&explained.rest()[..end]).into_owned();
        match (end, explained.at) {
            (0, _) => {
                explained.push(2, "end of the head", "");
                break;
            }
            (_, 0) => explained.push(end + 2, first, line),
            _ => explained.push(end + 2, "header", line),
        }
    }
    explained.body(explained.rest().len(), body);
    explained.fields
}

/// Explains the frames of HTTP/2 that one side sends (RFC 9113, section 4.1). What is in a frame
/// of data explains `body`; headers are named as HPACK writes them (RFC 7541, section 6), by
/// numbers where both sides know them already.
///
/// ```
/// use ninestep::protocol::http::explain::http2;
///
/// let fields = http2(b"\0\0\x01\x01\x05\0\0\0\x01\x88", |_| Vec::new());
/// let says: Vec<&str> = fields.iter().map(|field| field.says.as_str()).collect();
/// assert_eq!(says, ["1", "HEADERS", "END_STREAM END_HEADERS", "1", "8, :status: 200"]);
/// ```
pub fn http2(bytes: &[u8], body: ExplainBody) -> Vec<Field> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut explained = Explained::new(bytes);
    if bytes.starts_with(PREFACE) {
        explained.push(PREFACE.len(), "preface", "PRI * HTTP/2.0 SM");
    }
    while let Some(&[a, b, c, kind, flags, s1, s2, s3, s4]) = explained.rest().first_chunk::<9>() {
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        explained.push(3, "frame: length", length);
        explained.push(1, "frame: type", kind_name(kind));
        explained.push(1, "frame: flags", flag_names(kind, flags));
        explained.push(4, "frame: stream", u32::from_be_bytes([s1, s2, s3, s4]) & 0x7fff_ffff);
        let length = length.min(explained.rest().len());
        match kind {
            0 => explained.body(length, body),
            1 => explained.headers(length),
            _ if length > 0 => explained.push(length, "payload", format!("{length} bytes")),
            _ => {}
        }
    }
    let rest = explained.rest().len();
    if rest > 0 {
        explained.push(rest, "not understood", format!("{rest} bytes"));
    }
    explained.fields
}

/// RFC 9113, section 6.
fn kind_name(kind: u8) -> &'static str {
    let names = [
        "DATA",
        "HEADERS",
        "PRIORITY",
        "RST_STREAM",
        "SETTINGS",
        "PUSH_PROMISE",
        "PING",
        "GOAWAY",
        "WINDOW_UPDATE",
        "CONTINUATION",
    ];
    names.get(usize::from(kind)).unwrap_or(&"unknown")
}

fn flag_names(kind: u8, flags: u8) -> String {
    let names = match kind {
        0 | 1 => [(1, "END_STREAM"), (4, "END_HEADERS")],
        _ => [(1, "ACK"), (0, "")],
    };
    let set = names.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name);
    let set: Vec<&str> = set.collect();
    if set.is_empty() { "none".to_owned() } else { set.join(" ") }
}

struct Explained<'a> {
    bytes: &'a [u8],
    /// Where the next field begins.
    at: usize,
    fields: Vec<Field>,
}

impl<'a> Explained<'a> {
    fn new(bytes: &'a [u8]) -> Explained<'a> {
        Explained { bytes, at: 0, fields: Vec::new() }
    }

    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    fn push(&mut self, length: usize, name: impl Into<String>, says: impl ToString) {
        let range = self.at..self.at + length;
        self.at = range.end;
        self.fields.push(Field { range, name: name.into(), says: says.to_string() });
    }

    fn body(&mut self, length: usize, explain: ExplainBody) {
        for Field { range, name, says } in explain(&self.rest()[..length]) {
            let range = self.at + range.start..self.at + range.end;
            self.fields.push(Field { range, name, says });
        }
        self.at += length;
    }

    fn headers(&mut self, length: usize) {
        let end = self.at + length;
        while self.at < end {
            let block = &self.bytes[self.at..end];
            let Some((length, says)) = header(block) else {
                self.push(block.len(), "not understood", format!("{} bytes", block.len()));
                return;
            };
            self.push(length, "header", says);
        }
    }
}

/// How long the first header of a block is, and what it says.
fn header(block: &[u8]) -> Option<(usize, String)> {
    let first = *block.first()?;
    let mut rest = block;
    let says = match first {
        0x80.. => known(number(&mut rest, 7)?),
        0x40..0x80 => format!("{}; to be remembered", literal(&mut rest, 6)?),
        0x20..0x40 => format!("the table has {} bytes", number(&mut rest, 5)?),
        _ => literal(&mut rest, 4)?,
    };
    Some((block.len() - rest.len(), says))
}

/// A header by its number: one of the standard's table (RFC 7541, appendix A), of which only the
/// most frequent are named here, or one of an earlier message.
fn known(number: usize) -> String {
    let says = match number {
        3 => ":method: POST",
        4 => ":path: /",
        6 => ":scheme: http",
        8 => ":status: 200",
        62.. => "one that was sent before",
        _ => "one of the standard's",
    };
    format!("{number}, {says}")
}

/// A header's name by its number.
fn known_name(number: usize) -> String {
    let says = match number {
        1 => ":authority",
        2 | 3 => ":method",
        4 | 5 => ":path",
        6 | 7 => ":scheme",
        8..=14 => ":status",
        31 => "content-type",
        62.. => "a name that was sent before",
        _ => "one of the standard's names",
    };
    says.to_owned()
}

/// A header that is written out, or its value is.
fn literal(rest: &mut &[u8], bits: u32) -> Option<String> {
    let name = match number(rest, bits)? {
        0 => text(rest)?,
        number => known_name(number),
    };
    Some(format!("{name}: {}", text(rest)?))
}

/// RFC 7541, section 5.1.
fn number(rest: &mut &[u8], bits: u32) -> Option<usize> {
    let (first, mut left) = rest.split_first()?;
    let most = (1_usize << bits) - 1;
    let mut number = usize::from(*first) & most;
    if number == most {
        for shift in [0, 7, 14, 21] {
            let (next, after) = left.split_first()?;
            left = after;
            number += usize::from(next & 0x7f) << shift;
            if next & 0x80 == 0 {
                break;
            }
        }
    }
    *rest = left;
    Some(number)
}

/// RFC 7541, section 5.2.
fn text(rest: &mut &[u8]) -> Option<String> {
    let is_huffman = rest.first()? & 0x80 != 0;
    let length = number(rest, 7)?;
    let (text, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(match is_huffman {
        true => format!("{length} bytes in Huffman's code"),
        false => String::from_utf8_lossy(text).into_owned(),
    })
}
