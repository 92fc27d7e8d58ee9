//! Thrift's binary protocol, as `thriftpy2` and Apache Thrift speak it over TCP.
//!
//! A call is a header (a version, the procedure's name, a number that the reply repeats) and a
//! struct of the arguments; a reply is a header and a struct whose field 0 is the result. Nothing
//! says how long a message is, unless the connection is *framed*: then a length stands before
//! each. A server tells framed from unframed messages by itself and answers in kind; it reads the
//! old header, which has no version, as well.
//!
//! Fields have numbers and no names. Arguments are numbered 1, 2, … in order, and so are the
//! fields of a struct; a Thrift file ([`Idl`]) gives other numbers, kinds and names, and says what
//! is `oneway` and what is thrown.
//!
//! # What becomes of a Rust type
//!
//! | Rust | Thrift |
//! |---|---|
//! | `bool`, `i8` to `i64`, `f32` and `f64` | `bool`, `byte` to `i64`, `double` |
//! | `u8`, `u16`, `u32` and `u64` | `i16`, `i32`, `i64`; a `u64` above `i64::MAX` is refused |
//! | text, bytes | `string`, `binary`: one and the same on the wire |
//! | `Vec`, set | `list`, whose values are of one kind |
//! | map | `map`, with texts, integers or booleans for keys |
//! | struct, tuple, array | struct |
//! | `None`, `()` | a field that is left out; refused inside a list or a map |
//! | enum's variant | `i32`, counted from 0; with content, a struct of that one field: a union |
//!
//! Without a file the Rust type chooses the kind: `10` is an `i32`, and a server that declares an
//! `i64` passes it over as a field that it does not know, so write `10_i64`. With a file the file
//! chooses, and an integer that does not fit what it declares is refused. A number that comes
//! becomes any Rust type that it fits, and an integer becomes a float where one is meant.
//!
//! Into a [`Value`] a struct is read as a map with its fields' names for keys, or their numbers,
//! and an enum's value as its name, if the file has it. A field of type `()` or [`Value`] needs
//! `#[serde(default)]`, because nothing is written for nothing; `Some(None)` comes back as `None`.
//!
//! # What becomes of a fault
//!
//! A fault whose code is the number of an exception that the file declares for the procedure is
//! that exception: its first text field is the fault's message (the one called `message`, if
//! there is one), and the fault's data, a map, fills the other fields. Every other fault is an
//! application exception: `UNKNOWN_METHOD`, `INVALID_MESSAGE_TYPE`, `PROTOCOL_ERROR` if the
//! arguments do not fit, and `INTERNAL_ERROR` for everything else, with the message and without
//! code or data. Thrift has no deadlines, and no way to say that a server stops.

mod envelope;
mod exception;
pub mod explain;
mod find;
mod idl;
pub mod kind;
mod pack;
mod unpack;

use byteorder::{BigEndian, ByteOrder};
use serde::Deserialize;

pub use idl::{Idl, IdlError};

use self::envelope::{Envelope, Wrap};
use self::find::MessageFinder;
use self::idl::{Function, Type};
use self::pack::Writer;
use self::unpack::Reader;
use super::emit::emit;
use super::native::ValueError;
use super::pull::Puller;
use super::{
    Answer, AnyFinder, Arrived, Call, Calls, Framing, Message, Outcome, Outgoing, Pack, Packed,
    Protocol, Request, Side, Transport,
};
use crate::error::ProtocolError;
use crate::message::Fault;
use crate::value::Value;

/// Thrift's binary protocol, with its limits.
///
/// ```
/// use ninestep::{Channel, ClientStub, Procedures, Server, protocol::thrift::Thrift};
///
/// let procedures = Procedures::new().on("add", |a: i64, b: i64| a + b);
/// let server = Server::new(procedures).protocol(Thrift::default());
/// let (channel, connection) = Channel::in_memory()?;
/// std::thread::spawn(move || server.serve(connection));
///
/// let stub = ClientStub::new(&channel.protocol(Thrift::default()))?;
/// assert_eq!(stub.call::<i64>("add", (10, 5))?, 15);
/// # Ok::<(), ninestep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Thrift {
    /// The bytes of one message, without a frame's length: 4 MiB unless told otherwise.
    pub max_message: usize,
    /// How deep structs, lists and maps may nest: 64 unless told otherwise.
    pub max_depth: usize,
    /// Whether a client sends frames; a server does as its client does.
    pub framed: bool,
    /// What a Thrift file declares; nothing, unless told otherwise. A procedure that it does not
    /// declare is served and called all the same.
    pub idl: Idl,
}

impl Default for Thrift {
    fn default() -> Thrift {
        Thrift { max_message: 4 << 20, max_depth: 64, framed: false, idl: Idl::default() }
    }
}

impl Thrift {
    /// Appends a reply, or an exception, and nothing if that fails.
    fn pack_outcome(
        &self,
        call: &Envelope<'_>,
        function: Option<&Function>,
        outcome: Outcome<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let thrown = |fault: &Fault| exception::declared(function, fault.code);
        let is_reply = outcome.as_ref().map_or_else(|fault| thrown(fault).is_some(), |_| true);
        let kind = if is_reply { envelope::REPLY } else { envelope::EXCEPTION };
        let start = envelope::begin(out, call.wrap, kind, call.name, call.seqid);
        let body = match outcome {
            Ok(value) => self.pack_result(value, function, out),
            Err(fault) => match thrown(&fault) {
                Some(field) => {
                    exception::pack_declared(&self.idl, self.max_depth, &fault, field, out)
                }
                None => {
                    exception::pack_application(call.name, &fault, out);
                    Ok(())
                }
            },
        };
        if let Err(error) = body {
            out.truncate(start);
            return Err(error.to_string());
        }
        envelope::end(out, call.wrap, start, self.max_message).map_err(|error| error.to_string())
    }

    fn pack_result(
        &self,
        value: &dyn Pack,
        function: Option<&Function>,
        out: &mut Vec<u8>,
    ) -> Result<(), ValueError> {
        let declared = function.and_then(|function| function.result.as_ref());
        let mut writer = Writer::of_field(out, &self.idl, 0, declared);
        emit(&mut writer, self.max_depth, value)?;
        writer.end();
        Ok(())
    }

    /// An application exception about a message in which no call was found.
    fn pack_refusal(&self, wrap: Wrap, fault: Fault, out: &mut Vec<u8>) {
        let nobody = Envelope { wrap, kind: envelope::CALL, name: "", seqid: 0, body: &[] };
        // A fault that cannot be packed leaves nothing to say.
        let _ = self.pack_outcome(&nobody, None, Err(fault), out);
    }

    /// Finds what a reply's struct holds: field 0, or an exception. Other fields are passed over.
    fn unpack_result<'a>(
        &'a self,
        mut body: &'a [u8],
        function: Option<&'a Function>,
    ) -> Result<Result<Reader<'a>, Fault>, ValueError> {
        while let Some((&kind, rest)) = body.split_first()
            && kind != kind::STOP
        {
            let (id, value) = rest.split_at_checked(2).ok_or(ValueError::Truncated)?;
            let id = BigEndian::read_i16(id);
            let read = |declared| self.reader(kind, value, declared);
            if id == 0 {
                return Ok(Ok(read(function.and_then(|function| function.result.as_ref()))));
            }
            if kind == kind::STRUCT {
                let declared = exception::declared(function, id.into()).map(|field| &field.of);
                let fields = self.read_value(read(declared))?;
                return Ok(Err(exception::fault(&self.idl, id, declared, fields)));
            }
            let length = find::skip(kind, value, self.max_depth)?;
            body = value.get(length..).unwrap_or_default();
        }
        Ok(Ok(self.reader(kind::STOP, &[], None)))
    }

    fn reader<'a>(&'a self, kind: u8, value: &'a [u8], declared: Option<&'a Type>) -> Reader<'a> {
        Reader::of_value(kind, value, &self.idl, declared, self.max_depth)
    }

    fn read_value(&self, mut reader: Reader<'_>) -> Result<Value, ValueError> {
        Value::deserialize(&mut Puller::new(&mut reader, self.max_depth))
    }

    /// The arguments must fill the frame. Whoever found the end of an unframed message has walked
    /// through it.
    fn check_frame(&self, arguments: &[u8]) -> Result<(), Fault> {
        let end = find::end_of_struct(arguments, self.max_depth + 1);
        match end.map(|end| arguments.len() - end) {
            Ok(0) => Ok(()),
            Ok(more) => Err(ValueError::TrailingBytes(more)),
            Err(why) => Err(why),
        }
        .map_err(|why| Fault::new(Fault::PARSE, why.to_string()))
    }
}

impl Framing for Thrift {
    fn finder(&self, _: Side) -> AnyFinder {
        // The result has a struct around it.
        AnyFinder::other(MessageFinder::new(self.max_message, self.max_depth + 1))
    }

    /// An exception without a procedure's name; unframed, since nobody knows what the client reads.
    fn last_words(&self, fault: &Fault, out: &mut Vec<u8>) {
        let wrap = Wrap { framed: false, strict: true };
        self.pack_refusal(wrap, fault.clone(), out);
    }
}

impl Protocol for Thrift {
    fn transport(&self) -> Transport<'_> {
        Transport::Stream(self)
    }

    fn answer(
        &self,
        message: Message<'_>,
        calls: &mut dyn Calls,
        answer: &mut Answer,
    ) -> Result<(), ProtocolError> {
        let out = &mut answer.bytes;
        let wrap =
            Wrap::detect(message.bytes)?.ok_or(ProtocolError::TooShort(message.bytes.len()))?;
        let call = match Envelope::read(wrap, message.bytes) {
            Ok(call) => call,
            Err(error) if wrap.framed => {
                // The frame says where the next message begins.
                self.pack_refusal(wrap, Fault::new(Fault::PARSE, error.to_string()), out);
                return Ok(());
            }
            Err(error) => return Err(ProtocolError::Malformed(error)),
        };
        let function = self.idl.function(call.name);
        let answered =
            call.kind != envelope::ONEWAY && !function.is_some_and(|function| function.oneway);
        let start = out.len();
        let mut reply = |outcome: Outcome<'_>| {
            out.truncate(start);
            if !answered {
                return Ok(());
            }
            self.pack_outcome(&call, function, outcome, out).map_err(|why| {
                Fault::new(Fault::INTERNAL, format!("the result cannot be packed: {why}"))
            })
        };
        let checked = match call.kind {
            envelope::CALL | envelope::ONEWAY if wrap.framed => self.check_frame(call.body),
            envelope::CALL | envelope::ONEWAY => Ok(()),
            other => Err(Fault::new(
                Fault::INVALID_CALL,
                format!("a message of kind {other} is no call"),
            )),
        };
        if let Err(fault) = checked {
            let _ = reply(Err(fault));
            return Ok(());
        }
        let declared = function.map(|function| &*function.arguments);
        let mut reader = Reader::of_arguments(call.body, &self.idl, declared, self.max_depth);
        let arguments = Packed::Events(Puller::new(&mut reader, self.max_depth));
        calls.call(
            Call {
                id: call.seqid.cast_unsigned(),
                procedure: call.name.as_bytes(),
                arguments,
                patience_ms: None,
            },
            &mut reply,
        );
        Ok(())
    }

    fn pack(&self, call: &Outgoing<'_>, request: &mut Request) -> Result<(), String> {
        let out = &mut request.bytes;
        let function = self.idl.function(call.procedure);
        if call.id.is_some() && function.is_some_and(|function| function.oneway) {
            return Err(format!("{} is oneway: nobody would answer, use `notify`", call.procedure));
        }
        let wrap = Wrap { framed: self.framed, strict: true };
        let kind = if call.id.is_some() { envelope::CALL } else { envelope::ONEWAY };
        let seqid = call.id.unwrap_or(0).cast_signed();
        let start = envelope::begin(out, wrap, kind, call.procedure, seqid);
        let declared = function.map(|function| &*function.arguments);
        let mut writer = Writer::of_arguments(out, &self.idl, declared);
        match emit(&mut writer, self.max_depth, call.arguments) {
            Ok(()) => writer.end(),
            Err(error) => {
                out.truncate(start);
                return Err(error.to_string());
            }
        }
        envelope::end(out, wrap, start, self.max_message).map_err(|error| error.to_string())
    }

    fn unpack(
        &self,
        message: Message<'_>,
        deliver: &mut dyn FnMut(Arrived<'_, '_>),
    ) -> Result<(), ProtocolError> {
        let wrap =
            Wrap::detect(message.bytes)?.ok_or(ProtocolError::TooShort(message.bytes.len()))?;
        let reply = Envelope::read(wrap, message.bytes).map_err(ProtocolError::Malformed)?;
        let id = reply.seqid.cast_unsigned();
        match reply.kind {
            envelope::REPLY => {
                let function = self.idl.function(reply.name);
                let result = self.unpack_result(reply.body, function);
                match result.map_err(ProtocolError::Malformed)? {
                    Ok(mut reader) => {
                        let value = Packed::Events(Puller::new(&mut reader, self.max_depth));
                        deliver(Arrived::Outcome { id, outcome: Ok(value) });
                    }
                    Err(fault) => deliver(Arrived::Outcome { id, outcome: Err(fault) }),
                }
            }
            envelope::EXCEPTION => {
                let fields = self.read_value(self.reader(kind::STRUCT, reply.body, None));
                let fault = exception::application_fault(fields.map_err(ProtocolError::Malformed)?);
                deliver(match (id, reply.name) {
                    (0, "") => Arrived::Refused(fault),
                    _ => Arrived::Outcome { id, outcome: Err(fault) },
                });
            }
            other => return Err(ProtocolError::UnexpectedKind(other)),
        }
        Ok(())
    }
}
