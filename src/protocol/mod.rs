//! A protocol: how a call and its outcome look as bytes.
//!
//! A protocol does no input or output. It says where a message ends, answers a message by calling
//! back for every call in it, and for the client packs a call and unpacks what came. So it is a
//! function from bytes to bytes, which can be tested byte for byte and fuzzed.

pub mod native;

#[cfg(feature = "thrift")]
mod emit;
#[cfg(feature = "thrift")]
mod pull;

use std::ops::Range;

use crate::error::ProtocolError;
use crate::message::Fault;
pub use crate::message::{Call, Outcome, Outgoing, Pack, Packed};

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The end that calls.
    Client,
    /// The end that answers.
    Server,
}

/// Finds where one message ends, for one side of one connection.
///
/// It keeps what it has learnt between calls, so that a message which comes in a thousand pieces
/// is not scanned a thousand times from its start.
pub trait Finder: Send {
    /// Looks for the first whole message in what is buffered and not consumed yet.
    ///
    /// `None` asks for more bytes. `Some` is the message's place; the caller then consumes
    /// everything up to its end before it asks again.
    ///
    /// # Errors
    /// The framing is lost: nothing after this can be understood.
    fn find(&mut self, buffered: &[u8]) -> Result<Option<Range<usize>>, ProtocolError>;
}

/// What a protocol calls back for each call in a message: steps 5 and 6.
pub trait Calls {
    /// Executes one call and hands its outcome to `reply`.
    ///
    /// `reply` may be called more than once, and the last outcome counts: a panic half-way through
    /// packing, or a result that has no form on the wire, is followed by a fault. It fails when
    /// the outcome cannot be packed.
    fn call(&mut self, call: Call<'_, '_>, reply: &mut dyn FnMut(Outcome<'_>) -> Result<(), Fault>);
}

/// What a message holds for a client.
pub enum Arrived<'a, 'de> {
    /// The outcome of the call with this id.
    Outcome {
        /// The id that the call was sent with.
        id: u32,
        /// The packed result, or the fault.
        outcome: Result<Packed<'a, 'de>, Fault>,
    },
    /// The server refuses the whole connection.
    Refused(Fault),
    /// The server is stopping. Calls with an id after `last` were not executed.
    Bye {
        /// The highest id that will be answered.
        last: u32,
    },
}

/// A message protocol, shared by all connections that speak it.
///
/// On the server: [`finder`](Protocol::finder) once for each connection, then
/// [`answer`](Protocol::answer) for each message; at the end [`bye`](Protocol::bye), or
/// [`last_words`](Protocol::last_words) if the client broke the protocol.
///
/// On the client: [`hello`](Protocol::hello) before anything else, [`pack`](Protocol::pack) for
/// each call, [`unpack`](Protocol::unpack) for each message.
pub trait Protocol: Send + Sync {
    /// What finds this protocol's messages in a stream of bytes.
    fn finder(&self, side: Side) -> Box<dyn Finder>;

    /// Steps 4 and 7: unpacks the calls of one message and appends the packed outcomes to `out`.
    ///
    /// # Errors
    /// The message makes it pointless to read on. What `out` holds is sent before the last words.
    fn answer(
        &self,
        message: &[u8],
        calls: &mut dyn Calls,
        out: &mut Vec<u8>,
    ) -> Result<(), ProtocolError>;

    /// What is said to a client before its connection is closed on it.
    fn last_words(&self, fault: &Fault, out: &mut Vec<u8>);

    /// What is said to a client when the server stops: the highest id that it answered.
    fn bye(&self, last: u32, out: &mut Vec<u8>);

    /// What a client sends before its first call.
    fn hello(&self) -> &'static [u8];

    /// Step 2: appends one packed call to `out`.
    ///
    /// # Errors
    /// The arguments have no form on this wire, or are over its limits; `out` is as it was.
    fn pack(&self, call: &Outgoing<'_>, out: &mut Vec<u8>) -> Result<(), String>;

    /// Step 8: unpacks one message and delivers what it holds.
    ///
    /// # Errors
    /// The message makes it pointless to read on.
    fn unpack(
        &self,
        message: &[u8],
        deliver: &mut dyn FnMut(Arrived<'_, '_>),
    ) -> Result<(), ProtocolError>;
}
