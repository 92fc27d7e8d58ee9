//! JSON-RPC 2.0 (<https://www.jsonrpc.org/specification>), over HTTP or one message to a line.
//!
//! ```text
//! --> {"jsonrpc":"2.0","method":"add","params":[10,5],"id":1}
//! <-- {"jsonrpc":"2.0","result":15,"id":1}
//! ```
//!
//! - Arguments come by position or by name. A call without `id` is a notification, which is never
//!   answered; over HTTP the response is then empty.
//! - An id may be a text, a number or null, and comes back exactly as it was written.
//! - Several calls in a list are a batch, and their outcomes are a list too.
//! - On lines, a client passes over what is no response to a call of its own: empty lines, calls
//!   and notifications by the server, unknown ids.
//! - An integer beyond 64 bits is refused where an integer is meant; where any value is, it is read
//!   as a number with a fraction, as JavaScript does. Bytes are lists of numbers. There is no NaN.

pub mod explain;
mod read;
mod write;

use std::borrow::Cow;
use std::mem;
use std::ops::Range;

use self::read::{Asked, Invalid, Response, Valid};
use super::http::{Http, Version};
use super::{
    Answer, AnyFinder, Arrived, Calls, Finder, Framing, Message, Protocol, Request, Side, Transport,
};
use crate::error::ProtocolError;
use crate::message::{Call, Fault, Outcome, Outgoing, Packed};
use crate::protocol::native::ValueError;

/// JSON-RPC 2.0 with its limits.
///
/// ```
/// use ninestep::{Procedures, Server, protocol::json_rpc::JsonRpc};
///
/// let procedures = Procedures::new().on_named("subtract", &["a", "b"], |a: i64, b: i64| a - b);
/// let server = Server::new(procedures).protocol(JsonRpc::over_http().path("/rpc"));
/// ```
#[derive(Clone, Debug)]
pub struct JsonRpc {
    http: Http,
    /// Whether messages are lines of a stream instead.
    lines: bool,
    max_depth: usize,
    max_batch: usize,
}

impl Default for JsonRpc {
    fn default() -> JsonRpc {
        JsonRpc::over_http()
    }
}

impl JsonRpc {
    /// Room for a message of the usual length, in bytes; it saves finding that room step by step.
    const USUAL: usize = 128;

    /// Over HTTP/1.1, at every path.
    pub fn over_http() -> JsonRpc {
        let http = Http {
            version: Version::Http1,
            content_type: "application/json",
            also_taken: &["application/json-rpc", "application/jsonrequest"],
            paths: Cow::Borrowed(&[]),
            get: None,
            max_message: 4 << 20,
        };
        JsonRpc { http, lines: false, max_depth: 64, max_batch: 1000 }
    }

    /// Over a bare connection, one message to a line.
    pub fn over_tcp() -> JsonRpc {
        JsonRpc { lines: true, ..JsonRpc::over_http() }
    }

    /// Serves this path and no other; a client posts to it.
    pub fn path(mut self, path: impl Into<String>) -> JsonRpc {
        self.http.paths = Cow::Owned(vec![path.into().into()]);
        self
    }

    /// The bytes that one message may have: 4 MiB unless told otherwise.
    pub fn max_message(mut self, bytes: usize) -> JsonRpc {
        self.http.max_message = bytes;
        self
    }

    /// How deep lists and maps may nest in arguments and results: 64 unless told otherwise.
    pub fn max_depth(self, depth: usize) -> JsonRpc {
        // serde_json itself gives up at 128.
        JsonRpc { max_depth: depth.min(127), ..self }
    }

    /// How many calls a batch may have: 1,000 unless told otherwise.
    pub fn max_batch(self, calls: usize) -> JsonRpc {
        JsonRpc { max_batch: calls, ..self }
    }

    /// Answers one call of the message whose answer began at `begun`.
    fn answer_call(
        &self,
        asked: Result<Valid<'_>, Invalid<'_>>,
        begun: usize,
        calls: &mut dyn Calls,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        let limit = self.http.max_message;
        let mut reply = |id: Option<&str>, outcome: Outcome<'_>| {
            out.truncate(start);
            let Some(id) = id else { return Ok(()) };
            let why = match write::outcome(outcome, id, self.max_depth, out) {
                Ok(()) if out.len() - begun <= limit => return Ok(()),
                Ok(()) => format!("a message has at most {limit} bytes"),
                Err(why) => why.to_string(),
            };
            out.truncate(start);
            Err(Fault::new(Fault::INTERNAL, format!("the result cannot be packed: {why}")))
        };
        let Valid { id, procedure, params } = match asked {
            Ok(call) => call,
            Err((id, fault)) => {
                // A fault of a few words can always be packed.
                let _ = reply(Some(id), Err(fault));
                return;
            }
        };
        if let Err(why) = read::check(params, self.max_depth) {
            let _ = reply(id, Err(Fault::new(Fault::WRONG_ARGUMENTS, why)));
            return;
        }
        let mut params = serde_json::Deserializer::from_str(params);
        let call = Call {
            id: id.and_then(|id| id.parse().ok()).unwrap_or(0),
            procedure: procedure.as_bytes(),
            arguments: Packed::Json(&mut params),
            patience_ms: None,
        };
        calls.call(call, &mut |outcome| {
            reply(
                id,
                outcome.map_err(|fault| match fault.code {
                    Fault::NO_SUCH_PROCEDURE => {
                        Fault { message: "Method not found".into(), ..fault }
                    }
                    _ => fault,
                }),
            )
        });
    }

    /// The outcome that a response holds.
    fn deliver(
        &self,
        response: Response<'_>,
        message: Message<'_>,
        deliver: &mut dyn FnMut(Arrived<'_, '_>),
    ) -> Result<(), ProtocolError> {
        let malformed = |why| ProtocolError::Malformed(ValueError::Unfit(why));
        if !response.is_version_2() {
            return Err(malformed("a response without \"jsonrpc\": \"2.0\"".to_owned()));
        }
        // Over HTTP every response is to a call; on a connection there may be other news.
        if self.lines && response.is_nobodys() {
            log::debug!("a message came for which nobody waits");
            return Ok(());
        }
        let id = response.number();
        // Who could not read the call does not know its id.
        let id = id.or(message.head.map(|head| head.call).filter(|call| *call != 0));
        if let Some(error) = response.error {
            let fault = error.fault(self.max_depth).map_err(malformed)?;
            deliver(match id {
                Some(id) => Arrived::Outcome { id, outcome: Err(fault) },
                None => Arrived::Refused(fault),
            });
            return Ok(());
        }
        let (Some(result), Some(id)) = (response.result, id) else {
            return Err(malformed("a response without result or id".to_owned()));
        };
        self.deliver_result(result.get(), id, deliver)
    }

    fn deliver_result(
        &self,
        result: &str,
        id: u32,
        deliver: &mut dyn FnMut(Arrived<'_, '_>),
    ) -> Result<(), ProtocolError> {
        let malformed = |why| ProtocolError::Malformed(ValueError::Unfit(why));
        read::check(result, self.max_depth).map_err(malformed)?;
        let mut result = serde_json::Deserializer::from_str(result);
        deliver(Arrived::Outcome { id, outcome: Ok(Packed::Json(&mut result)) });
        Ok(())
    }
}

impl Protocol for JsonRpc {
    fn transport(&self) -> Transport<'_> {
        match self.lines {
            true => Transport::Stream(self),
            false => Transport::Http(&self.http),
        }
    }

    fn answer(
        &self,
        message: Message<'_>,
        calls: &mut dyn Calls,
        answer: &mut Answer,
    ) -> Result<(), ProtocolError> {
        let out = &mut answer.bytes;
        out.reserve(JsonRpc::USUAL);
        let begun = out.len();
        match Asked::read(message.bytes, self.max_batch) {
            Ok(Asked::Call(call)) => self.answer_call(call, begun, calls, out),
            Err(fault) => self.answer_call(Err(("null", fault)), begun, calls, out),
            Ok(Asked::Batch(batch)) => {
                for call in batch {
                    let comma = out.len();
                    out.push(if comma == begun { b'[' } else { b',' });
                    self.answer_call(read::call(call), begun, calls, out);
                    if out.len() == comma + 1 {
                        out.truncate(comma);
                    }
                }
                if out.len() > begun {
                    out.push(b']');
                }
            }
        }
        if self.lines && out.len() > begun {
            out.push(b'\n');
        }
        Ok(())
    }

    fn pack(&self, call: &Outgoing<'_>, request: &mut Request) -> Result<(), String> {
        let out = &mut request.bytes;
        out.reserve(JsonRpc::USUAL);
        let start = out.len();
        let limit = self.http.max_message;
        let why = match self.write_call(call, out) {
            Ok(()) if out.len() - start <= limit => return Ok(()),
            Ok(()) => format!("a message has at most {limit} bytes"),
            Err(why) => why.to_string(),
        };
        out.truncate(start);
        Err(why)
    }

    fn join(&self, calls: &[Request]) -> Option<Request> {
        let calls: Vec<&[u8]> = calls.iter().map(|call| &*call.bytes).collect();
        Some(Request { bytes: [b"[", &*calls.join(&b','), b"]"].concat(), ..Request::default() })
    }

    fn unpack(
        &self,
        message: Message<'_>,
        deliver: &mut dyn FnMut(Arrived<'_, '_>),
    ) -> Result<(), ProtocolError> {
        let broken =
            |why: serde_json::Error| ProtocolError::Malformed(ValueError::Unfit(why.to_string()));
        let text = str::from_utf8(message.bytes);
        if let Some((result, id)) = text.ok().and_then(read::usual_response) {
            return self.deliver_result(result, id, deliver);
        }
        match text {
            Ok(text) if self.lines && text.trim_ascii().is_empty() => Ok(()),
            Ok(text) if text.trim_start().starts_with('[') => {
                let responses: Vec<Response<'_>> = serde_json::from_str(text).map_err(broken)?;
                responses.into_iter().try_for_each(|it| self.deliver(it, message, deliver))
            }
            Ok(text) => self.deliver(serde_json::from_str(text).map_err(broken)?, message, deliver),
            Err(_) => Err(ProtocolError::Malformed(ValueError::NotUtf8)),
        }
    }
}

impl JsonRpc {
    fn write_call(&self, call: &Outgoing<'_>, out: &mut Vec<u8>) -> Result<(), ValueError> {
        out.extend(br#"{"jsonrpc":"2.0","method":"#);
        write::plain(call.procedure, out)?;
        let before = out.len();
        out.extend(br#","params":"#);
        let params_at = out.len();
        write::value(call.arguments, self.max_depth, out)?;
        match &out[params_at..] {
            [b'[' | b'{', ..] => {}
            // Rust's empty tuple is nothing; a call without arguments has no member for them.
            b"null" => out.truncate(before),
            _ => {
                let why = "arguments are a tuple, a sequence, a struct or a map";
                return Err(ValueError::Unfit(why.to_owned()));
            }
        }
        if let Some(id) = call.id {
            out.extend(br#","id":"#);
            write::plain(&id, out)?;
        }
        out.push(b'}');
        if self.lines {
            out.push(b'\n');
        }
        Ok(())
    }
}

impl Framing for JsonRpc {
    fn finder(&self, _: Side) -> AnyFinder {
        AnyFinder::other(LineFinder { searched: 0, limit: self.http.max_message })
    }

    fn last_words(&self, fault: &Fault, out: &mut Vec<u8>) {
        let start = out.len();
        match write::outcome(Err(fault.clone()), "null", self.max_depth, out) {
            Ok(()) => out.push(b'\n'),
            Err(_) => out.truncate(start),
        }
    }
}

/// Finds lines. It remembers how many bytes it has searched in vain.
struct LineFinder {
    searched: usize,
    limit: usize,
}

impl Finder for LineFinder {
    fn find(&mut self, buffered: &[u8]) -> Result<Option<Range<usize>>, ProtocolError> {
        let searched = mem::replace(&mut self.searched, buffered.len());
        let found = buffered[searched..].iter().position(|byte| *byte == b'\n');
        let length = found.map_or(buffered.len(), |at| searched + at);
        if length > self.limit {
            return Err(ProtocolError::TooLong { length: length as u64, limit: self.limit });
        }
        Ok(found.map(|_| {
            self.searched = 0;
            0..length + 1
        }))
    }
}
