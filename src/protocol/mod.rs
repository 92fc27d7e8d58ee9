//! A protocol: how a call and its outcome look as bytes.
//!
//! A protocol does no input or output. It answers a message by calling back for every call in it,
//! and for the client packs a call and unpacks what came. So it is a function from bytes to bytes,
//! which can be tested byte for byte and fuzzed. How its messages cross, it only says: see
//! [`Transport`].

#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "json-rpc")]
pub mod json_rpc;
pub mod native;

#[cfg(feature = "grpc")]
pub mod grpc;
#[cfg(feature = "hprose")]
pub mod hprose;
#[cfg(feature = "thrift")]
pub mod thrift;
#[cfg(feature = "xml-rpc")]
pub mod xml_rpc;

#[cfg(feature = "emit")]
pub(crate) mod emit;
#[cfg(feature = "emit")]
mod key;
#[cfg(feature = "pull")]
pub(crate) mod pull;
#[cfg(any(feature = "hprose", feature = "xml-rpc"))]
mod special;

mod gaps;
mod tail;

use std::ops::Range;

#[cfg(feature = "http")]
use self::http::{Head, HeaderMap, Http};
use self::native::frame::FrameFinder;
use crate::error::ProtocolError;
use crate::message::Fault;
pub use crate::message::{Call, Outcome, Outgoing, Pack, Packed};
use crate::procedure::Procedures;
pub use gaps::{Gaps, Parts};
#[cfg(any(feature = "hprose", feature = "xml-rpc"))]
pub use special::{DateTime, Guid};
pub use tail::Tail;

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

    /// For a message that stands at the front and has only begun: if it ends with a long byte
    /// string whose content has begun, the place that the content will have. It then comes into
    /// memory of its own, and is the [`tail`](Message::tail) of a message that lacks it.
    fn tail(&mut self, _buffered: &[u8]) -> Option<Range<usize>> {
        None
    }
}

/// A finder of any protocol.
///
/// The native wire's stands here itself: one that is allocated costs a forked server some page faults
/// for every connection.
pub enum AnyFinder {
    /// The native wire's.
    Frames(FrameFinder),
    /// Any other's.
    Other(Box<dyn Finder>),
}

impl AnyFinder {
    /// A finder that is not the native wire's.
    pub fn other(finder: impl Finder + 'static) -> AnyFinder {
        AnyFinder::Other(Box::new(finder))
    }
}

impl Finder for AnyFinder {
    #[inline]
    fn find(&mut self, buffered: &[u8]) -> Result<Option<Range<usize>>, ProtocolError> {
        match self {
            AnyFinder::Frames(frames) => frames.find(buffered),
            AnyFinder::Other(other) => other.find(buffered),
        }
    }

    fn tail(&mut self, begun: &[u8]) -> Option<Range<usize>> {
        match self {
            AnyFinder::Frames(frames) => frames.tail(begun),
            AnyFinder::Other(other) => other.tail(begun),
        }
    }
}

/// How a protocol's messages cross.
pub enum Transport<'a> {
    /// One after the other in a stream of bytes, where something must say where each ends.
    Stream(&'a dyn Framing),
    /// As the bodies of HTTP requests and responses.
    #[cfg(feature = "http")]
    Http(&'a Http),
}

/// How messages stand in a stream of bytes, and what else is said there.
///
/// On the server: [`finder`](Framing::finder) once for each connection; at its end
/// [`bye`](Framing::bye), or [`last_words`](Framing::last_words) if the client broke the protocol.
/// On the client: [`hello`](Framing::hello) before anything else, and `finder` once.
pub trait Framing {
    /// What finds this protocol's messages.
    fn finder(&self, side: Side) -> AnyFinder;

    /// What a client sends before its first call.
    fn hello(&self) -> &'static [u8] {
        b""
    }

    /// What is said to a client before its connection is closed on it.
    fn last_words(&self, fault: &Fault, out: &mut Vec<u8>);

    /// What is said to a client when the server stops: the highest id that it answered.
    fn bye(&self, _last: u32, _out: &mut Vec<u8>) {}
}

/// A whole message, as it came.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// The message: a piece of the stream, or the body of a request or a response.
    pub bytes: &'a [u8],
    /// The content of the byte string with which it ends, if that is not in its bytes.
    pub tail: Option<&'a Tail>,
    /// What stood before the body; `None` in a stream.
    #[cfg(feature = "http")]
    pub head: Option<Head<'a>>,
}

impl<'a> Message<'a> {
    /// A message in a stream of bytes.
    pub fn new(bytes: &'a [u8]) -> Message<'a> {
        Message {
            bytes,
            tail: None,
            #[cfg(feature = "http")]
            head: None,
        }
    }
}

/// What a server says to one message. The transport sends nothing if there are no bytes, and over
/// HTTP an empty body.
#[derive(Default)]
pub struct Answer {
    /// The packed outcomes.
    pub bytes: Vec<u8>,
    /// What they may leave out.
    pub gaps: Gaps,
    /// What follows the body, over HTTP/2.
    #[cfg(feature = "http")]
    pub trailers: HeaderMap,
}

impl Answer {
    /// Nothing is said yet. Outcomes are packed into these bytes.
    pub(crate) fn new(bytes: Vec<u8>, gaps: Gaps) -> Answer {
        Answer {
            bytes,
            gaps,
            #[cfg(feature = "http")]
            trailers: HeaderMap::new(),
        }
    }
}

/// What a client asks in one message.
#[derive(Default)]
pub struct Request {
    /// The packed call.
    pub bytes: Vec<u8>,
    /// What it may leave out.
    pub gaps: Gaps,
    /// Where to, if the call says so and not the channel; only over HTTP.
    #[cfg(feature = "http")]
    pub path: Option<String>,
    /// What else stands in the head; only over HTTP.
    #[cfg(feature = "http")]
    pub headers: HeaderMap,
}

/// Packs an outcome. One with gaps it hands on, while the result is at hand that fills them.
pub type Reply<'r> = dyn FnMut(Outcome<'_>, &mut dyn FnMut(&Parts<'_>)) -> Result<(), Fault> + 'r;

/// What a protocol calls back for each call in a message: steps 5 and 6.
pub trait Calls {
    /// Executes one call and hands its outcome to `reply`.
    ///
    /// `reply` may be called more than once, and the last outcome counts: a panic half-way through
    /// packing, or a result that has no form on the wire, is followed by a fault. It fails when
    /// the outcome cannot be packed.
    fn call(&mut self, call: Call<'_, '_>, reply: &mut dyn FnMut(Outcome<'_>) -> Result<(), Fault>);

    /// [`call`](Calls::call) for a protocol that leaves gaps.
    fn call_with_gaps(&mut self, call: Call<'_, '_>, reply: &mut Reply<'_>) {
        self.call(call, &mut |outcome| reply(outcome, &mut |_| {}));
    }

    /// What can be called, for protocols that can list it.
    fn procedures(&self) -> &Procedures;
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
/// The server calls [`answer`](Protocol::answer) for each message; the client calls
/// [`pack`](Protocol::pack) for each call and [`unpack`](Protocol::unpack) for each message.
// ANCHOR: protocol
pub trait Protocol: Send + Sync {
    /// How its messages cross.
    fn transport(&self) -> Transport<'_>;

    /// Steps 4 and 7: unpacks the calls of one message and appends the packed outcomes to
    /// `answer`.
    ///
    /// # Errors
    /// The message makes it pointless to read on. What `answer` holds is sent before the last
    /// words.
    fn answer(
        &self,
        message: Message<'_>,
        calls: &mut dyn Calls,
        answer: &mut Answer,
    ) -> Result<(), ProtocolError>;

    /// Step 2: appends one packed call to `request`.
    ///
    /// # Errors
    /// The arguments have no form on this wire, or are over its limits; `request` is as it was.
    fn pack(&self, call: &Outgoing<'_>, request: &mut Request) -> Result<(), String>;

    /// Makes one message of several packed calls, over HTTP; `None` if this protocol cannot, and
    /// they cross one by one.
    fn join(&self, _calls: &[Request]) -> Option<Request> {
        None
    }

    /// Step 8: unpacks one message and delivers what it holds.
    ///
    /// # Errors
    /// The message makes it pointless to read on.
    fn unpack(
        &self,
        message: Message<'_>,
        deliver: &mut dyn FnMut(Arrived<'_, '_>),
    ) -> Result<(), ProtocolError>;
}
// ANCHOR_END: protocol
