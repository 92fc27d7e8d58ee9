//! What a protocol calls back for each call: the end of step 4, steps 5 and 6, and the way of what
//! is sent in step 7.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::error::{Error, Result};
use crate::message::{Call, Fault, Outcome, Packed};
use crate::procedure::{Procedures, Registered};
use crate::protocol::{Calls, Parts, Reply};
use crate::server::Server;
use crate::server_stub::ServerStub;
use crate::steps::{Step, Steps};
use crate::transport::{Connection, ReadBuffer, Wake, from_now, last_tick, wait_for};

/// What a call needs besides the message: a part of the stub of its own, because the protocol
/// borrows the message from the rest while it calls back.
pub(super) struct Caller<'a> {
    pub(super) server: &'a Server,
    pub(super) connection: Connection,
    /// Packed outcomes that were not sent yet.
    pub(super) output: Vec<u8>,
    /// How often the stub has read, up to 255 times.
    pub(super) reads: u8,
    /// Until when the stub reads without looking for a stop. It looks, and reads at once: a client
    /// that has just called is likely to call again, and a wait for both costs as much as the read.
    pub(super) eager_until: Duration,
    /// When the messages that are being answered came; `None` for a lone one, which came now.
    pub(super) received: Option<Instant>,
    /// The highest id that was called.
    pub(super) last: u32,
    /// Sending failed: there is nobody to run a procedure for.
    pub(super) broken: Option<Error>,
}

/// What a protocol calls back while it answers one message.
pub(super) struct Answering<'m, 'a> {
    pub(super) caller: &'m mut Caller<'a>,
    pub(super) message: &'m [u8],
    /// The id of the last call in it.
    pub(super) called: Option<u32>,
}

impl Caller<'_> {
    /// How long the rest of what a client sends is read, so that closing does not take the last
    /// words with it: a connection that is closed with unread input is reset.
    pub(super) const LINGER: Duration = Duration::from_secs(2);

    /// Whether the server was told to stop, as far as a look from time to time can tell.
    ///
    /// Most connections are for one call and then end: until then no clock is read, which is a page
    /// fault to a forked child.
    pub(super) fn is_told_to_stop(&mut self) -> bool {
        if self.reads == 0 || (self.reads > 1 && last_tick() < self.eager_until) {
            return false;
        }
        let told = self.connection.is_told_to_stop();
        if self.reads > 1 {
            self.eager_until = last_tick() + ServerStub::EAGER;
        }
        told
    }

    /// Moves a packed outcome to those that wait to be sent; a large one is not copied.
    pub(super) fn collect(&mut self, outcome: &mut Vec<u8>) {
        if self.output.is_empty() {
            std::mem::swap(&mut self.output, outcome);
        } else {
            self.output.append(outcome);
        }
    }

    /// Sends all outcomes, in one write if the operating system takes them.
    pub(super) fn flush(&mut self) {
        if self.broken.is_none() && !self.output.is_empty() {
            self.broken = self.send_output().err();
        }
        self.output.clear();
    }

    /// Closes the connection when the client has closed it too, or soon.
    pub(super) fn close_gently(&mut self, linger: Duration) {
        self.flush();
        if self.broken.is_some() {
            return;
        }
        self.connection.finish_sending();
        let end = Instant::now() + linger;
        let mut rest = Vec::with_capacity(ReadBuffer::LEAST_ROOM);
        // A client that never stops sending is always ready.
        while Instant::now() < end
            && let Ok(Wake::Ready) = wait_for(&self.connection, PollFlags::IN, Some(end))
        {
            rest.clear();
            match self.connection.receive_some(&mut rest, false) {
                Ok(Some(0)) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    /// Sends an outcome whose long byte strings are not in its bytes, after those before it.
    #[cold]
    fn send_parts(&mut self, parts: &Parts<'_>) {
        self.flush();
        if self.broken.is_none() {
            // Half a message is what a panic of the result's own code leaves behind.
            self.broken = Some(Error::Closed { sent: true });
            let sent = parts.send(&mut |bytes, more| {
                self.send_rest(bytes, self.connection.send_some_of(bytes, more))
            });
            self.broken = sent.err();
        }
    }

    fn send_output(&self) -> Result<()> {
        match self.connection.send_some(&self.output) {
            Ok(sent) if sent == self.output.len() => Ok(()),
            sent => self.send_rest(&self.output, sent),
        }
    }

    /// Sends what the operating system did not take at once.
    #[cold]
    fn send_rest(&self, mut rest: &[u8], mut sent: io::Result<usize>) -> Result<()> {
        let failed = |error: io::Error| Error::transport("sending a reply", error);
        let limits = &self.server.limits;
        let (mut end, mut stopping) = (from_now(limits.write), false);
        loop {
            rest = &rest[sent.map_err(failed)?..];
            if rest.is_empty() {
                return Ok(());
            }
            let woken = match stopping {
                false => self.connection.wait(PollFlags::OUT, Some(end)),
                true => wait_for(&self.connection, PollFlags::OUT, Some(end)),
            };
            match woken.map_err(failed)? {
                Wake::Ready => {}
                Wake::TimedOut => return Err(failed(io::ErrorKind::TimedOut.into())),
                Wake::Stop => {
                    stopping = true;
                    end = end.min(from_now(limits.drain));
                }
            }
            sent = self.connection.send_some(rest);
        }
    }
}

impl Calls for Answering<'_, '_> {
    fn call(
        &mut self,
        call: Call<'_, '_>,
        reply: &mut dyn FnMut(Outcome<'_>) -> Result<(), Fault>,
    ) {
        self.call_with_gaps(call, &mut |outcome, _| reply(outcome));
    }

    /// The end of step 4, steps 5 and 6, and the beginning of 7.
    fn call_with_gaps(&mut self, call: Call<'_, '_>, reply: &mut Reply<'_>) {
        let (caller, message) = (&mut *self.caller, self.message);
        let server = caller.server;
        if let Packed::Other(_) = call.arguments {
            // A later call of the same message waits for this one. The other wires need no clock:
            // they have one call to a message, or no deadlines.
            caller.received.get_or_insert_with(Instant::now);
        }
        if call.id != 0 && call.id.wrapping_sub(caller.last).cast_signed() > 0 {
            caller.last = call.id;
        }
        self.called = Some(call.id);
        let waited = |limit| caller.received.is_some_and(|it| it.elapsed() >= limit);
        let Some(procedure) = find(server, &call, waited, message, reply) else { return };
        // Finished replies must not wait for a procedure that may take long. How long it takes is
        // of interest only then.
        let began = (!caller.output.is_empty()).then(Instant::now);
        if began.is_some() && !procedure.is_quick() {
            caller.flush();
        }
        if caller.broken.is_some() {
            return;
        }
        run(server, procedure, call, message, reply, &mut |parts| caller.send_parts(parts));
        if let Some(began) = began {
            procedure.took(began.elapsed());
        }
    }

    fn procedures(&self) -> &Procedures {
        &self.caller.server.procedures
    }
}

/// The procedure that a call is for, unless it is not to be executed: then the caller is told why.
pub(super) fn find<'a>(
    server: &'a Server,
    call: &Call<'_, '_>,
    waited: impl FnOnce(Duration) -> bool,
    message: &[u8],
    reply: &mut Reply<'_>,
) -> Option<&'a Registered> {
    // ANCHOR: lookup
    let Some(procedure) = server.procedures.get(call.procedure) else {
        let name = String::from_utf8_lossy(call.procedure);
        server.steps.tell(Step::Unpack, &name, call.id, message);
        refuse(&name, Fault::no_such_procedure, reply);
        return None;
    };
    // ANCHOR_END: lookup
    if call.patience_ms.is_some_and(|ms| waited(Duration::from_millis(ms.into()))) {
        let message = "the deadline had passed when the call came up; it was not executed";
        refuse(&procedure.name, |_| Fault::new(Fault::DEADLINE_PASSED, message), reply);
        return None;
    }
    Some(procedure)
}

/// Runs a procedure.
// In one piece with its caller, as `ReadBuffer::find` is.
#[inline(always)]
pub(super) fn run(
    server: &Server,
    procedure: &Registered,
    call: Call<'_, '_>,
    message: &[u8],
    reply: &mut Reply<'_>,
    send: &mut dyn FnMut(&Parts<'_>),
) {
    let Call { id, arguments, .. } = call;
    let name = &*procedure.name;
    let mut teller = Teller { name, id, message, steps: &server.steps, reply, send };
    // ANCHOR: catch
    let run = AssertUnwindSafe(|| procedure.invoke(arguments, &mut teller));
    if let Err(panic) = catch_unwind(run) {
        refuse(name, |name| panicked(name, &*panic), reply);
    }
    // ANCHOR_END: catch
}

/// Where a procedure tells how far it has come: the end of step 4, steps 5 and 6, and what is
/// packed in 7.
pub struct Teller<'a> {
    name: &'a str,
    id: u32,
    message: &'a [u8],
    steps: &'a Steps,
    reply: &'a mut Reply<'a>,
    send: &'a mut dyn FnMut(&Parts<'_>),
}

impl Teller<'_> {
    /// The arguments do not fit; the procedure does not run.
    pub(crate) fn unfit(&mut self, fault: Fault) {
        self.steps.tell(Step::Unpack, self.name, self.id, self.message);
        refuse(self.name, |_| fault, self.reply);
    }

    /// The arguments are unpacked; the procedure is about to run.
    pub(crate) fn unpacked(&self) {
        self.steps.tell(Step::Unpack, self.name, self.id, self.message);
        self.steps.tell(Step::Invoke, self.name, self.id, &[]);
    }

    /// The procedure returned.
    #[inline]
    pub(crate) fn returned(&mut self, outcome: Outcome<'_>) {
        self.steps.tell(Step::Run, self.name, self.id, &[]);
        if let Err(fault) = (self.reply)(outcome, self.send) {
            refuse(self.name, |name| unsendable(name, fault), self.reply);
        }
    }
}

/// Answers with a fault, of which every protocol can pack at least the code. What a fault needs
/// would be part of the stack frame of every call if it stood there, and a thread's stack is what a
/// busy server touches most.
#[cold]
#[inline(never)]
fn refuse(name: &str, fault: impl FnOnce(&str) -> Fault, reply: &mut Reply<'_>) {
    let fault = fault(name);
    let code = fault.code;
    if reply(Err(fault), &mut |_| {}).is_err() {
        let _ = reply(Err(Fault::new(code, "")), &mut |_| {});
    }
}

fn unsendable(name: &str, fault: Fault) -> Fault {
    log::error!("the outcome of {name} cannot be sent: {fault}");
    fault
}

fn panicked(name: &str, panic: &(dyn Any + Send)) -> Fault {
    // What `panic!` with a text gives is one of these two.
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    log::error!("{name} panicked: {}", text.unwrap_or("no text"));
    Fault::new(Fault::INTERNAL, format!("{name} failed inside"))
}
