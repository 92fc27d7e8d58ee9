//! What can go wrong, and whether the procedure may have run all the same.
//!
//! A local call either returns or takes the program down with it. A remote call has a third
//! outcome, *nobody knows*, so every remote method returns [`Result`], and every [`Error`] can
//! say what it means for the call through [`Error::execution`].

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::message::Fault;
use crate::protocol::native::ValueError;

/// What every remote call returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call, a connection or a server failed.
///
/// [`Transport`](Error::Transport) and [`Protocol`](Error::Protocol) end the connection; the
/// others leave it as usable as it was, but for what they say of themselves. Over HTTP a stub
/// outlives its connection: after any error the next call makes a new one if it has to.
#[derive(Clone, thiserror::Error)]
pub enum Error {
    /// The road broke: the operating system refused or ended a connection.
    ///
    /// The connection is gone. A call that was under way may have been executed.
    #[error("{doing} failed")]
    Transport {
        /// What was being done, for instance `receiving a reply`.
        doing: String,
        /// What the operating system said.
        #[source]
        source: Arc<io::Error>,
    },

    /// No connection could be made, so nothing was sent.
    #[error("connecting to {address} failed")]
    Connect {
        /// Where to, as the channel was told.
        address: String,
        /// What the operating system said last.
        #[source]
        source: Arc<io::Error>,
    },

    /// The bytes made no sense.
    ///
    /// The connection is gone. A call that was under way may have been executed.
    #[error("the peer broke the protocol")]
    Protocol(#[from] ProtocolError),

    /// The remote side said no. The connection stays usable, unless what it refused is the connection:
    /// [`OVERLOADED`](Fault::OVERLOADED), [`STOPPING`](Fault::STOPPING), or a message that is too long.
    ///
    /// Whether the procedure ran depends on the code: see [`Error::execution`].
    #[error(transparent)]
    Fault(#[from] Fault),

    /// No reply came within the time that the caller allowed. The connection stays usable, and
    /// the reply is dropped should it come later; over HTTP/1.1, where a reply has no number to
    /// know it by, the connection is closed instead. So it is if the time was over when half of the
    /// call was sent, but over HTTP/2. The call may have been executed.
    #[error("no reply within {0:?}")]
    Timeout(Duration),

    /// The connection had ended before the call was sent, so the call was not executed; or it
    /// ended in good order while the call was under way, and the call may have been executed.
    #[error("the connection is closed")]
    Closed {
        /// Whether the call may have been sent by then.
        sent: bool,
    },

    /// The arguments have no form on the wire. Nothing was sent, the connection stays usable.
    #[error("the arguments cannot be packed: {0}")]
    Pack(String),

    /// A reply came, but it is not of the type that was asked for. The procedure ran, the
    /// connection stays usable.
    #[error("the result cannot be unpacked as asked: {0}")]
    Unpack(String),

    /// The server's strategy cannot run in this process. No connection was touched.
    #[error("this server strategy cannot run here")]
    Strategy(#[from] StrategyError),
}

// ANCHOR: execution
/// Whether the procedure ran, as far as the caller can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    /// It did not run: calling again is safe.
    No,
    /// It may have run: calling again may run it twice.
    Maybe,
    /// It ran, and came to its end.
    Yes,
}
// ANCHOR_END: execution

impl Error {
    /// What this error says about the call.
    ///
    /// ```
    /// use ninestep::{Error, Execution, Fault};
    ///
    /// assert_eq!(Error::from(Fault::no_such_procedure("ad")).execution(), Execution::No);
    /// assert_eq!(Error::from(Fault::new(1, "division by zero")).execution(), Execution::Yes);
    /// ```
    pub fn execution(&self) -> Execution {
        // ANCHOR: what-it-says
        match self {
            Error::Transport { .. } | Error::Protocol(_) | Error::Timeout(_) => Execution::Maybe,
            Error::Closed { sent: true } => Execution::Maybe,
            Error::Closed { sent: false } => Execution::No,
            Error::Connect { .. } | Error::Pack(_) | Error::Strategy(_) => Execution::No,
            Error::Unpack(_) => Execution::Yes,
            Error::Fault(fault) => fault.execution(),
        }
        // ANCHOR_END: what-it-says
    }

    /// The error and its causes in one line, for a person.
    ///
    /// ```
    /// let error = ninestep::Error::from(ninestep::ProtocolError::UnknownVersion(2));
    /// assert_eq!(error.with_causes(), "the peer broke the protocol: wire version 2 is not known here");
    /// ```
    pub fn with_causes(&self) -> String {
        let first: &dyn std::error::Error = self;
        let causes = std::iter::successors(Some(first), |error| error.source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }

    /// An operating system error, with what was being done.
    pub(crate) fn transport(doing: impl Into<String>, source: impl Into<io::Error>) -> Error {
        Error::Transport { doing: doing.into(), source: Arc::new(source.into()) }
    }
}

/// A program whose `main` returns an error prints it in this form, and a person reads it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_causes())
    }
}

/// How a peer can break the protocol. After each of these nobody can tell where the next message
/// begins, so the connection is closed; but for those over HTTP whose response was whole, and those
/// that are about one call over HTTP/2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The first bytes are not the wire's greeting: the peer speaks something else.
    #[error("the first bytes are {0:02x?}, not a greeting of this wire")]
    WrongMagic(Vec<u8>),
    /// The greeting names a version that this side does not know.
    #[error("wire version {0} is not known here")]
    UnknownVersion(u8),
    /// A frame announces more bytes than the limit allows.
    #[error("a message of {length} bytes is over the limit of {limit}")]
    TooLong {
        /// The bytes that the frame announces.
        length: u64,
        /// The bytes that are allowed.
        limit: usize,
    },
    /// A frame is too short for what its kind must hold.
    #[error("a frame of {0} bytes is too short for its header")]
    TooShort(usize),
    /// A frame's kind is none of the wire's letters.
    #[error("there is no frame kind {0:#04x}")]
    UnknownKind(u8),
    /// A frame's kind is known, but this peer has no business sending it.
    #[error("a frame of kind {:?} is not for this side", char::from(*.0))]
    UnexpectedKind(u8),
    /// A call has id 0, which belongs to the connection; or a notification has another.
    #[error("id {0} is not allowed here")]
    BadId(u32),
    /// A message whose frame is whole cannot be read inside.
    #[error("a message cannot be read: {0}")]
    Malformed(ValueError),
    /// What came is no HTTP, or its head is too long.
    #[error("the head of an HTTP message cannot be read")]
    BadHead,
    /// An answer over HTTP has a status that no answer of this protocol has.
    #[error("the answer has HTTP status {0}")]
    Status(u16),
    /// An answer over HTTP has a media type that is not this protocol's.
    #[error("the answer is {0:?}, which is not this protocol's")]
    MediaType(String),
    /// The server gave a call up that came over HTTP/2, with this error code of RFC 9113 (section
    /// 7).
    #[error("the server gave the call up with HTTP/2 error {0}")]
    Reset(u32),
    /// An answer holds no outcome for a call that it should answer.
    #[error("the answer holds no outcome of the call")]
    NoOutcome,
    /// The connection ended inside a message.
    #[error("the connection ended {0} bytes into a message")]
    Torn(usize),
    /// A message began and did not end in the time that was allowed.
    #[error("a message was not complete after {0:?}")]
    TooSlow(Duration),
}

/// Why a strategy cannot run in this process.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrategyError {
    /// `fork` copies only the calling thread: a lock that another thread holds stays locked in
    /// the child for ever.
    #[error(
        "fork needs a process with no other threads, and this one also runs {0}; use spawn, or start the server before the threads"
    )]
    OtherThreads(String),
    /// The threads of this process cannot be counted here.
    #[error(
        "fork needs /proc/self/task to count threads, and it cannot be read here: {0}; use spawn"
    )]
    CannotCountThreads(String),
    /// This process was started to serve a connection, but the program began to listen instead.
    #[error(
        "this process was started as a child of a spawning server, but bound an address instead of serving: call `server.serve_if_child()` first thing in `main`"
    )]
    ChildEntryMissing,
    /// The child could not reach its parent over the standard input that it was given.
    #[error(
        "this process was told that it is a child of a spawning server, but standard input is not the parent's socket: {0}"
    )]
    NoParent(String),
    /// The program to start children with cannot be found.
    #[error(
        "the executable to start children with is not known: {0}; name it with the strategy's `command`"
    )]
    NoExecutable(String),
}
