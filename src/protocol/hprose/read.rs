//! Messages, taken apart. What is inside arguments and results stays bytes.

use std::borrow::Cow;

use super::unpack::{Reader, Units};
use crate::protocol::native::ValueError;

type Result<T> = std::result::Result<T, ValueError>;

/// How deep values may nest, and how many bytes a message may have.
pub(super) type Limits = (usize, usize);

/// One call.
pub(super) struct Asked<'a> {
    pub(super) procedure: Cow<'a, str>,
    /// A list.
    pub(super) arguments: Reader<'a>,
}

/// What a server answers to one call.
pub(super) enum Reply<'a> {
    Result(Reader<'a>),
    Error(String),
}

/// How many calls a message may have, as in JSON-RPC: a server that stops executes them all.
const MOST_CALLS: usize = 1000;

/// The calls of a message; there is one at least.
pub(super) fn calls(bytes: &[u8], limits: Limits) -> Result<Vec<Asked<'_>>> {
    by_either_count(|units| {
        let mut message = Reader::new(bytes, 0, units, limits);
        let mut calls = Vec::new();
        message.expect(b'C')?;
        loop {
            let procedure = message.lone_text()?;
            let arguments = match message.peek() {
                Some(b'a') => {
                    let arguments = message.value()?;
                    if message.peek() == Some(b't') {
                        message.expect(b't')?;
                    }
                    arguments
                }
                _ => Reader::new(b"a{}", 0, units, limits),
            };
            calls.push(Asked { procedure, arguments });
            if calls.len() > MOST_CALLS {
                let why = format!("a message has at most {MOST_CALLS} calls");
                return Err(ValueError::Unfit(why));
            }
            if message.peek() != Some(b'C') {
                break;
            }
            message.expect(b'C')?;
        }
        message.end()?;
        Ok(calls)
    })
}

/// The reply to one call.
pub(super) fn reply(bytes: &[u8], limits: Limits) -> Result<Reply<'_>> {
    let reply = by_either_count(|units| {
        let mut message = Reader::new(bytes, 0, units, limits);
        let reply = match message.peek() {
            Some(b'E') => {
                message.expect(b'E')?;
                Reply::Error(message.lone_text()?.into_owned())
            }
            _ => {
                message.expect(b'R')?;
                let result = message.value()?;
                if message.peek() == Some(b'A') {
                    message.expect(b'A')?;
                    message.value()?;
                }
                Reply::Result(result)
            }
        };
        message.end()?;
        Ok(reply)
    });
    reply.or_else(|why| miscounted_error(bytes).map(Reply::Error).ok_or(why))
}

/// Every implementation counts one way, and nearly every message makes sense by one count only.
fn by_either_count<T>(read: impl Fn(Units) -> Result<T>) -> Result<T> {
    read(Units::Utf16).or_else(|why| read(Units::Characters).map_err(|_| why))
}

/// An error that is alone in its message needs no length. Python's own server packs the name of a
/// Python value, `b'...'`, and counts what is inside.
fn miscounted_error(bytes: &[u8]) -> Option<String> {
    let text = bytes.strip_prefix(b"Es")?.strip_suffix(b"\"z")?;
    let text = str::from_utf8(text).ok()?;
    let (length, text) = text.split_once('"')?;
    let length: usize = length.parse().ok()?;
    let inside = text.strip_prefix("b'").and_then(|text| text.strip_suffix('\''));
    let inside = inside.or(text.strip_prefix("b\"").and_then(|text| text.strip_suffix('"')));
    Some(inside.filter(|inside| inside.len() == length).unwrap_or(text).to_owned())
}
