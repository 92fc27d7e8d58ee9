//! The nine steps, as they happen: who watches them, and the one place that tells.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The nine steps of a remote procedure call (Birrell and Nelson's five pieces, in the order in
/// which textbooks count their work).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Step {
    /// 1: the client calls a procedure as if it were local.
    Call = 1,
    /// 2: the client stub packs the procedure's name and arguments into a message.
    Pack,
    /// 3: the client stub sends the message over the channel.
    Send,
    /// 4: the server stub receives the message and unpacks name and arguments.
    Unpack,
    /// 5: the server stub calls the local procedure.
    Invoke,
    /// 6: the server runs it and returns the result to the server stub.
    Run,
    /// 7: the server stub packs the result and sends it.
    Reply,
    /// 8: the client stub receives the message and unpacks the result.
    Receive,
    /// 9: the client has the result.
    Result,
}

impl Step {
    /// All nine, in order.
    pub const ALL: [Step; 9] = [
        Step::Call,
        Step::Pack,
        Step::Send,
        Step::Unpack,
        Step::Invoke,
        Step::Run,
        Step::Reply,
        Step::Receive,
        Step::Result,
    ];

    /// 1 to 9.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Who takes the step: `client`, `client stub`, `server stub` or `server`.
    pub fn who(self) -> &'static str {
        match self {
            Step::Call | Step::Result => "client",
            Step::Pack | Step::Send | Step::Receive => "client stub",
            Step::Unpack | Step::Invoke | Step::Reply => "server stub",
            Step::Run => "server",
        }
    }

    /// What is done, in a few words.
    pub fn what(self) -> &'static str {
        match self {
            Step::Call => "calls the procedure as if it were local",
            Step::Pack => "packs name and arguments into a message",
            Step::Send => "sends the message over the channel",
            Step::Unpack => "receives the message and unpacks name and arguments",
            Step::Invoke => "calls the local procedure",
            Step::Run => "runs the procedure and returns its result",
            Step::Reply => "packs the result and sends it",
            Step::Receive => "receives the message and unpacks the result",
            Step::Result => "has the result",
        }
    }

    /// One word for log lines.
    fn verb(self) -> &'static str {
        match self {
            Step::Call => "call",
            Step::Pack => "pack",
            Step::Send => "send",
            Step::Unpack => "unpack",
            Step::Invoke => "invoke",
            Step::Run => "run",
            Step::Reply => "reply",
            Step::Receive => "receive",
            Step::Result => "result",
        }
    }
}

/// One step of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Which step.
    pub step: Step,
    /// The procedure's name, where this step knows it (1 to 6).
    pub procedure: &'a str,
    /// The call's number on its connection; 0 for a notification and for a batch's step 3.
    pub id: u32,
    /// The message, where this step has one in its hands (2, 3, 4, 7, 8). Over HTTP it is the body,
    /// and in step 3 the whole request.
    pub bytes: &'a [u8],
    /// The process that took the step.
    pub process: u32,
    /// The thread that took the step: the kernel's number for it, on Linux.
    pub thread: u64,
    /// When: the machine's monotonic clock, which all its processes share.
    pub at: Duration,
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, who, verb) = (self.step.number(), self.step.who(), self.step.verb());
        write!(f, "[{number}/9 {who}] {verb}")?;
        if !self.procedure.is_empty() {
            write!(f, " {}", self.procedure)?;
        }
        write!(f, " id={}", self.id)?;
        if !self.bytes.is_empty() {
            write!(f, " {} bytes", self.bytes.len())?;
        }
        Ok(())
    }
}

/// Watches steps. It is called on the thread that takes the step, which waits for it.
pub trait Observer: Send + Sync {
    /// A step was taken. Step 3 is told after the bytes were handed to the operating system, once
    /// for a whole batch; step 7 when the reply is packed: it goes out with the next write.
    fn observe(&self, event: &Event<'_>);
}

/// The `log` target of the lines that every step writes at debug level.
pub const LOG_TARGET: &str = "ninestep::steps";

/// Tells the steps to the log and to the observer, if anybody wants to know.
#[derive(Clone, Default)]
pub(crate) struct Steps {
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

impl Steps {
    /// Whether anybody wants to know.
    #[inline]
    pub(crate) fn are_watched(&self) -> bool {
        self.observer.is_some() || log::log_enabled!(target: LOG_TARGET, log::Level::Debug)
    }

    /// Off, this costs two comparisons.
    #[inline]
    pub(crate) fn tell(&self, step: Step, procedure: &str, id: u32, bytes: &[u8]) {
        if self.are_watched() {
            self.tell_somebody(step, procedure, id, bytes);
        }
    }

    #[cold]
    fn tell_somebody(&self, step: Step, procedure: &str, id: u32, bytes: &[u8]) {
        let (process, at) = (std::process::id(), now());
        let event = Event { step, procedure, id, bytes, process, thread: thread_id(), at };
        log::debug!(target: LOG_TARGET, "{event}");
        if let Some(observer) = &self.observer {
            observer.observe(&event);
        }
    }
}

fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(target_os = "linux")]
fn thread_id() -> u64 {
    u64::from(rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned())
}

#[cfg(not(target_os = "linux"))]
fn thread_id() -> u64 {
    // `ThreadId` prints as `ThreadId(7)`, and its number has no stable accessor.
    let name = format!("{:?}", std::thread::current().id());
    name.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
}

/// An observer that keeps what it saw.
///
/// ```
/// use std::sync::Arc;
/// use ninestep::{Channel, ClientStub, Procedures, Recorder, Server};
///
/// let steps = Arc::new(Recorder::default());
/// let procedures = Procedures::new().on("add", |a: i64, b: i64| a + b);
/// let server = Server::new(procedures).observer(steps.clone());
/// let (channel, connection) = Channel::in_memory()?;
/// std::thread::spawn(move || server.serve(connection));
///
/// let stub = ClientStub::new(&channel.observer(steps.clone()))?;
/// let sum: i64 = stub.call("add", (10, 5))?;
/// assert_eq!(sum, 15);
/// assert_eq!(steps.take().len(), 9);
/// # Ok::<(), ninestep::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Recorder {
    events: Mutex<Vec<Recorded>>,
}

/// A recorded [`Event`], which owns what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Which step.
    pub step: Step,
    /// The procedure's name, where the step knows it.
    pub procedure: String,
    /// The call's number on its connection.
    pub id: u32,
    /// The message, where the step has one.
    pub bytes: Vec<u8>,
    /// The process that took the step.
    pub process: u32,
    /// The thread that took the step.
    pub thread: u64,
    /// When, on the machine's monotonic clock.
    pub at: Duration,
}

impl From<&Event<'_>> for Recorded {
    fn from(event: &Event<'_>) -> Recorded {
        Recorded {
            step: event.step,
            procedure: event.procedure.to_owned(),
            id: event.id,
            bytes: event.bytes.to_owned(),
            process: event.process,
            thread: event.thread,
            at: event.at,
        }
    }
}

impl Recorder {
    /// Takes what was recorded so far, in the order of time.
    pub fn take(&self) -> Vec<Recorded> {
        let mut events = std::mem::take(&mut *self.lock());
        events.sort_by_key(|event| event.at);
        events
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Recorded>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recorder {
    fn observe(&self, event: &Event<'_>) {
        self.lock().push(Recorded::from(event));
    }
}
