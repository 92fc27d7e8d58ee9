//! Hprose 2.0 (<https://github.com/hprose/hprose/blob/master/1.0-2.0/spec.mediawiki>), over HTTP.
//!
//! ```text
//! --> Cs5"sayHi"a1{s3"Ada"}z
//! <-- Rs8"Hi, Ada!"z
//! ```
//!
//! A message is made of pieces, each of which begins with a letter, and ends with `z`:
//!
//! | letter | piece |
//! |---|---|
//! | `C` | a call: the procedure's name and, if there are any, the list of arguments; `t` after it asks for the arguments back, which nobody here changes |
//! | `R` | its result; `A` after it is such arguments |
//! | `E` | its error: a text. It has no code, so that every fault comes as an internal one |
//! | `F` | the list of all names: the answer to a `z` alone, or to a GET |
//!
//! Several calls in one message are answered in one. Names are found in capital letters, too.
//!
//! # Values
//!
//! | tag | value | in Rust |
//! |---|---|---|
//! | `0` to `9` | these numbers | integer |
//! | `i10;` `l-3000000000;` | an integer of 32 bits; of any size | integer |
//! | `d2.5;` `N` `I+` `I-` | a number with a fraction; not one; infinite | `f32`, `f64`; a whole one up to 2^53 is an integer where that is wanted |
//! | `t` `f` `n` | true, false, nothing | `bool`, `None` and `()` |
//! | `e` `ux` `s2"ab"` | a text of no letter, one, more | text; where bytes or a list are wanted, `e` is an empty one |
//! | `b2".."` | bytes | bytes |
//! | `D20121221T151435.123Z` | a date, a time (`T`) or both; without `Z` it is local | [`DateTime`](super::DateTime), or text |
//! | `g{AFA7...}` | a GUID | [`Guid`](super::Guid), or text |
//! | `a2{12}` | a list of two | `Vec`, tuple, array, set |
//! | `m1{ux1}` | a map of one entry | map, struct, enum's variant with content |
//! | `c1"P"2{uxuy}` `o0{12}` | a class with its fields; an object of class 0 | as a map, only read |
//! | `r3;` | the same value as an earlier one, counted from 0 | what that is |
//!
//! Texts, bytes, dates, GUIDs, lists, maps, objects and the names of a class's fields can be
//! referred to, each call and each result for itself. Here a text that was written before is
//! written as such a reference. A value that contains itself is refused, and so are references
//! that make a message longer than allowed when they are followed.
//!
//! A text's length is counted in units of UTF-16. Python's implementation counts characters: a
//! message that makes no sense by the first count is read by the second.

pub mod explain;
mod pack;
mod read;
mod unpack;

use std::borrow::Cow;

use self::read::{Asked, Reply};
use super::http::{Http, Version};
use super::pull::Puller;
use super::{
    Answer, Arrived, Call, Calls, Message, Outgoing, Packed, Protocol, Request, Transport,
};
use crate::error::ProtocolError;
use crate::message::Fault;
use crate::procedure::Procedures;

/// Hprose 2.0 with its limits.
///
/// ```
/// use ninestep::{Procedures, Server, protocol::hprose::Hprose};
///
/// let procedures = Procedures::new().on("add", |a: i64, b: i64| a + b);
/// let server = Server::new(procedures).protocol(Hprose::default());
/// ```
#[derive(Clone, Debug)]
pub struct Hprose {
    http: Http,
    max_depth: usize,
}

/// At every path.
impl Default for Hprose {
    fn default() -> Hprose {
        let http = Http {
            version: Version::Http1,
            content_type: "application/hprose",
            also_taken: &["*/*"],
            paths: Cow::Borrowed(&[]),
            get: Some(b"z"),
            max_message: 4 << 20,
        };
        Hprose { http, max_depth: 64 }
    }
}

impl Hprose {
    /// Serves this path and no other; a client posts to it.
    pub fn path(mut self, path: impl Into<String>) -> Hprose {
        self.http.paths = Cow::Owned(vec![path.into().into()]);
        self
    }

    /// The bytes that one message may have: 4 MiB unless told otherwise.
    pub fn max_message(mut self, bytes: usize) -> Hprose {
        self.http.max_message = bytes;
        self
    }

    /// How deep lists and maps may nest in arguments and results: 64 unless told otherwise.
    pub fn max_depth(self, depth: usize) -> Hprose {
        Hprose { max_depth: depth, ..self }
    }

    /// Answers one call of the message whose answer began at `begun`.
    fn answer_call(
        &self,
        asked: Asked<'_>,
        begun: usize,
        calls: &mut dyn Calls,
        out: &mut Vec<u8>,
    ) {
        let (start, limit) = (out.len(), self.http.max_message);
        let procedure = spelled(calls.procedures(), asked.procedure);
        let mut arguments = asked.arguments;
        let arguments = Packed::Events(Puller::new(&mut arguments, self.max_depth));
        let call = Call { id: 0, procedure: procedure.as_bytes(), arguments, patience_ms: None };
        calls.call(call, &mut |outcome| {
            out.truncate(start);
            let why = match pack::outcome(outcome, self.max_depth, out) {
                // The message has its end still before it.
                Ok(()) if out.len() - begun < limit => return Ok(()),
                Ok(()) => format!("a message has at most {limit} bytes"),
                Err(why) => why.to_string(),
            };
            out.truncate(start);
            Err(Fault::new(Fault::INTERNAL, format!("the result cannot be packed: {why}")))
        });
    }
}

/// A procedure's name as it was registered.
fn spelled<'a>(procedures: &Procedures, name: Cow<'a, str>) -> Cow<'a, str> {
    if procedures.signature(&name).is_some() {
        return name;
    }
    let lower = name.to_lowercase();
    let registered = procedures.names().find(|registered| registered.to_lowercase() == lower);
    registered.map_or(name, |registered| registered.to_owned().into())
}

impl Protocol for Hprose {
    fn transport(&self) -> Transport<'_> {
        Transport::Http(&self.http)
    }

    fn answer(
        &self,
        message: Message<'_>,
        calls: &mut dyn Calls,
        answer: &mut Answer,
    ) -> Result<(), ProtocolError> {
        let (out, limits) = (&mut answer.bytes, (self.max_depth, self.http.max_message));
        let begun = out.len();
        if message.bytes == b"z" {
            pack::names(calls.procedures().names(), out);
        } else {
            match read::calls(message.bytes, limits) {
                Ok(asked) => {
                    asked.into_iter().for_each(|asked| self.answer_call(asked, begun, calls, out));
                }
                Err(why) => pack::error(&why.to_string(), out),
            }
        }
        out.push(b'z');
        Ok(())
    }

    fn pack(&self, call: &Outgoing<'_>, request: &mut Request) -> Result<(), String> {
        let (out, limit) = (&mut request.bytes, self.http.max_message);
        let start = out.len();
        let why = match pack::call(call.procedure, call.arguments, self.max_depth, out) {
            Ok(()) if out.len() - start <= limit => return Ok(()),
            Ok(()) => format!("a message has at most {limit} bytes"),
            Err(why) => why.to_string(),
        };
        out.truncate(start);
        Err(why)
    }

    fn unpack(
        &self,
        message: Message<'_>,
        deliver: &mut dyn FnMut(Arrived<'_, '_>),
    ) -> Result<(), ProtocolError> {
        let id = message.head.map_or(0, |head| head.call);
        let limits = (self.max_depth, self.http.max_message);
        match read::reply(message.bytes, limits).map_err(ProtocolError::Malformed)? {
            Reply::Result(mut result) => {
                let result = Packed::Events(Puller::new(&mut result, self.max_depth));
                deliver(Arrived::Outcome { id, outcome: Ok(result) });
            }
            Reply::Error(message) => {
                let fault = Fault::new(Fault::INTERNAL, message);
                deliver(Arrived::Outcome { id, outcome: Err(fault) });
            }
        }
        Ok(())
    }
}
