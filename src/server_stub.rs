//! Steps 4 to 7, for one connection: receive, unpack, call, pack, send.

#[cfg(feature = "http2")]
mod apart;
mod calls;
#[cfg(feature = "http2")]
mod helpers;
mod road;
#[cfg(feature = "http2")]
mod side_by_side;
mod spare;

use std::io;
use std::mem;
use std::ops::Range;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::error::{Error, ProtocolError, Result};
use crate::protocol::{Answer, Gaps};
use crate::server::{Limits, Server};
use crate::steps::Step;
use crate::transport::{Connection, Found, ReadBuffer, Wake, from_now, last_tick, limit_reads};

pub use calls::Teller;
use calls::{Answering, Caller};
use road::{Road, Why};
use spare::Buffers;
pub(crate) use spare::Spare;

/// The server's end of one connection.
///
/// ```
/// use ninestep::{Channel, Procedures, Server, ServerStub};
///
/// let server = Server::new(Procedures::new().on("add", |a: i64, b: i64| a + b));
/// let (channel, connection) = Channel::in_memory()?;
/// let client = std::thread::spawn(move || ninestep::ClientStub::new(&channel)?.call("add", (10, 5)));
///
/// let mut stub = ServerStub::new(&server, connection);
/// assert!(stub.process()?); // One message was answered.
/// let sum: i64 = client.join().unwrap()?;
/// assert_eq!(sum, 15);
/// assert!(!stub.process()?); // The client has left.
/// # Ok::<(), ninestep::Error>(())
/// ```
pub struct ServerStub<'a> {
    server: &'a Server,
    road: Road<'a>,
    input: ReadBuffer,
    /// The outcome that is being packed.
    answer: Answer,
    /// A whole message that is in the input already.
    waiting: Option<Range<usize>>,
    /// When the connection may be given up: see [`Limits`](crate::Limits).
    patience: Patience<'a>,
    caller: Caller<'a>,
}

/// What a stub receives.
enum Received {
    /// A whole message; this is its place in the input.
    Message(Range<usize>),
    /// A request that was answered, although it is no message.
    #[cfg(feature = "http")]
    Refused,
    /// The client closed the connection between two messages.
    Closed,
    /// The server is stopping, or the client was idle for too long.
    Leave,
}

impl<'a> ServerStub<'a> {
    /// Output that is sent even if further messages are waiting.
    const FULL: usize = 64 * 1024;
    /// How long a connection lingers that was refused: whoever refuses has others to serve.
    const REFUSAL_LINGER: Duration = Duration::from_millis(50);
    /// How long a stop may stay unseen because the stub reads without waiting for it: this long
    /// since it last looked, and [`READ`](Self::READ) more in one read.
    const EAGER: Duration = Duration::from_millis(20);
    /// A core that has nothing else to do prepares for the end of this time at every read, and
    /// sleeps deeper, or for less, the nearer it is: 20 ms cost a call more than 2 % of its time.
    pub(crate) const READ: Duration = Duration::from_millis(100);
    /// How long a connection is idle before the memory of large messages is given back.
    const BREATH: Duration = Duration::from_secs(1);

    /// A stub that answers this connection with this server's procedures.
    pub fn new(server: &'a Server, connection: Connection) -> ServerStub<'a> {
        // An accepted one has the limit from its listener.
        if connection.lifeline.is_none() {
            limit_reads(&connection, ServerStub::READ);
        }
        let Buffers { input, answer } = server.spare.take();
        ServerStub {
            server,
            road: Road::new(&*server.protocol),
            input,
            answer: ServerStub::new_answer(server, answer),
            waiting: None,
            patience: Patience::new(&server.limits),
            caller: Caller {
                server,
                connection,
                output: Vec::new(),
                reads: 0,
                eager_until: Duration::ZERO,
                received: None,
                last: 0,
                broken: None,
            },
        }
    }

    fn new_answer(server: &Server, bytes: Vec<u8>) -> Answer {
        Answer::new(bytes, Gaps::new(!server.steps.are_watched()))
    }

    /// Serves the connection to its end, and logs why it ended if that was no good end.
    pub fn serve(mut self) {
        self.serve_to_its_end();
        if self.caller.connection.is_last {
            // The operating system takes back what the process has used, and is sooner done.
            return mem::forget(self);
        }
        self.server.spare.keep(Buffers { input: self.input, answer: self.answer.bytes });
    }

    // ANCHOR: serve
    fn serve_to_its_end(&mut self) {
        if let Some(fault) = self.caller.connection.refusal.take() {
            return self.end_with(Why::Refused(&fault), ServerStub::REFUSAL_LINGER);
        }
        #[cfg(feature = "http2")]
        if let Road::Http2(..) = self.road {
            return self.serve_side_by_side();
        }
        loop {
            match self.process() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => break self.caller.connection.log_end(&error),
            }
        }
    }
    // ANCHOR_END: serve

    /// Receives one message, calls what it asks for, and sends the outcome; `false` if the
    /// connection came to a good end instead.
    ///
    /// Outcomes are sent together while further whole messages are waiting to be processed.
    ///
    /// # Errors
    /// The connection broke, the client broke the protocol (it was told so), or it took too long.
    pub fn process(&mut self) -> Result<bool> {
        let place = match self.receive() {
            Ok(Received::Message(place)) => place,
            Ok(Received::Closed) => return Ok(false),
            other => return self.without_message(other),
        };
        let message = self.road.message(&self.input, &place);
        let mut answering =
            Answering { caller: &mut self.caller, message: message.bytes, called: None };
        let answered = self.server.protocol.answer(message, &mut answering, &mut self.answer);
        if let Some(id) = answering.called {
            self.server.steps.tell(Step::Reply, "", id, &self.answer.bytes);
        }
        let (input, answer) = (&mut self.input, &mut self.answer);
        match self.road.answer(input, place, answered, answer, &mut self.caller) {
            Ok(Found::Message(next)) => self.waiting = Some(next),
            Ok(_) => {}
            Err(error) => return Err(self.last_words(error.into())),
        }
        if self.waiting.is_none() || self.caller.output.len() > ServerStub::FULL {
            self.caller.flush();
            // Both are empty now. One buffer for all outcomes is sooner in the cache than two.
            mem::swap(&mut self.answer.bytes, &mut self.caller.output);
        }
        self.message_ended()
    }

    /// What [`process`](ServerStub::process) does if there is no message, and the client has not left.
    #[cold]
    fn without_message(&mut self, received: Result<Received>) -> Result<bool> {
        match received {
            #[cfg(feature = "http")]
            Ok(Received::Refused) => {
                self.caller.flush();
                match self.caller.is_told_to_stop() {
                    true => self.without_message(Ok(Received::Leave)),
                    false => self.message_ended(),
                }
            }
            Ok(Received::Leave) => {
                self.leave();
                Ok(false)
            }
            Ok(_) => Ok(false),
            Err(error) => Err(self.last_words(error)),
        }
    }

    fn message_ended(&mut self) -> Result<bool> {
        self.patience.message_ended();
        self.caller.broken.take().map_or(Ok(true), Err)
    }

    fn receive(&mut self) -> Result<Received> {
        if let Some(message) = self.waiting.take() {
            return Ok(Received::Message(message));
        }
        if self.road.is_finished() {
            return Ok(Received::Leave);
        }
        if !self.road.tells_of_stop() && self.caller.is_told_to_stop() {
            return Ok(Received::Leave);
        }
        self.caller.reads = self.caller.reads.saturating_add(1);
        loop {
            let came = self.input.fill(&self.caller.connection, true);
            match came.map_err(|error| Error::transport("receiving", error))? {
                None => {}
                Some(0) => return self.ended(),
                Some(_) => {
                    match self.road.find(&mut self.input, &mut self.caller)? {
                        Found::Message(place) => return Ok(Received::Message(place)),
                        Found::Nothing => {}
                        #[cfg(feature = "http")]
                        Found::Refused => return Ok(Received::Refused),
                    }
                    // HTTP may have to say something before it gets the rest.
                    self.caller.flush();
                }
            }
            if self.road.torn(&self.input) > 0 {
                self.patience.message_began();
            }
            // What comes without end and is no message does not stop the clock.
            let woken = match self.patience.is_over() {
                true => Wake::TimedOut,
                false => self.wait()?,
            };
            match woken {
                Wake::Ready => {}
                Wake::Stop => return Ok(Received::Leave),
                Wake::TimedOut if self.patience.begun => {
                    let (_, limit) = self.patience.deadline();
                    return Err(ProtocolError::TooSlow(limit).into());
                }
                Wake::TimedOut => return Ok(Received::Leave),
            }
            self.caller.eager_until = last_tick() + ServerStub::EAGER;
        }
    }

    /// Waits for bytes, and gives memory back on the way if none come for a while.
    fn wait(&mut self) -> Result<Wake> {
        let failed = |error: io::Error| Error::transport("waiting for a message", error);
        let connection = &self.caller.connection;
        let (deadline, _) = self.patience.deadline();
        if !self.patience.begun {
            let breath = (Instant::now() + ServerStub::BREATH).min(deadline);
            let woken = connection.wait(PollFlags::IN, Some(breath)).map_err(failed)?;
            if woken != Wake::TimedOut {
                return Ok(woken);
            }
            self.road.shrink(&mut self.input);
            self.answer = ServerStub::new_answer(self.server, Vec::new());
            self.caller.output = Vec::new();
        }
        connection.wait(PollFlags::IN, Some(deadline)).map_err(failed)
    }

    // ANCHOR: ended
    fn ended(&self) -> Result<Received> {
        match self.road.torn(&self.input) {
            0 => Ok(Received::Closed),
            torn => Err(ProtocolError::Torn(torn).into()),
        }
    }
    // ANCHOR_END: ended

    /// Tells the client that the server goes, and which calls it did not execute.
    #[cold]
    fn leave(&mut self) {
        self.road.bye(self.caller.last, &mut self.caller.output);
        self.caller.close_gently(Caller::LINGER);
    }

    /// Tells the client what it did wrong, if there is still a way to.
    #[cold]
    fn last_words(&mut self, error: Error) -> Error {
        if let Error::Protocol(broken) = &error {
            self.end_with(Why::Broken(broken), Caller::LINGER);
        }
        error
    }

    fn end_with(&mut self, why: Why<'_>, linger: Duration) {
        self.road.last_words(why, &mut self.caller.output);
        self.caller.close_gently(linger);
    }
}

/// How long a message is waited for.
struct Patience<'a> {
    limits: &'a Limits,
    /// When the message must have begun, or ended once it has, and the limit that says so. It is set
    /// when it is first asked for, because a message that is there already needs no clock.
    deadline: Option<(Instant, Duration)>,
    /// Whether the message has begun.
    begun: bool,
    /// Whether it is the connection's first, which has one limit for all of it.
    first: bool,
}

impl<'a> Patience<'a> {
    fn new(limits: &'a Limits) -> Patience<'a> {
        Patience { limits, deadline: None, begun: false, first: true }
    }

    fn deadline(&mut self) -> (Instant, Duration) {
        let limit = if self.first { self.limits.first_message } else { self.limits.idle };
        *self.deadline.get_or_insert_with(|| (from_now(limit), limit))
    }

    fn is_over(&mut self) -> bool {
        self.deadline().0 <= Instant::now()
    }

    fn message_began(&mut self) {
        if !self.begun {
            self.begun = true;
            let end = (from_now(self.limits.message), self.limits.message);
            self.deadline = Some(if self.first { self.deadline().min(end) } else { end });
        }
    }

    fn message_ended(&mut self) {
        (self.deadline, self.begun, self.first) = (None, false, false);
    }
}
