//! What a protocol calls back for each call: the end of step 4, steps 5 and 6, and the way of what
//! is sent in step 7.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::error::{Error, Result};
use crate::message::{Call, Fault, Outcome, Packed};
use crate::procedure::{Procedures, Stage};
use crate::protocol::Calls;
use crate::server::Server;
use crate::steps::Step;
use crate::transport::{Connection, Wake, from_now, wait_for};

/// What a call needs besides the message: a part of the stub of its own, because the protocol
/// borrows the message from the rest while it calls back.
pub(super) struct Caller<'a> {
    pub(super) server: &'a Server,
    pub(super) connection: Connection,
    /// Packed outcomes that were not sent yet.
    pub(super) output: Vec<u8>,
    /// Until when the stub reads without the wait before it that also sees a stop: a client that
    /// has just called is likely to call again, and the wait costs as much as the read.
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
