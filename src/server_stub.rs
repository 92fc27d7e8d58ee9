//! Steps 4 to 7, for one connection: receive, unpack, call, pack, send.

use std::any::Any;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::error::{Error, ProtocolError, Result};
use crate::message::{Call, Fault, Outcome, Packed};
use crate::procedure::Procedures;
use crate::procedure::Stage;
use crate::protocol::{Answer, Calls, Finder, Message, Side};
use crate::server::{Limits, Server};
use crate::steps::Step;
use crate::transport::{Connection, ReadBuffer, Wake, from_now, last_tick, wait_for};

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
    finder: Box<dyn Finder>,
    input: ReadBuffer,
    /// The outcome that is being packed.
    answer: Answer,
    /// A whole message that is in the input already.
    waiting: Option<Range<usize>>,
    /// Until when the stub reads without the wait before it that also sees a stop: a client that
    /// has just called is likely to call again, and the wait costs as much as the read.
    eager_until: Duration,
    /// When the connection may be given up: see [`Limits`](crate::Limits).
    patience: Patience,
    caller: Caller<'a>,
}

/// What a call needs besides the message: a part of the stub of its own, because the protocol
/// borrows the message from the rest while it calls back.
struct Caller<'a> {
    server: &'a Server,
    connection: Connection,
    /// Packed outcomes that were not sent yet.
    output: Vec<u8>,
    /// When the messages that are being answered came; `None` for a lone one, which came now.
    received: Option<Instant>,
    /// The highest id that was called.
    last: u32,
    /// Sending failed: there is nobody to run a procedure for.
    broken: Option<Error>,
}

/// What a protocol calls back while it answers one message.
struct Answering<'m, 'a> {
    caller: &'m mut Caller<'a>,
    message: &'m [u8],
    /// The id of the last call in it.
    called: Option<u32>,
}

/// What a stub receives.
enum Received {
    /// A whole message; this is its place in the input.
    Message(Range<usize>),
    /// The client closed the connection between two messages.
    Closed,
    /// The server is stopping, or the client was idle for too long.
    Leave,
}

impl<'a> ServerStub<'a> {
    /// Output that is sent even if further messages are waiting.
    const FULL: usize = 64 * 1024;
    /// How long the rest of what a client sends is read, so that closing does not take the last
    /// words with it: a connection that is closed with unread input is reset.
    const LINGER: Duration = Duration::from_secs(2);
    /// The same for a connection that was refused: whoever refuses has others to serve.
    const REFUSAL_LINGER: Duration = Duration::from_millis(50);
    /// How long a stop may stay unseen because the stub reads without waiting for it: this long
    /// since it last looked, and this long again in one read.
    const EAGER: Duration = Duration::from_millis(5);
    /// How long a connection is idle before the memory of large messages is given back.
    const BREATH: Duration = Duration::from_secs(1);

    /// A stub that answers this connection with this server's procedures.
    pub fn new(server: &'a Server, connection: Connection) -> ServerStub<'a> {
        connection.limit_reads(ServerStub::EAGER);
        ServerStub {
            server,
            finder: server.protocol.finder(Side::Server),
            input: ReadBuffer::default(),
            answer: Answer::default(),
            waiting: None,
            eager_until: Duration::ZERO,
            patience: Patience::new(server.limits),
            caller: Caller {
                server,
                connection,
                output: Vec::new(),
                received: None,
                last: 0,
                broken: None,
            },
        }
    }

    // ANCHOR: serve
    /// Serves the connection to its end, and logs why it ended if that was no good end.
    pub fn serve(mut self) {
        if let Some(fault) = self.caller.connection.refusal.take() {
            return self.end_with(&fault, ServerStub::REFUSAL_LINGER);
        }
        loop {
            match self.process() {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    let (peer, why) = (self.caller.connection.peer_name(), error.with_causes());
                    return log::info!("the connection from {peer} ended: {why}");
                }
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
        let message = match self.receive() {
            Ok(Received::Message(message)) => message,
            Ok(Received::Closed) => return Ok(false),
            Ok(Received::Leave) => {
                self.leave();
                return Ok(false);
            }
            Err(error) => return Err(self.last_words(error)),
        };
        let bytes = &self.input.unread()[message.clone()];
        let mut answering = Answering { caller: &mut self.caller, message: bytes, called: None };
        let came = Message::new(bytes);
        let answered = self.server.protocol.answer(came, &mut answering, &mut self.answer);
        if let Some(id) = answering.called {
            self.server.steps.tell(Step::Reply, "", id, &self.answer.bytes);
        }
        self.caller.collect(&mut self.answer.bytes);
        self.input.consume(message.end);
        let next = answered.and_then(|()| match self.input.unread() {
            [] => Ok(None),
            rest => self.finder.find(rest),
        });
        match next {
            Ok(next) => self.waiting = next,
            Err(error) => return Err(self.last_words(error.into())),
        }
        if self.waiting.is_none() || self.caller.output.len() > ServerStub::FULL {
            self.caller.flush();
            // Both are empty now. One buffer for all outcomes is sooner in the cache than two.
            std::mem::swap(&mut self.answer.bytes, &mut self.caller.output);
        }
        self.patience.message_ended();
        match self.caller.broken.take() {
            Some(error) => Err(error),
            None => Ok(true),
        }
    }

    fn receive(&mut self) -> Result<Received> {
        if let Some(message) = self.waiting.take() {
            return Ok(Received::Message(message));
        }
        let mut ready = last_tick() < self.eager_until;
        loop {
            if ready {
                let came = self.input.fill(&self.caller.connection, true);
                match came.map_err(|error| Error::transport("receiving", error))? {
                    None => {}
                    Some(0) => return self.ended(),
                    Some(_) => {
                        if let Some(message) = self.finder.find(self.input.unread())? {
                            let alone = message.end == self.input.unread().len();
                            self.caller.received = (!alone).then(Instant::now);
                            return Ok(Received::Message(message));
                        }
                    }
                }
            }
            if !self.input.unread().is_empty() {
                self.patience.message_began();
            }
            match self.wait()? {
                Wake::Ready => ready = true,
                Wake::Stop => return Ok(Received::Leave),
                Wake::TimedOut if self.patience.begun => {
                    return Err(ProtocolError::TooSlow(self.server.limits.message).into());
                }
                Wake::TimedOut => return Ok(Received::Leave),
            }
            self.eager_until = last_tick() + ServerStub::EAGER;
        }
    }

    /// Waits for bytes, and gives memory back on the way if none come for a while.
    fn wait(&mut self) -> Result<Wake> {
        let failed = |error: io::Error| Error::transport("waiting for a message", error);
        let connection = &self.caller.connection;
        let deadline = self.patience.deadline();
        if !self.patience.begun {
            let breath = (Instant::now() + ServerStub::BREATH).min(deadline);
            let woken = connection.wait(PollFlags::IN, Some(breath)).map_err(failed)?;
            if woken != Wake::TimedOut {
                return Ok(woken);
            }
            self.input.shrink();
            self.answer = Answer::default();
            self.caller.output = Vec::new();
        }
        connection.wait(PollFlags::IN, Some(deadline)).map_err(failed)
    }

    // ANCHOR: ended
    fn ended(&self) -> Result<Received> {
        match self.input.unread().len() {
            0 => Ok(Received::Closed),
            torn => Err(ProtocolError::Torn(torn).into()),
        }
    }
    // ANCHOR_END: ended

    /// Tells the client that the server goes, and which calls it did not execute.
    fn leave(&mut self) {
        if let Some(framing) = self.server.protocol.transport().framing() {
            framing.bye(self.caller.last, &mut self.caller.output);
        }
        self.close_gently(ServerStub::LINGER);
    }

    /// Tells the client what it did wrong, if there is still a way to.
    fn last_words(&mut self, error: Error) -> Error {
        if let Error::Protocol(broken) = &error {
            let code = match broken {
                ProtocolError::UnknownKind(_)
                | ProtocolError::UnexpectedKind(_)
                | ProtocolError::BadId(_) => Fault::INVALID_CALL,
                _ => Fault::PARSE,
            };
            self.end_with(&Fault::new(code, broken.to_string()), ServerStub::LINGER);
        }
        error
    }

    fn end_with(&mut self, fault: &Fault, linger: Duration) {
        if let Some(framing) = self.server.protocol.transport().framing() {
            framing.last_words(fault, &mut self.caller.output);
        }
        self.close_gently(linger);
    }

    fn close_gently(&mut self, linger: Duration) {
        self.caller.flush();
        if self.caller.broken.is_some() {
            return;
        }
        let connection = &self.caller.connection;
        connection.finish_sending();
        let end = Some(Instant::now() + linger);
        let mut rest = Vec::with_capacity(ReadBuffer::LEAST_ROOM);
        while let Ok(Wake::Ready) = wait_for(connection, PollFlags::IN, end) {
            rest.clear();
            match connection.receive_some(&mut rest, false) {
                Ok(Some(0)) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}

/// How long a message is waited for.
struct Patience {
    limits: Limits,
    /// When the message must have begun, or ended once it has. It is set when it is first asked
    /// for, because a message that is there already needs no clock.
    deadline: Option<Instant>,
    /// Whether the message has begun.
    begun: bool,
    /// Whether it is the connection's first, which has one limit for all of it.
    first: bool,
}

impl Patience {
    fn new(limits: Limits) -> Patience {
        Patience {
            limits,
            deadline: Some(from_now(limits.first_message)),
            begun: false,
            first: true,
        }
    }

    fn deadline(&mut self) -> Instant {
        *self.deadline.get_or_insert_with(|| from_now(self.limits.idle))
    }

    fn message_began(&mut self) {
        if !self.begun {
            self.begun = true;
            let end = from_now(self.limits.message);
            let first = self.deadline.filter(|_| self.first);
            self.deadline = Some(first.map_or(end, |first| first.min(end)));
        }
    }

    fn message_ended(&mut self) {
        (self.deadline, self.begun, self.first) = (None, false, false);
    }
}

impl Caller<'_> {
    /// Moves a packed outcome to those that wait to be sent; a large one is not copied.
    fn collect(&mut self, outcome: &mut Vec<u8>) {
        if self.output.is_empty() {
            std::mem::swap(&mut self.output, outcome);
        } else {
            self.output.append(outcome);
        }
    }

    /// Sends all outcomes, in one write if the operating system takes them.
    fn flush(&mut self) {
        if self.broken.is_none() && !self.output.is_empty() {
            self.broken = self.send_output().err();
        }
        self.output.clear();
    }

    /// Whether the message that is being answered came that long ago.
    fn waited_for(&self, milliseconds: u32) -> bool {
        let limit = Duration::from_millis(milliseconds.into());
        self.received.is_some_and(|received| received.elapsed() >= limit)
    }

    fn send_output(&self) -> Result<()> {
        let failed = |error: io::Error| Error::transport("sending a reply", error);
        let limits = &self.server.limits;
        let (mut rest, mut end, mut stopping) = (&self.output[..], None, false);
        loop {
            rest = &rest[self.connection.send_some(rest).map_err(failed)?..];
            if rest.is_empty() {
                return Ok(());
            }
            let end = end.get_or_insert_with(|| from_now(limits.write));
            let woken = match stopping {
                false => self.connection.wait(PollFlags::OUT, Some(*end)),
                true => wait_for(&self.connection, PollFlags::OUT, Some(*end)),
            };
            match woken.map_err(failed)? {
                Wake::Ready => {}
                Wake::TimedOut => return Err(failed(io::ErrorKind::TimedOut.into())),
                Wake::Stop => {
                    stopping = true;
                    *end = (*end).min(from_now(limits.drain));
                }
            }
        }
    }
}

impl Calls for Answering<'_, '_> {
    /// The end of step 4, steps 5 and 6, and the beginning of 7.
    fn call(
        &mut self,
        call: Call<'_, '_>,
        reply: &mut dyn FnMut(Outcome<'_>) -> Result<(), Fault>,
    ) {
        let Call { id, procedure: name, arguments, patience_ms } = call;
        let (caller, message) = (&mut *self.caller, self.message);
        if let Packed::Other(_) = arguments {
            // A later call of the same message waits for this one. The native wire has one call
            // to a message, and needs no clock.
            caller.received.get_or_insert_with(Instant::now);
        }
        let steps = &caller.server.steps;
        if id != 0 && id.wrapping_sub(caller.last).cast_signed() > 0 {
            caller.last = id;
        }
        let mut finish = |outcome: Outcome<'_>| {
            if let Err(fault) = reply(outcome) {
                log::error!("the outcome of {name} cannot be sent: {fault}");
                // A fault of a few words can be packed by every protocol.
                let _ = reply(Err(fault));
            }
        };
        self.called = Some(id);
        // ANCHOR: lookup
        let Some(procedure) = caller.server.procedures.get(name) else {
            steps.tell(Step::Unpack, name, id, message);
            return finish(Err(Fault::no_such_procedure(name)));
        };
        // ANCHOR_END: lookup
        if patience_ms.is_some_and(|ms| caller.waited_for(ms)) {
            let message = "the deadline had passed when the call came up; it was not executed";
            return finish(Err(Fault::new(Fault::DEADLINE_PASSED, message)));
        }
        // Finished replies must not wait for a procedure that may take long. How long it takes is
        // of interest only then.
        let began = (!caller.output.is_empty()).then(Instant::now);
        if began.is_some() && !procedure.is_quick() {
            caller.flush();
        }
        if caller.broken.is_some() {
            return;
        }
        // ANCHOR: catch
        let run = AssertUnwindSafe(|| {
            procedure.invoke(arguments, &mut |stage| match stage {
                Stage::Unfit(fault) => {
                    steps.tell(Step::Unpack, name, id, message);
                    finish(Err(fault));
                }
                Stage::Unpacked => {
                    steps.tell(Step::Unpack, name, id, message);
                    steps.tell(Step::Invoke, name, id, &[]);
                }
                Stage::Returned(outcome) => {
                    steps.tell(Step::Run, name, id, &[]);
                    finish(outcome);
                }
            });
        });
        if let Err(panic) = catch_unwind(run) {
            log::error!("{name} panicked: {}", panic_text(&*panic));
            let _ = reply(Err(Fault::new(Fault::INTERNAL, format!("{name} failed inside"))));
        }
        // ANCHOR_END: catch
        if let Some(began) = began {
            procedure.took(began.elapsed());
        }
    }

    fn procedures(&self) -> &Procedures {
        &self.caller.server.procedures
    }
}

/// What a panic said; `panic!` with a text gives one of these two.
fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}
