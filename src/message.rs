//! What travels, before it is bytes: a call one way; a result or a [`Fault`] the other way.

use std::fmt;
use std::marker::PhantomData;
use std::time::Instant;

use serde::de::{Deserialize, DeserializeSeed};
use serde::ser::Serialize;

use crate::error::Execution;
#[cfg(feature = "emit")]
use crate::protocol::emit::Emitter;
use crate::protocol::native::{Packer, Unpacker, ValueError};
#[cfg(feature = "pull")]
use crate::protocol::pull::Puller;
use crate::value::Value;

/// The arguments of a call, or the value of a reply, while they are still bytes: whoever knows
/// the type unpacks them.
///
/// A procedure knows its types and no wire, so that it answers on every wire: the wire is hidden
/// behind `dyn`. `erased-serde` does that for every serde format, with four hidden calls or more
/// for each value; a wire that reads events needs one for each event. The native wire and JSON have
/// doors of their own, because a hidden call there costs more than the byte that it reads.
pub enum Packed<'a, 'de> {
    /// On the native wire.
    Native(&'a mut Unpacker<'de>),
    /// On a wire that reads events.
    #[cfg(feature = "pull")]
    Events(Puller<'a, 'de>),
    /// In JSON.
    #[cfg(feature = "json-rpc")]
    Json(&'a mut serde_json::Deserializer<serde_json::de::StrRead<'de>>),
    /// On any other wire.
    Other(&'a mut (dyn erased_serde::Deserializer<'de> + 'a)),
}

impl<'de> Packed<'_, 'de> {
    /// Reads a value of type `T`.
    ///
    /// # Errors
    /// The bytes are no such value; the text says why.
    pub fn unpack<T: Deserialize<'de>>(self) -> Result<T, String> {
        self.unpack_seed(PhantomData)
    }

    pub(crate) fn unpack_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, String> {
        match self {
            Packed::Native(unpacker) => seed.deserialize(unpacker).map_err(in_words),
            foreign => foreign.unpack_foreign(seed),
        }
    }

    // A `match` of all kinds is a jump through a table, which lies apart: see ARCHITECTURE.md on
    // forked children.
    #[inline(never)]
    fn unpack_foreign<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, String> {
        match self {
            Packed::Native(unpacker) => seed.deserialize(unpacker).map_err(in_words),
            #[cfg(feature = "pull")]
            Packed::Events(mut puller) => seed.deserialize(&mut puller).map_err(in_words),
            #[cfg(feature = "json-rpc")]
            Packed::Json(json) => seed.deserialize(json).map_err(without_place),
            Packed::Other(packed) => seed.deserialize(packed).map_err(without_place),
        }
    }
}

/// Kept out of the way of values that fit.
#[cold]
fn in_words(why: impl fmt::Display) -> String {
    why.to_string()
}

/// What serde_json says, without the place in a text that its reader never saw.
#[cold]
pub(crate) fn without_place(why: impl fmt::Display) -> String {
    let mut words = why.to_string();
    let is_number = |text: &str| text.parse::<usize>().is_ok();
    if let Some((what, place)) = words.rsplit_once(" at line ")
        && place.split_once(" column ").is_some_and(|it| is_number(it.0) && is_number(it.1))
    {
        words.truncate(what.len());
    }
    words
}

/// A value that is to become bytes: anything that serde can serialise.
pub trait Pack {
    /// For the native wire.
    ///
    /// # Errors
    /// The value has no form there.
    fn pack(&self, packer: &mut Packer<'_>) -> Result<(), ValueError>;

    /// For a wire that writes events.
    ///
    /// # Errors
    /// The value has no form there.
    #[cfg(feature = "emit")]
    fn emit(&self, emitter: &mut Emitter<'_>) -> Result<(), ValueError>;

    /// For any other.
    fn as_serde(&self) -> &dyn erased_serde::Serialize;
}

impl<T: Serialize> Pack for T {
    fn pack(&self, packer: &mut Packer<'_>) -> Result<(), ValueError> {
        self.serialize(packer)
    }

    #[cfg(feature = "emit")]
    fn emit(&self, emitter: &mut Emitter<'_>) -> Result<(), ValueError> {
        self.serialize(emitter)
    }

    fn as_serde(&self) -> &dyn erased_serde::Serialize {
        self
    }
}

/// How a procedure ended: its result, ready to be packed, or a fault.
pub type Outcome<'a> = Result<&'a dyn Pack, Fault>;

/// A call as the client stub hands it to a protocol.
pub struct Outgoing<'a> {
    /// The number that the reply will carry; `None` for a notification, which gets no reply.
    pub id: Option<u32>,
    /// The procedure's name.
    pub procedure: &'a str,
    /// A tuple or a sequence (by position), or a struct or a map (by name).
    pub arguments: &'a dyn Pack,
    /// When the caller stops waiting, if ever.
    pub deadline: Option<Instant>,
}

/// A call as a protocol hands it to the server stub.
pub struct Call<'a, 'de> {
    /// The number that the caller gave: for the observer, and for what a stopping server says last.
    /// The protocol keeps its own copy for the reply.
    pub id: u32,
    /// The procedure's name, as it came: names are compared as bytes, so that nobody need ask
    /// whether they are text.
    pub procedure: &'a [u8],
    /// The arguments, still packed.
    pub arguments: Packed<'a, 'de>,
    /// Milliseconds that the caller still waited when it sent the call; `None` is for ever.
    pub patience_ms: Option<u32>,
}

/// The remote side's no: a number for programs, a sentence for people, and data if there is any.
///
/// Negative codes are JSON-RPC 2.0's (section 5.1 of its specification) and belong to RPC itself,
/// on every wire; positive codes belong to the application.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// See the constants of this type; positive codes are the application's.
    pub code: i32,
    /// One sentence for people.
    pub message: String,
    /// Whatever else the application wants to say.
    pub data: Value,
}

impl Fault {
    /// The message was not understood.
    pub const PARSE: i32 = -32700;
    /// It was understood, but it is not a valid call.
    pub const INVALID_CALL: i32 = -32600;
    /// Nobody has a procedure of that name.
    pub const NO_SUCH_PROCEDURE: i32 = -32601;
    /// The arguments do not fit the procedure.
    pub const WRONG_ARGUMENTS: i32 = -32602;
    /// The procedure failed inside: it panicked, or its result has no form on the wire.
    pub const INTERNAL: i32 = -32603;
    /// The caller's deadline had passed when the call came up: it was not executed.
    pub const DEADLINE_PASSED: i32 = -32001;
    /// The server has no room for this connection now: nothing was executed.
    pub const OVERLOADED: i32 = -32002;
    /// The server is stopping: the call was not executed.
    pub const STOPPING: i32 = -32003;
    /// The caller is not allowed in.
    pub const NOT_ALLOWED: i32 = -32004;

    /// A fault without data.
    ///
    /// ```
    /// let fault = ninestep::Fault::new(1, "division by zero");
    /// assert_eq!(fault.to_string(), "division by zero (fault 1)");
    /// ```
    pub fn new(code: i32, message: impl Into<String>) -> Fault {
        Fault { code, message: message.into(), data: Value::Null }
    }

    /// The same fault with data.
    ///
    /// ```
    /// use ninestep::{Fault, Value};
    ///
    /// let fault = Fault::new(7, "too large").with_data(100_i64);
    /// assert_eq!(fault.data, Value::Int(100));
    /// ```
    pub fn with_data(self, data: impl Into<Value>) -> Fault {
        Fault { data: data.into(), ..self }
    }

    /// The fault for a name that nobody registered.
    pub fn no_such_procedure(name: &str) -> Fault {
        let message = match Fault::shortened(name) {
            whole if whole == name => format!("there is no procedure {name:?}"),
            begin => format!("there is no procedure {begin:?}..."),
        };
        Fault::new(Fault::NO_SUCH_PROCEDURE, message)
    }

    /// As much of a peer's text as a sentence about it needs.
    pub(crate) fn shortened(text: &str) -> &str {
        const LONG: usize = 500;
        &text[..text.floor_char_boundary(LONG)]
    }

    /// What the code says about the call. The codes that this crate's own server sends before a
    /// procedure runs mean [`Execution::No`]; an application's code means that it ran.
    ///
    /// Another system's server may mean something else by -32001 to -32004, which JSON-RPC 2.0 leaves
    /// to each implementation (section 5.1 of its specification): read them with its manual.
    pub fn execution(&self) -> Execution {
        // ANCHOR: fault-execution
        match self.code {
            Fault::PARSE
            | Fault::INVALID_CALL
            | Fault::NO_SUCH_PROCEDURE
            | Fault::WRONG_ARGUMENTS
            | Fault::DEADLINE_PASSED
            | Fault::OVERLOADED
            | Fault::STOPPING
            | Fault::NOT_ALLOWED => Execution::No,
            code if code < 0 => Execution::Maybe,
            _ => Execution::Yes,
        }
        // ANCHOR_END: fault-execution
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (fault {})", self.message, self.code)
    }
}

// `Fault` must never implement `serde::Serialize`: that it does not is how the compiler tells a
// procedure that returns `Result<T, Fault>` from one that returns a plain value (procedure.rs).
impl std::error::Error for Fault {}

/// A failed remote call inside a procedure (a relay) becomes the relay's own fault.
///
/// The remote side's fault is passed on as it is: what was not executed there was not executed. That is
/// true of a relay. A procedure that has done something else before must not let such a fault pass,
/// since its caller may call again: it maps the error to a fault of its own.
impl From<crate::Error> for Fault {
    fn from(error: crate::Error) -> Fault {
        match error {
            crate::Error::Fault(fault) => fault,
            // Not `DEADLINE_PASSED`: that says that nothing was executed, which nobody knows here.
            crate::Error::Timeout(limit) => Fault::new(
                Fault::INTERNAL,
                format!("a call that the procedure depends on had no reply within {limit:?}"),
            ),
            other => {
                log::error!("a procedure's own remote call failed: {other}");
                Fault::new(Fault::INTERNAL, "a call that the procedure depends on failed")
            }
        }
    }
}
