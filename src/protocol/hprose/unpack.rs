//! Bytes to values.
//!
//! Bytes are read twice: once to see that they make sense, and where everything stands that can be
//! referred to; and once for the values. Only then references are followed.

use std::borrow::Cow;
use std::collections::HashSet;
use std::mem;

use super::pack::is_guid;
use super::read::Limits;
use crate::protocol::emit::Width;
use crate::protocol::key::Key;
use crate::protocol::native::ValueError;
use crate::protocol::pull::{self, Event, Hint, Pull};

type Result<T = ()> = std::result::Result<T, ValueError>;

/// What a text's length counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Units {
    /// A character beyond the first 65,536 is two.
    Utf16,
    Characters,
}

/// Reads a message, or a value in it.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    units: Units,
    limits: Limits,
    /// Whether this is the first time.
    first: bool,
    referable: Vec<Referable>,
    /// The names of each class's fields.
    classes: Vec<Vec<Cow<'a, str>>>,
    levels: Vec<Level>,
    /// How many bytes more there would be without references.
    saved: usize,
}

/// What can be referred to.
#[derive(Clone, Copy)]
struct Referable {
    at: usize,
    /// Its bytes if there were no references; nothing while it is open.
    length: Option<usize>,
}

/// A container that is open.
struct Level {
    /// How many items or entries are left.
    left: usize,
    /// An object's class.
    class: Option<usize>,
    /// Which of the referable values it is, and what was saved when it began.
    index: usize,
    saved: usize,
    /// Where to go on behind it, if a reference led here.
    back: Option<usize>,
}

fn unfit(why: impl Into<String>) -> ValueError {
    ValueError::Unfit(why.into())
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize, units: Units, limits: Limits) -> Reader<'a> {
        Reader {
            bytes,
            at,
            units,
            limits,
            first: true,
            referable: Vec::new(),
            classes: Vec::new(),
            levels: Vec::new(),
            saved: 0,
        }
    }

    /// Where the next byte is.
    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// The next byte, which stays.
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn expect(&mut self, byte: u8) -> Result {
        match self.take()? {
            taken if taken == byte => Ok(()),
            other => Err(unfit(format!(
                "expected {:?} at byte {}, not {:?}",
                char::from(byte),
                self.at - 1,
                char::from(other)
            ))),
        }
    }

    /// A text that has nothing to do with the values around it: a procedure's name, or an error.
    pub(super) fn lone_text(&mut self) -> Result<Cow<'a, str>> {
        match self.take()? {
            b's' => Ok(self.counted_text()?.into()),
            b'u' => Ok(self.letter()?.into()),
            b'e' => Ok("".into()),
            other => Err(ValueError::UnknownTag(other)),
        }
    }

    /// Reads a value for the first time, and returns what reads it again.
    pub(super) fn value(&mut self) -> Result<Reader<'a>> {
        let mut value = Reader::new(self.bytes, self.at, self.units, self.limits);
        pull::skip(&mut value, self.limits.0)?;
        let start = mem::replace(&mut self.at, value.at);
        Ok(Reader { at: start, first: false, ..value })
    }

    /// The end of the message, behind which there is nothing.
    pub(super) fn end(&mut self) -> Result {
        self.expect(b'z')?;
        match self.bytes.len() - self.at {
            0 => Ok(()),
            more => Err(ValueError::TrailingBytes(more)),
        }
    }

    fn take(&mut self) -> Result<u8> {
        let byte = self.peek().ok_or(ValueError::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    fn take_bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..count).ok_or(ValueError::Truncated)?;
        self.at += count;
        Ok(taken)
    }

    fn take_digits(&mut self, count: usize) -> Result<&'a str> {
        let digits = self.take_bytes(count)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(unfit("a date or a time is made of digits"));
        }
        str::from_utf8(digits).map_err(|_| ValueError::NotUtf8)
    }

    /// Everything up to this byte, and the byte too.
    fn take_until(&mut self, end: u8) -> Result<&'a str> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| *byte == end).ok_or(ValueError::Truncated)?;
        self.at += length + 1;
        str::from_utf8(&rest[..length]).map_err(|_| ValueError::NotUtf8)
    }

    fn number<T: std::str::FromStr>(&mut self, what: &str) -> Result<T> {
        let digits = self.take_until(b';')?;
        digits.parse().map_err(|_| unfit(format!("{digits:?} is no {what}")))
    }

    /// A length or a count; 0 may be left out.
    fn count(&mut self, end: u8) -> Result<usize> {
        match self.take_until(end)? {
            "" => Ok(0),
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| ValueError::Truncated)
            }
            other => Err(unfit(format!("{other:?} is no length"))),
        }
    }

    /// One letter, in as many bytes as it says.
    fn letter(&mut self) -> Result<&'a str> {
        let length = length_of_letter(self.peek().ok_or(ValueError::Truncated)?)?;
        str::from_utf8(self.take_bytes(length)?).map_err(|_| ValueError::NotUtf8)
    }

    /// A text behind its tag.
    fn counted_text(&mut self) -> Result<&'a str> {
        let mut left = self.count(b'"')?;
        let rest = &self.bytes[self.at..];
        let mut length = 0;
        while left > 0 {
            let letter = length_of_letter(*rest.get(length).ok_or(ValueError::Truncated)?)?;
            let units = if letter == 4 && self.units == Units::Utf16 { 2 } else { 1 };
            left = left.checked_sub(units).ok_or_else(|| unfit("a text ends inside a letter"))?;
            length += letter;
        }
        let text = str::from_utf8(self.take_bytes(length)?).map_err(|_| ValueError::NotUtf8)?;
        self.expect(b'"')?;
        Ok(text)
    }

    /// A date or a time, with marks between its numbers.
    fn date_time(&mut self, tag: u8) -> Result<String> {
        let mut text = String::new();
        let mut next = tag;
        if tag == b'D' {
            let (year, month) = (self.take_digits(4)?, self.take_digits(2)?);
            text = format!("{year}-{month}-{}", self.take_digits(2)?);
            next = self.take()?;
        }
        if next == b'T' {
            let separator = if text.is_empty() { "" } else { "T" };
            let (hour, minute) = (self.take_digits(2)?, self.take_digits(2)?);
            text.push_str(&format!("{separator}{hour}:{minute}:{}", self.take_digits(2)?));
            next = self.take()?;
        }
        if next == b'.' && text.contains(':') {
            text.push('.');
            for _ in 0..3 {
                text.push_str(self.take_digits(3)?);
                if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                    break;
                }
            }
            next = self.take()?;
        }
        match next {
            b';' => Ok(text),
            b'Z' => Ok(text + "Z"),
            other => Err(unfit(format!("a date or a time ends with {:?}", char::from(other)))),
        }
    }

    fn guid(&mut self) -> Result<&'a str> {
        self.expect(b'{')?;
        match str::from_utf8(self.take_bytes(36)?) {
            Ok(guid) if is_guid(guid) => {
                self.expect(b'}')?;
                Ok(guid)
            }
            _ => Err(unfit("a GUID is 32 hexadecimal digits with hyphens")),
        }
    }

    /// A class behind its tag.
    fn class(&mut self) -> Result {
        self.counted_text()?;
        let (mut fields, mut seen) = (Vec::new(), HashSet::new());
        for _ in 0..self.count(b'{')? {
            match self.key_behind_tag()? {
                Key::Text(name) if seen.insert(name.clone()) => fields.push(name),
                Key::Text(name) => return Err(unfit(format!("{name:?} is given twice"))),
                _ => return Err(ValueError::KeyNotText),
            }
        }
        if self.first {
            self.classes.push(fields);
        }
        self.expect(b'}')
    }

    /// Remembers what began at this place and is over.
    fn refer_to(&mut self, start: usize) {
        if self.first {
            self.referable.push(Referable { at: start, length: Some(self.at - start) });
        }
    }

    /// Where a reference leads to, behind its tag.
    fn reference(&mut self) -> Result<usize> {
        let index: usize = self.number("reference")?;
        let referable = self.referable.get(index);
        let referable =
            referable.ok_or_else(|| unfit(format!("nothing has the reference {index}")))?;
        let length = referable.length.ok_or_else(|| unfit("a value contains itself"))?;
        let at = referable.at;
        self.save(length)?;
        Ok(at)
    }

    /// Counts bytes that a reference saves, or a class whose fields' names stand in the message once.
    fn save(&mut self, length: usize) -> Result {
        if self.first {
            self.saved = self.saved.saturating_add(length);
            if self.saved.saturating_add(self.bytes.len()) > self.limits.1 {
                let limit = self.limits.1;
                return Err(unfit(format!("without references a message has over {limit} bytes")));
            }
        }
        Ok(())
    }

    fn open(&mut self, start: usize, left: usize, class: Option<usize>) {
        let index = self.referable.len();
        if self.first {
            self.referable.push(Referable { at: start, length: None });
        }
        self.levels.push(Level { left, class, index, saved: self.saved, back: None });
    }

    /// Ends the container that was opened last.
    fn close(&mut self) -> Result {
        self.expect(b'}')?;
        let Some(level) = self.levels.pop() else { return Ok(()) };
        if let Some(referable) = self.referable.get_mut(level.index).filter(|_| self.first) {
            referable.length = Some(self.at - referable.at + self.saved - level.saved);
        }
        self.at = level.back.unwrap_or(self.at);
        Ok(())
    }

    /// Reads something else, and goes on here.
    fn elsewhere<T>(&mut self, at: usize, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let (back, first) = (mem::replace(&mut self.at, at), self.first);
        self.first = false;
        let it = read(self);
        (self.at, self.first) = (back, first);
        it
    }

    /// A key, or a class's field, with its tag.
    fn key_behind_tag(&mut self) -> Result<Key<'a>> {
        let start = self.at;
        Ok(match self.take()? {
            b'u' => Key::Text(self.letter()?.into()),
            b'e' => Key::Text("".into()),
            b's' => {
                let text = self.counted_text()?;
                self.refer_to(start);
                Key::Text(text.into())
            }
            b'r' => {
                let at = self.reference()?;
                match self.bytes.get(at) {
                    Some(b's') => self.elsewhere(at, Reader::key_behind_tag)?,
                    _ => return Err(ValueError::KeyNotText),
                }
            }
            b't' => Key::Bool(true),
            b'f' => Key::Bool(false),
            tag => match self.integer(tag)? {
                Some(value) => int_key(value)?,
                None => return Err(ValueError::KeyNotText),
            },
        })
    }

    /// An integer, if the tag is one's.
    fn integer(&mut self, tag: u8) -> Result<Option<i128>> {
        Ok(Some(match tag {
            b'0'..=b'9' => i128::from(tag - b'0'),
            b'i' => self.number::<i32>("integer of 32 bits")?.into(),
            b'l' => self.number("integer")?,
            _ => return Ok(None),
        }))
    }

    /// The next value, or the beginning of a container.
    fn event(&mut self) -> Result<Event<'a>> {
        let start = self.at;
        let tag = self.take()?;
        if let Some(value) = self.integer(tag)? {
            return Ok(Event::Int(value));
        }
        Ok(match tag {
            b'd' => match self.number::<f64>("number")? {
                number if number.is_finite() => Event::Float(number),
                number => return Err(unfit(format!("{number} is out of range"))),
            },
            b'N' => Event::Float(f64::NAN),
            b'I' => match self.take()? {
                b'+' => Event::Float(f64::INFINITY),
                b'-' => Event::Float(f64::NEG_INFINITY),
                other => return Err(ValueError::UnknownTag(other)),
            },
            b't' => Event::Bool(true),
            b'f' => Event::Bool(false),
            b'n' => Event::Null,
            b'e' => Event::Text("".into()),
            b'u' => Event::Text(self.letter()?.into()),
            b's' => {
                let text = self.counted_text()?;
                self.refer_to(start);
                Event::Text(text.into())
            }
            b'b' => {
                let length = self.count(b'"')?;
                let bytes = self.take_bytes(length)?;
                self.expect(b'"')?;
                self.refer_to(start);
                Event::Bytes(bytes.into())
            }
            b'D' | b'T' => {
                let text = self.date_time(tag)?;
                self.refer_to(start);
                Event::Text(text.into())
            }
            b'g' => {
                let guid = self.guid()?;
                self.refer_to(start);
                Event::Text(guid.into())
            }
            b'a' => {
                let left = self.count(b'{')?;
                self.open(start, left, None);
                Event::List
            }
            b'm' => {
                let left = self.count(b'{')?;
                self.open(start, left, None);
                Event::Map
            }
            b'c' => {
                self.class()?;
                match self.peek() {
                    Some(b'o') => return self.event(),
                    _ => return Err(unfit("a class is followed by an object")),
                }
            }
            b'o' => {
                let class = self.count(b'{')?;
                let fields = self.classes.get(class);
                let fields = fields.ok_or_else(|| unfit(format!("there is no class {class}")))?;
                let (left, names) = (fields.len(), fields.iter().map(|name| name.len()).sum());
                self.open(start, left, Some(class));
                self.save(names)?;
                Event::Map
            }
            b'r' => {
                let at = self.reference()?;
                if self.first {
                    return Ok(Event::Null);
                }
                let back = mem::replace(&mut self.at, at);
                let event = self.event()?;
                match (&event, self.levels.last_mut()) {
                    (Event::List | Event::Map, Some(level)) => level.back = Some(back),
                    _ => self.at = back,
                }
                event
            }
            other => return Err(ValueError::UnknownTag(other)),
        })
    }
}

fn int_key(value: i128) -> Result<Key<'static>> {
    match (i64::try_from(value), u64::try_from(value)) {
        (Ok(value), _) => Ok(Key::Int(value, Width::I64)),
        (_, Ok(value)) => Ok(Key::BigInt(value)),
        _ => Err(ValueError::TooBig),
    }
}

/// How many bytes a letter has in UTF-8, by its first.
fn length_of_letter(first: u8) -> Result<usize> {
    match first {
        0..0x80 => Ok(1),
        0xc2..0xe0 => Ok(2),
        0xe0..0xf0 => Ok(3),
        0xf0..0xf5 => Ok(4),
        _ => Err(ValueError::NotUtf8),
    }
}

/// The integer that JavaScript's hprose means, which writes every whole number beyond 32 bits as a
/// double; up to 2^53 each has one of its own.
fn whole(number: f64) -> Option<i128> {
    (number.fract() == 0.0 && number.abs() <= 2_f64.powi(53)).then_some(number as i128)
}

impl<'a> Pull<'a> for Reader<'a> {
    fn next(&mut self, hint: Hint) -> Result<Event<'a>> {
        Ok(match (self.event()?, hint) {
            (Event::Float(number), Hint::Int(_) | Hint::Unsigned(_)) => {
                whole(number).map_or(Event::Float(number), Event::Int)
            }
            // What is empty may be a text or bytes.
            (Event::Text(text), Hint::Bytes | Hint::List) if text.is_empty() => {
                Event::Bytes((&[]).into())
            }
            (event, _) => event,
        })
    }

    fn take_null(&mut self) -> Result<bool> {
        let is_null = self.peek() == Some(b'n');
        self.at += usize::from(is_null);
        Ok(is_null)
    }

    fn item(&mut self) -> Result<bool> {
        match self.levels.last_mut() {
            Some(level) if level.left > 0 => {
                level.left -= 1;
                Ok(true)
            }
            _ => self.close().map(|()| false),
        }
    }

    fn key(&mut self) -> Result<Option<Key<'a>>> {
        let Some(level) = self.levels.last_mut().filter(|level| level.left > 0) else {
            return self.close().map(|()| None);
        };
        level.left -= 1;
        let Some(class) = level.class else { return self.key_behind_tag().map(Some) };
        let fields = &self.classes[class];
        Ok(Some(Key::Text(fields[fields.len() - 1 - level.left].clone())))
    }

    fn skip(&mut self, depth: usize) -> Result {
        pull::skip(self, depth)
    }
}
