//! gRPC: Protocol Buffers over HTTP/2, one message each way.
//!
//! A call is a POST to `/` + service + `/` + method. Its body, and that of its answer, is one
//! message behind a byte, 0 if the message is not compressed, and its length in four. How the call
//! ended stands behind the answer, in HTTP's trailers. What is not here: streams, compression,
//! TLS.
//!
//! Fields have numbers and no names. Arguments are numbered 1, 2, … in order, and so are the
//! fields of a struct; a `.proto` file ([`Proto`]) gives other numbers, types and names.
//!
//! # Names
//!
//! A method is the procedure that is registered under its path (`Calculator/Add`), or else its
//! name (`Add`), or else a name that is the same but for the case of letters and for underscores:
//! `SayHello` is `sayHello` and `say_hello`. A client calls `add` as `Add` of the first service
//! that it knows, and `Other/add` as just that.
//!
//! # What becomes of a Rust type
//!
//! | Rust | Protocol Buffers | on the wire |
//! |---|---|---|
//! | `bool`, integers | `bool`, `int64` and `uint64` (`int32` … are the same there) | varint |
//! | `f64`, `f32` | `double`, `float` | 8 or 4 bytes |
//! | text, bytes | `string`, `bytes` | length and bytes |
//! | `Vec`, set | `repeated`, with numbers packed | a field for all, or one for each |
//! | map | `map`, with texts, integers or booleans for keys | a message for each entry |
//! | struct, tuple, array | a message | length and fields |
//! | `None`, `()` | a field that is left out; refused inside a list | |
//! | enum's variant | an enum's number, from 0; with content, a message of that one field: a `oneof` | varint, or length and field |
//! | a list or map in a list | field 1 of a message | |
//!
//! A result that is a struct or a tuple is the answer's message; any other is that message's
//! field 1. With a file it is the message's only field.
//!
//! What holds the default value of its type is not there in messages of most others, so a field
//! that is not there is 0, empty, `false`, or `None`; no argument is ever missing. Without a file
//! the Rust type says what the bytes are, which do not say it themselves: a `Value` takes text for
//! bytes that are text, an integer for a varint, and bytes for a message or packed numbers. So a
//! `Value` comes back changed and nobody says so: `true` as 1, an integer above `i64::MAX` as a
//! negative one, an empty list as `None`; and -1 given for a `u64` is read as `u64::MAX`. With a
//! file an integer that does not fit what it declares is not written; one that is read is cut to its
//! 32 bits, as all parsers of Protocol Buffers do.
//!
//! With a file a client may give arguments by name; and a server gives them to the procedure by
//! name if the file has all its names, and in the order of the fields' numbers otherwise. Into a
//! [`Value`](crate::Value) a message is read as a map with its fields' names for keys, and an
//! enum's value as its name. Of several members of a `oneof` the last counts, and so it is with a
//! field that comes twice, and with a map's key. Other parsers merge a message that comes twice
//! where one is wanted; here it is refused.
//!
//! # What becomes of a fault
//!
//! | fault | status |
//! |---|---|
//! | 2 to 16 | the same number |
//! | [`NO_SUCH_PROCEDURE`](Fault::NO_SUCH_PROCEDURE) | 12, UNIMPLEMENTED |
//! | [`WRONG_ARGUMENTS`](Fault::WRONG_ARGUMENTS), [`INVALID_CALL`](Fault::INVALID_CALL) | 3, INVALID_ARGUMENT |
//! | [`PARSE`](Fault::PARSE), [`INTERNAL`](Fault::INTERNAL) | 13, INTERNAL |
//! | [`DEADLINE_PASSED`](Fault::DEADLINE_PASSED) | 4, DEADLINE_EXCEEDED |
//! | [`OVERLOADED`](Fault::OVERLOADED) | 8, RESOURCE_EXHAUSTED |
//! | [`STOPPING`](Fault::STOPPING) | 14, UNAVAILABLE |
//! | [`NOT_ALLOWED`](Fault::NOT_ALLOWED) | 7, PERMISSION_DENIED |
//! | any other, and 1: CANCELLED is for callers to say | 2, UNKNOWN |
//!
//! The code itself, where the status is another number, and the data cross in trailers that this
//! crate's own ends read: `ninestep-fault` and `ninestep-data-bin`. Without these a status becomes
//! a fault of its number, which for [`Error::execution`](crate::Error::execution) is the
//! application's: it never says that a call was not executed, because any server may send any
//! status after it executed. A message is cut off after 1 KiB, and data over 3 KiB are left out,
//! since clients take few bytes of trailers.

pub mod explain;
pub mod metadata;
mod name;
mod pack;
mod proto;
mod status;
mod timeout;
mod unpack;
mod wire;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use byteorder::{BigEndian, ByteOrder};
use http::{HeaderMap, HeaderName, HeaderValue};

pub use proto::{Proto, ProtoError};

use self::pack::Writer;
use self::proto::Method;
use self::unpack::Reader;
use super::emit::emit;
use super::http::{Head, Http, Version};
use super::native::ValueError;
use super::pull::Puller;
use super::{
    Answer, Arrived, Call, Calls, Message, Outcome, Outgoing, Packed, Protocol, Request, Transport,
};
use crate::error::ProtocolError;
use crate::message::Fault;
use crate::procedure::Procedures;

/// gRPC, with what is known of services and what is done with metadata.
///
/// ```
/// use ninestep::{Channel, ClientStub, Procedures, Server, protocol::grpc::Grpc};
///
/// let procedures = Procedures::new().on("add", |a: i64, b: i64| a + b);
/// let server = Server::new(procedures).protocol(Grpc::service("Calculator"));
/// let (channel, connection) = Channel::in_memory()?;
/// std::thread::spawn(move || server.serve(connection));
///
/// let stub = ClientStub::new(&channel.protocol(Grpc::service("Calculator")))?;
/// assert_eq!(stub.call::<i64>("add", (10, 5))?, 15);
/// # Ok::<(), ninestep::Error>(())
/// ```
#[derive(Clone)]
pub struct Grpc {
    http: Http,
    max_message: usize,
    max_depth: usize,
    services: Vec<String>,
    proto: Proto,
    sends: Option<Arc<Sends>>,
    receives: Option<Arc<Receives>>,
    admits: Option<Arc<Admits>>,
}

type Sends = dyn Fn(&str, &mut HeaderMap) + Send + Sync;
type Receives = dyn Fn(&HeaderMap) + Send + Sync;
type Admits = dyn Fn(&HeaderMap, &mut HeaderMap) -> Result<(), Fault> + Send + Sync;

const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
/// What stands before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// A server takes calls of any service; a client's calls must name theirs.
impl Default for Grpc {
    fn default() -> Grpc {
        let http = Http {
            version: Version::Http2,
            content_type: "application/grpc",
            also_taken: &["application/grpc+proto"],
            paths: Cow::Borrowed(&[]),
            get: None,
            max_message: 0,
        };
        let (services, proto) = (Vec::new(), Proto::default());
        let (sends, receives, admits) = (None, None, None);
        let max_depth = 64;
        Grpc { http, max_message: 0, max_depth, services, proto, sends, receives, admits }
            .max_message(4 << 20)
    }
}

impl Grpc {
    /// A server of this service and no other; a client that calls it. The name is with its
    /// package, as in `helloworld.Greeter`.
    pub fn service(name: impl Into<String>) -> Grpc {
        Grpc::default().and_service(name)
    }

    /// One more service.
    pub fn and_service(mut self, name: impl Into<String>) -> Grpc {
        self.services.push(name.into());
        self
    }

    /// The services that a file declares. A method that it does not declare is served and called
    /// all the same.
    pub fn with_proto(proto: Proto) -> Grpc {
        let mut services: Vec<String> = proto.services().map(str::to_owned).collect();
        services.dedup();
        Grpc { proto, services, ..Grpc::default() }
    }

    /// The bytes that one message may have: 4 MiB unless told otherwise.
    pub fn max_message(mut self, bytes: usize) -> Grpc {
        self.max_message = bytes;
        self.http.max_message = bytes.saturating_add(PREFIX);
        self
    }

    /// How deep messages, lists and maps may nest: 64 unless told otherwise.
    pub fn max_depth(self, depth: usize) -> Grpc {
        Grpc { max_depth: depth, ..self }
    }

    /// On a client: adds metadata to each call, whose procedure's name comes first.
    pub fn sends(self, add: impl Fn(&str, &mut HeaderMap) + Send + Sync + 'static) -> Grpc {
        Grpc { sends: Some(Arc::new(add)), ..self }
    }

    /// On a client: looks at the metadata of each answer.
    pub fn receives(self, look: impl Fn(&HeaderMap) + Send + Sync + 'static) -> Grpc {
        Grpc { receives: Some(Arc::new(look)), ..self }
    }

    /// On a server: looks at the metadata of each call, refuses the call if it likes, and adds
    /// metadata to its answer.
    ///
    /// ```
    /// use ninestep::{Fault, protocol::grpc::Grpc};
    ///
    /// let grpc = Grpc::service("Calculator").admits(|asked, answer| {
    ///     answer.insert("served-by", "node 1".parse().unwrap());
    ///     match asked.get("authorization").is_some_and(|it| it == "Bearer 123") {
    ///         true => Ok(()),
    ///         false => Err(Fault::new(Fault::NOT_ALLOWED, "who are you?")),
    ///     }
    /// });
    /// # let _ = grpc;
    /// ```
    pub fn admits(
        self,
        look: impl Fn(&HeaderMap, &mut HeaderMap) -> Result<(), Fault> + Send + Sync + 'static,
    ) -> Grpc {
        Grpc { admits: Some(Arc::new(look)), ..self }
    }

    /// The procedure that is asked for at a path.
    fn procedure<'a>(&self, path: &'a str, procedures: &Procedures) -> Result<Cow<'a, str>, Fault> {
        let unknown = || {
            let message = format!("there is no method {path:?}");
            Fault::new(Fault::NO_SUCH_PROCEDURE, message)
        };
        let whole = path.strip_prefix('/').ok_or_else(unknown)?;
        let (service, method) = whole.rsplit_once('/').ok_or_else(unknown)?;
        if !self.services.is_empty() && !self.services.iter().any(|known| known == service) {
            return Err(unknown());
        }
        let is_known = |name: &&str| procedures.signature(name).is_some();
        if let Some(exact) = [whole, method].into_iter().find(is_known) {
            return Ok(exact.into());
        }
        let same = procedures.names().find(|procedure| name::is_same(method, procedure));
        same.map(|procedure| procedure.to_owned().into()).ok_or_else(unknown)
    }

    /// What a call needs besides its message; a fault if it is refused.
    fn admit(&self, head: &Head<'_>, trailers: &mut HeaderMap) -> Result<Option<u32>, Fault> {
        let encoding = head.headers.get(ENCODING);
        if encoding.is_some_and(|encoding| encoding != "identity") {
            trailers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            return Err(Fault::new(status::UNIMPLEMENTED, "a message is to come as it is"));
        }
        let patience = head.headers.get(timeout::TIMEOUT).map(|value| {
            let why = || Fault::new(status::INTERNAL, format!("{value:?} is no grpc-timeout"));
            timeout::milliseconds(value).ok_or_else(why)
        });
        if let Some(admits) = &self.admits {
            admits(head.headers, trailers)?;
        }
        patience.transpose()
    }

    /// The one message of a body.
    fn message<'a>(&self, body: &'a [u8]) -> Result<&'a [u8], Fault> {
        let wrong = |why: String| Err(Fault::new(status::INTERNAL, why));
        let Some((prefix, rest)) = body.split_at_checked(PREFIX) else {
            return wrong(format!("a body of {} bytes holds no message", body.len()));
        };
        let length = BigEndian::read_u32(&prefix[1..]) as usize;
        match prefix[0] {
            0 if length > self.max_message => {
                let limit = self.max_message;
                let why = format!("a message of {length} bytes is over the limit of {limit}");
                Err(Fault::new(status::RESOURCE_EXHAUSTED, why))
            }
            0 if length > rest.len() => {
                wrong(format!("of a message of {length} bytes came {}", rest.len()))
            }
            0 if length < rest.len() => {
                let why = format!("{} bytes follow the message", rest.len() - length);
                Err(Fault::new(status::UNIMPLEMENTED, why))
            }
            0 => Ok(rest),
            1 => wrong("a message is compressed, and nobody said how".to_owned()),
            flag => wrong(format!("{flag} is not 0, nor is it 1")),
        }
    }

    /// Appends a message with its prefix, and nothing if that fails.
    fn pack_message(
        &self,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), ValueError>,
    ) -> Result<(), String> {
        let start = out.len();
        // Most messages are short, and this is all the memory that they need.
        out.reserve(64);
        out.extend_from_slice(&[0; PREFIX]);
        let why = match write(out) {
            Ok(()) => {
                let length = out.len() - start - PREFIX;
                match u32::try_from(length) {
                    Ok(prefix) if length <= self.max_message => {
                        BigEndian::write_u32(&mut out[start + 1..], prefix);
                        return Ok(());
                    }
                    _ => format!(
                        "a message of {length} bytes is over the limit of {}",
                        self.max_message
                    ),
                }
            }
            Err(why) => why.to_string(),
        };
        out.truncate(start);
        Err(why)
    }

    /// Step 7: the message of a result, and how the call ended.
    fn pack_outcome(
        &self,
        method: Option<&Method>,
        outcome: Outcome<'_>,
        answer: &mut Answer,
    ) -> Result<(), String> {
        answer.bytes.clear();
        match outcome {
            Ok(value) => {
                let of = method.and_then(|method| self.proto.message(method.response));
                self.pack_message(&mut answer.bytes, |out| {
                    let mut writer = Writer::of_result(out, &self.proto, of);
                    emit(&mut writer, self.max_depth, value)
                })?;
                status::put(None, &mut answer.trailers);
            }
            Err(fault) => status::put(Some(&fault), &mut answer.trailers),
        }
        Ok(())
    }

    /// The end of step 4, and steps 5 to 7; a fault if the call is not even made.
    fn answer_call(
        &self,
        head: &Head<'_>,
        body: &[u8],
        calls: &mut dyn Calls,
        answer: &mut Answer,
    ) -> Result<(), Fault> {
        let patience_ms = self.admit(head, &mut answer.trailers)?;
        let method = self.proto.method(head.path);
        if method.is_some_and(|method| method.streams) {
            return Err(Fault::new(status::UNIMPLEMENTED, "streams are not known here"));
        }
        let procedure = self.procedure(head.path, calls.procedures())?;
        let message = self.message(body)?;
        let of = method.and_then(|method| self.proto.message(method.request));
        let mut reader = Reader::of_arguments(message, &self.proto, of);
        let arguments = Packed::Events(Puller::new(&mut reader, self.max_depth));
        let call = Call { id: head.call, procedure: procedure.as_bytes(), arguments, patience_ms };
        calls.call(call, &mut |outcome| {
            self.pack_outcome(method, outcome, answer).map_err(|why| {
                Fault::new(Fault::INTERNAL, format!("the result cannot be packed: {why}"))
            })
        });
        Ok(())
    }
}

impl Protocol for Grpc {
    fn transport(&self) -> Transport<'_> {
        Transport::Http(&self.http)
    }

    fn answer(
        &self,
        message: Message<'_>,
        calls: &mut dyn Calls,
        answer: &mut Answer,
    ) -> Result<(), ProtocolError> {
        let head = message.head.ok_or(ProtocolError::BadHead)?;
        if let Err(fault) = self.answer_call(&head, message.bytes, calls, answer) {
            status::put(Some(&fault), &mut answer.trailers);
        }
        Ok(())
    }

    fn pack(&self, call: &Outgoing<'_>, request: &mut Request) -> Result<(), String> {
        let method = self.proto.method_named(call.procedure);
        let path = match (method, self.services.first()) {
            (Some(method), _) if method.streams => {
                return Err(format!("{} is a method of streams", method.path));
            }
            (Some(method), _) => method.path.clone(),
            (None, _) if call.procedure.contains('/') => format!("/{}", call.procedure),
            (None, Some(service)) => name::path(service, call.procedure),
            (None, None) => return Err(format!("of which service is {}?", call.procedure)),
        };
        let of = method.and_then(|method| self.proto.message(method.request));
        self.pack_message(&mut request.bytes, |out| {
            let mut writer = Writer::of_arguments(out, &self.proto, of);
            emit(&mut writer, self.max_depth, call.arguments)
        })?;
        request.path = Some(path);
        if let Some(sends) = &self.sends {
            sends(call.procedure, &mut request.headers);
        }
        if let Some(deadline) = call.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            // Who waits for more than eleven thousand years may as well wait for ever.
            if let Some(value) = timeout::header(left) {
                request.headers.insert(timeout::TIMEOUT, value);
            }
        }
        Ok(())
    }

    fn unpack(
        &self,
        message: Message<'_>,
        deliver: &mut dyn FnMut(Arrived<'_, '_>),
    ) -> Result<(), ProtocolError> {
        let head = message.head.ok_or(ProtocolError::BadHead)?;
        if let Some(receives) = &self.receives {
            receives(head.headers);
        }
        let fault = status::fault(head.status, head.headers);
        let outcome = match fault {
            Some(fault) => Err(fault),
            None => self.message(message.bytes),
        };
        let message = match outcome {
            Ok(message) => message,
            Err(fault) => {
                deliver(Arrived::Outcome { id: head.call, outcome: Err(fault) });
                return Ok(());
            }
        };
        let method = self.proto.method(head.path);
        let of = method.and_then(|method| self.proto.message(method.response));
        let mut reader = Reader::of_result(message, &self.proto, of);
        let value = Packed::Events(Puller::new(&mut reader, self.max_depth));
        let outcome = Ok(value);
        deliver(Arrived::Outcome { id: head.call, outcome });
        Ok(())
    }
}
