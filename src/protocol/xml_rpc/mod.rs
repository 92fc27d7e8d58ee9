//! XML-RPC (<http://xmlrpc.com/spec.md>), over HTTP.
//!
//! ```text
//! --> <methodCall><methodName>add</methodName><params>
//!     <param><value><int>10</int></value></param><param><value><int>5</int></value></param>
//!     </params></methodCall>
//! <-- <methodResponse><params><param><value><int>15</int></value></param></params></methodResponse>
//! ```
//!
//! - Arguments come by position; there are no names for them, and no notifications: a client that
//!   notifies does not look at the answer.
//! - The line breaks are where Python's `xmlrpc.client` has them. A reader passes over them.
//! - A document is in UTF-8, or as its declaration says in ASCII or Latin-1 (`us-ascii`, `ascii`,
//!   `iso-8859-1`, `latin1`); another encoding is refused. What is written is in UTF-8.
//! - A document type or an entity is refused: a document of one kilobyte that becomes gigabytes
//!   is made of them.
//!
//! # What becomes of a Rust type
//!
//! | Rust | XML-RPC |
//! |---|---|
//! | `bool` | `boolean` |
//! | integer | `int` if 32 bits hold it, or else `i8`, which is an extension; a `u64` above `i64::MAX` is refused; an `int` that is read may have 64 bits, too |
//! | `f32`, `f64` | `double`, without an exponent; what is not finite is refused |
//! | text, enum's variant without content | `string`; control characters, which XML does not have, are refused |
//! | bytes | `base64` |
//! | [`DateTime`](super::DateTime) | `dateTime.iso8601`; a `String` takes one as well |
//! | `Vec`, tuple, array, set | `array` |
//! | struct, map, variant with content | `struct` |
//! | `None`, `()` | `nil`, which is an extension |
//!
//! A fault is a code and a message; its data do not travel.

pub mod explain;
mod read;
mod write;

use std::borrow::Cow;

use self::read::Tape;
use super::http::{Http, Version};
use super::native::ValueError;
use super::pull::Puller;
use super::{
    Answer, Arrived, Call, Calls, Message, Outcome, Outgoing, Packed, Protocol, Request, Transport,
};
use crate::error::ProtocolError;
use crate::message::Fault;

/// The procedure that every server has, unless it registers its own of this name: the names of
/// all procedures.
const LIST_METHODS: &str = "system.listMethods";

/// XML-RPC with its limits.
///
/// ```
/// use ninestep::{Procedures, Server, protocol::xml_rpc::XmlRpc};
///
/// let procedures = Procedures::new().on("add", |a: i64, b: i64| a + b);
/// let server = Server::new(procedures).protocol(XmlRpc::default());
/// ```
#[derive(Clone, Debug)]
pub struct XmlRpc {
    http: Http,
    max_depth: usize,
}

/// At `/RPC2`, where a client posts to, and at `/`.
impl Default for XmlRpc {
    fn default() -> XmlRpc {
        let http = Http {
            version: Version::Http1,
            content_type: "text/xml",
            also_taken: &["application/xml"],
            paths: Cow::Borrowed(&[Cow::Borrowed("/RPC2"), Cow::Borrowed("/")]),
            get: None,
            max_message: 4 << 20,
        };
        XmlRpc { http, max_depth: 64 }
    }
}

impl XmlRpc {
    /// Serves this path and no other; a client posts to it.
    pub fn path(mut self, path: impl Into<String>) -> XmlRpc {
        self.http.paths = Cow::Owned(vec![path.into().into()]);
        self
    }

    /// The bytes that one message may have: 4 MiB unless told otherwise.
    pub fn max_message(mut self, bytes: usize) -> XmlRpc {
        self.http.max_message = bytes;
        self
    }

    /// How deep arrays and structs may nest in arguments and results: 64 unless told otherwise.
    pub fn max_depth(self, depth: usize) -> XmlRpc {
        XmlRpc { max_depth: depth, ..self }
    }

    /// Appends what `write` writes, and nothing if that fails or is too long.
    fn append(
        &self,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), ValueError>,
    ) -> Result<(), String> {
        let (start, limit) = (out.len(), self.http.max_message);
        let why = match write(out) {
            Ok(()) if out.len() - start <= limit => return Ok(()),
            Ok(()) => format!("a message has at most {limit} bytes"),
            Err(why) => why.to_string(),
        };
        out.truncate(start);
        Err(why)
    }
}

impl Protocol for XmlRpc {
    fn transport(&self) -> Transport<'_> {
        Transport::Http(&self.http)
    }

    fn answer(
        &self,
        message: Message<'_>,
        calls: &mut dyn Calls,
        answer: &mut Answer,
    ) -> Result<(), ProtocolError> {
        let out = &mut answer.bytes;
        let start = out.len();
        let mut reply = |outcome: Outcome<'_>| {
            out.truncate(start);
            self.append(out, |out| write::outcome(outcome, self.max_depth, out)).map_err(|why| {
                Fault::new(Fault::INTERNAL, format!("the result cannot be packed: {why}"))
            })
        };
        let text = read::text(message.bytes);
        let text = text.as_deref().map_err(Fault::clone);
        let call = match text.and_then(|text| read::call(text, self.max_depth)) {
            Ok(call) => call,
            Err(fault) => {
                // A fault of a few words can always be packed.
                let _ = reply(Err(fault));
                return Ok(());
            }
        };
        let procedures = calls.procedures();
        if call.procedure == LIST_METHODS && procedures.signature(LIST_METHODS).is_none() {
            let mut names: Vec<&str> = procedures.names().chain([LIST_METHODS]).collect();
            names.sort_unstable();
            let _ = reply(Ok(&names));
            return Ok(());
        }
        let mut arguments = Tape::new(call.arguments);
        let arguments = Packed::Events(Puller::new(&mut arguments, self.max_depth));
        let call =
            Call { id: 0, procedure: call.procedure.as_bytes(), arguments, patience_ms: None };
        calls.call(call, &mut reply);
        Ok(())
    }

    fn pack(&self, call: &Outgoing<'_>, request: &mut Request) -> Result<(), String> {
        let arguments = call.arguments;
        self.append(&mut request.bytes, |out| {
            write::call(call.procedure, arguments, self.max_depth, out)
        })
    }

    fn unpack(
        &self,
        message: Message<'_>,
        deliver: &mut dyn FnMut(Arrived<'_, '_>),
    ) -> Result<(), ProtocolError> {
        let id = message.head.map_or(0, |head| head.call);
        let broken = |fault: Fault| ProtocolError::Malformed(ValueError::Unfit(fault.message));
        let text = read::text(message.bytes).map_err(broken)?;
        match read::response(&text, self.max_depth).map_err(broken)? {
            Ok(result) => {
                let mut result = Tape::new(result);
                let result = Packed::Events(Puller::new(&mut result, self.max_depth));
                deliver(Arrived::Outcome { id, outcome: Ok(result) });
            }
            Err(fault) => deliver(Arrived::Outcome { id, outcome: Err(fault) }),
        }
        Ok(())
    }
}

/// Whether XML has such a character.
fn is_xml(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}
