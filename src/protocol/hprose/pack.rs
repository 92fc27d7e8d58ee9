//! Values to bytes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use crate::message::{Outcome, Pack};
use crate::protocol::emit::{Emit, Key, Shape, Width, emit};
use crate::protocol::native::ValueError;
use crate::protocol::special::Special;

type Result<T = ()> = std::result::Result<T, ValueError>;

/// Appends a message with one call.
pub(super) fn call(
    procedure: &str,
    arguments: &dyn Pack,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result {
    out.push(b'C');
    put_string(procedure, out);
    let at = out.len();
    emit(&mut Writer::new(out), depth, arguments)?;
    match &out[at..] {
        // No arguments have no list.
        b"n" | b"a{}" => out.truncate(at),
        [b'a', ..] => {}
        _ => {
            let why = "arguments are a tuple or a sequence: Hprose has no names for them";
            return Err(ValueError::Unfit(why.to_owned()));
        }
    }
    out.push(b'z');
    Ok(())
}

/// Appends a result or an error, and no end.
pub(super) fn outcome(outcome: Outcome<'_>, depth: usize, out: &mut Vec<u8>) -> Result {
    match outcome {
        Ok(result) => {
            out.push(b'R');
            emit(&mut Writer::new(out), depth, result)
        }
        Err(fault) => {
            error(&fault.message, out);
            Ok(())
        }
    }
}

/// Appends an error, and no end.
pub(super) fn error(message: &str, out: &mut Vec<u8>) {
    out.push(b'E');
    put_string(message, out);
}

/// Appends the list of all names, and no end.
pub(super) fn names<'a>(names: impl Iterator<Item = &'a str>, out: &mut Vec<u8>) {
    let names: Vec<&str> = names.collect();
    out.extend(format!("Fa{}{{", count(names.len())).as_bytes());
    names.iter().for_each(|name| put_string(name, out));
    out.push(b'}');
}

/// A length or a count as it is written: 0 is left out.
fn count(count: usize) -> String {
    if count == 0 { String::new() } else { count.to_string() }
}

/// Appends a text as `s`, whatever its length.
fn put_string(text: &str, out: &mut Vec<u8>) {
    out.extend(format!("s{}\"", count(text.encode_utf16().count())).as_bytes());
    out.extend(text.as_bytes());
    out.push(b'"');
}

/// Appends one value.
struct Writer<'o> {
    out: &'o mut Vec<u8>,
    open: Vec<Open>,
    /// How many values could be referred to so far.
    referable: usize,
    /// Which of them were texts.
    texts: HashMap<String, usize>,
    /// What the next text is besides.
    special: Option<Special>,
}

/// A list or a map that is open.
struct Open {
    is_map: bool,
    /// What was said about its length, and where.
    announced: usize,
    digits: Range<usize>,
    count: usize,
}

impl<'o> Writer<'o> {
    fn new(out: &'o mut Vec<u8>) -> Writer<'o> {
        Writer { out, open: Vec::new(), referable: 0, texts: HashMap::new(), special: None }
    }

    /// Counts an item of a list.
    fn begin(&mut self) {
        if let Some(open) = self.open.last_mut().filter(|open| !open.is_map) {
            open.count += 1;
        }
    }

    fn put(&mut self, tag: &str) -> Result {
        self.begin();
        self.out.extend(tag.as_bytes());
        Ok(())
    }

    fn put_int(&mut self, value: i64) -> Result {
        self.out.extend(match value {
            0..=9 => value.to_string().into_bytes(),
            _ if i32::try_from(value).is_ok() => format!("i{value};").into_bytes(),
            _ => format!("l{value};").into_bytes(),
        });
        Ok(())
    }

    /// Texts of one letter are shorter than a reference to them.
    fn put_text(&mut self, text: &str) {
        let mut letters = text.chars();
        match (letters.next(), letters.next()) {
            (None, _) => self.out.push(b'e'),
            (Some(letter), None) if letter.len_utf16() == 1 => {
                self.out.push(b'u');
                self.out.extend(text.as_bytes());
            }
            _ => match self.texts.entry(text.to_owned()) {
                Entry::Occupied(text) => self.out.extend(format!("r{};", text.get()).as_bytes()),
                Entry::Vacant(entry) => {
                    entry.insert(self.referable);
                    self.referable += 1;
                    put_string(text, self.out);
                }
            },
        }
    }

    fn double(&mut self, digits: String, number: f64) -> Result {
        match number {
            _ if number.is_nan() => self.put("N"),
            f64::INFINITY => self.put("I+"),
            f64::NEG_INFINITY => self.put("I-"),
            _ => self.put(&format!("d{digits};")),
        }
    }
}

impl Emit for Writer<'_> {
    fn null(&mut self) -> Result {
        self.put("n")
    }

    fn bool(&mut self, value: bool) -> Result {
        self.put(if value { "t" } else { "f" })
    }

    fn int(&mut self, value: i64, _: Width) -> Result {
        self.begin();
        self.put_int(value)
    }

    fn big_int(&mut self, value: u64) -> Result {
        self.put(&format!("l{value};"))
    }

    fn float(&mut self, value: f64) -> Result {
        self.double(format!("{value:?}"), value)
    }

    fn single(&mut self, value: f32) -> Result {
        self.double(format!("{value:?}"), value.into())
    }

    fn text(&mut self, value: &str) -> Result {
        self.begin();
        let special = match self.special.take() {
            None => {
                self.put_text(value);
                return Ok(());
            }
            Some(Special::DateTime) => date_time(value),
            Some(Special::Guid) => is_guid(value).then(|| format!("g{{{value}}}")),
        };
        let special = special.ok_or_else(|| {
            ValueError::Unfit(format!("{value:?} is no date, time or GUID as Hprose has them"))
        })?;
        self.referable += 1;
        self.out.extend(special.as_bytes());
        Ok(())
    }

    fn bytes(&mut self, value: &[u8]) -> Result {
        self.begin();
        self.referable += 1;
        self.out.extend(format!("b{}\"", count(value.len())).as_bytes());
        self.out.extend(value);
        self.out.push(b'"');
        Ok(())
    }

    fn newtype(&mut self, name: &'static str) {
        self.special = Special::of(name);
    }

    fn open(&mut self, shape: Shape, announced: Option<usize>) -> Result {
        self.begin();
        self.referable += 1;
        let is_map = matches!(shape, Shape::Map | Shape::Struct);
        self.out.push(if is_map { b'm' } else { b'a' });
        let (at, announced) = (self.out.len(), announced.unwrap_or(0));
        self.out.extend(count(announced).as_bytes());
        let digits = at..self.out.len();
        self.out.push(b'{');
        self.open.push(Open { is_map, announced, digits, count: 0 });
        Ok(())
    }

    fn key(&mut self, key: Key<'_>) -> Result {
        if let Some(open) = self.open.last_mut() {
            open.count += 1;
        }
        match key {
            Key::Text(text) => {
                self.put_text(&text);
                Ok(())
            }
            Key::Int(value, _) => self.put_int(value),
            Key::BigInt(value) => self.put(&format!("l{value};")),
            Key::Bool(value) => self.put(if value { "t" } else { "f" }),
            #[cfg(any(feature = "grpc", feature = "thrift"))]
            other => {
                self.put_text(&other.to_string());
                Ok(())
            }
        }
    }

    fn close(&mut self, _: Shape) -> Result {
        self.out.push(b'}');
        if let Some(open) = self.open.pop()
            && open.count != open.announced
        {
            self.out.splice(open.digits, count(open.count).into_bytes());
        }
        Ok(())
    }
}

/// A date or a time without the marks between its numbers.
fn date_time(text: &str) -> Option<String> {
    let (moment, zone) = text.strip_suffix('Z').map_or((text, ';'), |moment| (moment, 'Z'));
    let (date, time) = match moment.split_once('T') {
        Some((date, time)) => (date, time),
        None if moment.contains(':') => ("", moment),
        None => (moment, ""),
    };
    let (date, time) = (date.replace('-', ""), time.replace(':', ""));
    let (seconds, fraction) = time.split_once('.').unwrap_or((&time, "000"));
    let are_digits = [&*date, seconds, fraction].concat().bytes().all(|it| it.is_ascii_digit());
    let fits = matches!((date.len(), seconds.len(), time.len()), (8, 0, 0) | (0 | 8, 6, _));
    if !are_digits || !fits || !matches!(fraction.len(), 3 | 6 | 9) {
        return None;
    }
    let date = if date.is_empty() { date } else { format!("D{date}") };
    let time = if time.is_empty() { time } else { format!("T{time}") };
    Some(format!("{date}{time}{zone}"))
}

/// Whether these are 32 hexadecimal digits with hyphens where they belong.
pub(super) fn is_guid(text: &str) -> bool {
    let is_right = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_right)
}
