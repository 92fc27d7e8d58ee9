//! One connection, shared by everybody who calls over it: who writes, who reads, who is woken.
//!
//! There is no thread behind it. Whoever waits for an outcome reads, if nobody else does, and
//! hands on what belongs to others.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::channel::Channel;
use crate::error::{Error, ProtocolError, Result};
use crate::message::{Fault, Outgoing};
use crate::pending::{Deadline, Deliver, Pending, SharedSlot, Slot, TimeToSend, deliver};
use crate::protocol::{AnyFinder, Arrived, Framing, Gaps, Pack, Parts, Protocol, Request, Side};
use crate::steps::{Step, Steps};
use crate::transport::{Connection, ReadBuffer, Wake, wait_for};

/// One connection, shared by everybody who calls over it.
///
/// The locks are taken in this order: writer, reader, pending.
pub(crate) struct Wire {
    connection: Connection,
    pub(crate) protocol: Arc<dyn Protocol>,
    pub(crate) steps: Steps,
    pub(crate) writer: Mutex<Writer>,
    reader: Mutex<Reader>,
    pub(crate) pending: Mutex<Pending>,
    /// How many calls were made: the last 32 bits are the last call's id.
    calls: AtomicU64,
    /// Whether no call can be made any more.
    closed: AtomicBool,
}

pub(crate) struct Writer {
    hello: &'static [u8],
    greeted: bool,
    pub(crate) request: Request,
}

struct Reader {
    finder: AnyFinder,
    input: ReadBuffer,
}

impl Writer {
    /// Empties the buffer, and opens the conversation if that has not been done.
    pub(crate) fn begin(&mut self) {
        self.request.bytes.clear();
        self.request.gaps.clear();
        if !self.greeted {
            self.request.bytes.extend_from_slice(self.hello);
        }
    }
}

impl Wire {
    pub(crate) fn connect(channel: &Channel, framing: &dyn Framing) -> Result<Wire> {
        Ok(Wire {
            connection: channel.connect()?,
            protocol: Arc::clone(&channel.protocol),
            steps: channel.steps.clone(),
            writer: Mutex::new(Writer {
                hello: framing.hello(),
                greeted: false,
                request: Request {
                    gaps: Gaps::new(!channel.steps.are_watched()),
                    ..Request::default()
                },
            }),
            reader: Mutex::new(Reader {
                finder: framing.finder(Side::Client),
                input: ReadBuffer::default(),
            }),
            pending: Mutex::new(Pending::default()),
            calls: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    // ANCHOR: next-id
    /// A number for a call; 0 belongs to the connection.
    pub(crate) fn next_id(&self) -> u32 {
        loop {
            // The last 32 bits: after four billion calls the numbers begin anew.
            match (self.calls.fetch_add(1, Ordering::Relaxed) + 1) as u32 {
                0 => {}
                id => return id,
            }
        }
    }
    // ANCHOR_END: next-id

    /// Whether no number has come twice, so that a call need not be noted to be told from others.
    pub(crate) fn has_fresh_ids(&self) -> bool {
        self.calls.load(Ordering::Relaxed) < u64::from(u32::MAX)
    }

    /// Notes a call under a number of its own.
    pub(crate) fn insert(&self, slot: SharedSlot) -> Result<u32> {
        let mut pending = lock(&self.pending);
        // Checked under the lock: who closes the connection then tells all calls that are noted.
        if self.is_closed() {
            return Err(Error::Closed { sent: false });
        }
        loop {
            let id = self.next_id();
            if pending.insert(id, Arc::clone(&slot)) {
                return Ok(id);
            }
        }
    }

    /// Steps 1 and 2.
    pub(crate) fn pack(&self, out: &mut Request, call: &Outgoing<'_>) -> Result<()> {
        let id = call.id.unwrap_or(0);
        self.steps.tell(Step::Call, call.procedure, id, &[]);
        let start = out.bytes.len();
        self.protocol.pack(call, out).map_err(Error::Pack)?;
        self.steps.tell(Step::Pack, call.procedure, id, &out.bytes[start..]);
        Ok(())
    }

    /// Step 3: sends the writer's buffer, whose gaps the arguments fill. A failure ends the
    /// connection, unless nothing was sent in the caller's time. `leading` is the caller's, if it has
    /// the right to read.
    pub(crate) fn write(
        &self,
        writer: &mut Writer,
        arguments: &dyn Pack,
        leading: Option<&mut Leading<'_>>,
        deadline: Deadline,
    ) -> Result<()> {
        let Request { bytes, gaps, .. } = &writer.request;
        let sent = match gaps.is_empty() {
            true => self.send_all(bytes, leading, deadline),
            false => {
                let parts = Parts { bytes, gaps, value: arguments };
                self.send_parts(&parts, leading, deadline)
            }
        };
        // After a failure nobody writes, or the greeting is still to be sent.
        writer.greeted |= sent.is_ok();
        sent
    }

    fn send_all(
        &self,
        bytes: &[u8],
        leading: Option<&mut Leading<'_>>,
        deadline: Deadline,
    ) -> Result<()> {
        match self.connection.send_some(bytes) {
            Ok(sent) if sent == bytes.len() => Ok(()),
            sent => self.send_rest(bytes, sent, leading, deadline),
        }
    }

    #[cold]
    fn send_parts(
        &self,
        parts: &Parts<'_>,
        mut leading: Option<&mut Leading<'_>>,
        deadline: Deadline,
    ) -> Result<()> {
        let sending = AssertUnwindSafe(|| {
            parts.send(&mut |bytes, more| {
                let sent = self.connection.send_some_of(bytes, more);
                self.send_rest(bytes, sent, leading.as_deref_mut(), deadline)
            })
        });
        let sent = catch_unwind(sending).unwrap_or_else(|panic| {
            // The arguments' own code left half a message behind.
            self.end(&Error::Closed { sent: true });
            resume_unwind(panic)
        });
        // Of the first part nothing may have been sent, but that is a rare case.
        sent.inspect_err(|why| self.end_sending(why, leading))
    }

    /// Sends what the operating system did not take at once.
    #[cold]
    fn send_rest(
        &self,
        bytes: &[u8],
        sent: io::Result<usize>,
        mut leading: Option<&mut Leading<'_>>,
        deadline: Deadline,
    ) -> Result<()> {
        let mut rest = bytes;
        let sent = self.send_slowly(&mut rest, sent, leading.as_deref_mut(), deadline);
        sent.inspect_err(|why| match why {
            // The next call can be sent as if this one had never been tried.
            Error::Timeout(_) if rest.len() == bytes.len() => {}
            why => self.end_sending(why, leading),
        })
    }

    fn send_slowly(
        &self,
        rest: &mut &[u8],
        mut sent: io::Result<usize>,
        mut leading: Option<&mut Leading<'_>>,
        deadline: Deadline,
    ) -> Result<()> {
        let failed = |error: io::Error| Error::transport("sending a call", error);
        let mut time = TimeToSend::new(deadline);
        loop {
            let count = sent.map_err(failed)?;
            *rest = &rest[count..];
            if rest.is_empty() {
                return Ok(());
            }
            time.wait(&self.connection, count > 0)?;
            if let Some(leading) = leading.as_deref_mut() {
                leading.read(false)?;
            } else if let Some(mut leading) = self.try_lead() {
                leading.read(false)?;
            } else {
                thread::yield_now();
            }
            sent = self.connection.send_some(rest);
        }
    }

    /// The connection takes nothing more. What came on it is handed on still: the server's reason may
    /// be among it, and outcomes of other calls.
    fn end_sending(&self, why: &Error, leading: Option<&mut Leading<'_>>) {
        self.closed.store(true, Ordering::SeqCst);
        // Whoever is blocked in a read on another thread reads to the end now, and tells everybody.
        self.connection.shut_down();
        match (leading, self.try_lead()) {
            (Some(leading), _) => leading.read_last_words(why),
            (None, Some(mut leading)) => leading.read_last_words(why),
            (None, None) => {}
        }
    }

    /// Waits until the slot is filled, and reads meanwhile if nobody else does.
    pub(crate) fn wait<T>(&self, id: u32, slot: &Slot<T>, deadline: Deadline) -> Result<T> {
        let end = deadline.map(|(end, _)| end);
        loop {
            if let Some(outcome) = slot.take() {
                return outcome;
            }
            match self.try_lead() {
                Some(mut leading) => leading.read_until(|| slot.is_filled(), end),
                None => self.sleep(id, || slot.is_filled(), end),
            }
            // Not before: whoever comes late to wait may find an outcome that came in time.
            if let Some((end, timeout)) = deadline
                && Instant::now() >= end
                && !slot.is_filled()
            {
                // This thread may just have been chosen to read.
                self.wake_next_reader();
                return Err(Error::Timeout(timeout));
            }
        }
    }

    /// Waits while somebody else reads.
    fn sleep(&self, id: u32, filled: impl Fn() -> bool, end: Option<Instant>) {
        lock(&self.pending).park(id, thread::current());
        // Whoever read a moment ago may have left, or filled the slot, before the note above.
        match self.try_lead() {
            Some(mut leading) => leading.read_until(filled, end),
            None if filled() => {
                let was_chosen = lock(&self.pending).unpark(id).is_none();
                // Whoever left may have chosen this thread to read, which does not need to.
                if was_chosen {
                    self.wake_next_reader();
                }
                return;
            }
            None => match end {
                Some(end) => thread::park_timeout(end.saturating_duration_since(Instant::now())),
                None => thread::park(),
            },
        }
        lock(&self.pending).unpark(id);
    }

    /// Takes the reading over, unless somebody has it.
    pub(crate) fn try_lead(&self) -> Option<Leading<'_>> {
        match self.reader.try_lock() {
            Ok(reader) => Some(Leading::new(self, reader)),
            Err(TryLockError::Poisoned(reader)) => Some(Leading::new(self, reader.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn wake_next_reader(&self) {
        let next = lock(&self.pending).next_reader();
        if let Some(thread) = next {
            thread.unpark();
        }
    }

    /// The connection is of no use any more: everybody who waits is told.
    fn end(&self, why: &Error) {
        // Whoever is blocked in a read on another thread is to learn of it too.
        self.connection.shut_down();
        // The time-out is that of one caller, whose half message is in the way of all.
        let why = match why {
            Error::Timeout(_) => &Error::Closed { sent: true },
            why => why,
        };
        for id in self.close() {
            self.fill(id, |slot| slot.fail(why.clone()));
        }
    }

    /// Refuses calls from now on; the calls that wait.
    fn close(&self) -> Vec<u32> {
        self.closed.store(true, Ordering::SeqCst);
        lock(&self.pending).all()
    }

    // ANCHOR: fill
    /// Fills a noted call's slot and wakes its caller; a call that was given up is nobody's.
    fn fill(&self, id: u32, fill: impl FnOnce(&dyn Deliver)) {
        let Some(slot) = lock(&self.pending).take(id) else {
            return log::debug!("an outcome came for call {id}, for which nobody waits");
        };
        fill(&*slot);
        let caller = lock(&self.pending).unpark(id);
        caller.as_ref().map(Thread::unpark);
    }
    // ANCHOR_END: fill
}

/// The right to read. Whoever gives it up, for whatever reason, wakes the next.
pub(crate) struct Leading<'a> {
    wire: &'a Wire,
    reader: Option<MutexGuard<'a, Reader>>,
    /// The reading thread's own call, if it is noted nowhere else.
    own: Option<(u32, &'a dyn Deliver)>,
}

impl<'a> Leading<'a> {
    fn new(wire: &'a Wire, reader: MutexGuard<'a, Reader>) -> Leading<'a> {
        Leading { wire, reader: Some(reader), own: None }
    }

    pub(crate) fn owning<'b>(mut self, id: u32, slot: &'b dyn Deliver) -> Leading<'b>
    where
        'a: 'b,
    {
        Leading { wire: self.wire, reader: self.reader.take(), own: Some((id, slot)) }
    }

    /// Reads until the reader's own slot is filled or the deadline has passed.
    pub(crate) fn read_until(&mut self, filled: impl Fn() -> bool, deadline: Option<Instant>) {
        while !filled() {
            let woken = match deadline {
                None => Ok(Wake::Ready),
                Some(_) => wait_for(&self.wire.connection, PollFlags::IN, deadline),
            };
            let read = match woken {
                Ok(Wake::Ready) => self.read(deadline.is_none()),
                Ok(_) => return,
                Err(error) => Err(Error::transport("waiting for a reply", error)),
            };
            if let Err(why) = read {
                self.end(&why);
            }
            // There may always be more to read, from a server that does not stop.
            if deadline.is_some_and(|end| Instant::now() >= end) {
                return;
            }
        }
    }

    /// Reads once and delivers every whole message; whether anything came.
    fn read(&mut self, wait: bool) -> Result<bool> {
        let Leading { wire, reader: Some(reader), own } = self else { return Ok(false) };
        let Reader { finder, input } = &mut **reader;
        let came = input.fill(&wire.connection, wait);
        match came.map_err(|error| Error::transport("receiving a reply", error))? {
            None => return Ok(false),
            Some(0) => {
                return Err(match input.came() {
                    0 => Error::Closed { sent: true },
                    torn => ProtocolError::Torn(torn).into(),
                });
            }
            Some(_) => {}
        }
        // ANCHOR: read-once
        let news = News { wire, own: *own };
        while !input.unread().is_empty()
            && let Some(place) = input.find(finder, &wire.steps)?
        {
            let message = input.message(&place);
            wire.protocol.unpack(message, &mut |arrived| news.deliver(arrived, message.bytes))?;
            input.consume(place.end);
        }
        // ANCHOR_END: read-once
        Ok(true)
    }

    /// Reads what came before the connection broke; then everybody who still waits is told why it did.
    fn read_last_words(&mut self, why: &Error) {
        // A server that goes on sending is not listened to for ever.
        let end = Instant::now() + Duration::from_secs(1);
        while let Ok(true) = self.read(false)
            && Instant::now() < end
        {}
        self.end(why);
    }

    fn end(&self, why: &Error) {
        News { wire: self.wire, own: self.own }.end(why);
    }
}

// ANCHOR: pass-on
impl Drop for Leading<'_> {
    fn drop(&mut self) {
        if self.reader.take().is_some() {
            self.wire.wake_next_reader();
        }
    }
}
// ANCHOR_END: pass-on

/// Hands on what was read.
struct News<'a> {
    wire: &'a Wire,
    own: Option<(u32, &'a dyn Deliver)>,
}

impl News<'_> {
    /// Step 8: hands an outcome to its call, and other news to everybody.
    fn deliver(&self, arrived: Arrived<'_, '_>, bytes: &[u8]) {
        match arrived {
            Arrived::Outcome { id, outcome } => {
                self.wire.steps.tell(Step::Receive, "", id, bytes);
                self.fill(id, |slot| deliver(slot, outcome));
            }
            Arrived::Refused(fault) => self.end(&Error::Fault(fault)),
            Arrived::Bye { last } => self.bye(last),
        }
    }

    #[cold]
    fn bye(&self, last: u32) {
        let fault = "the server takes no more calls on this connection; not executed";
        let fault = Fault::new(Fault::STOPPING, fault);
        let waiting = self.wire.close().into_iter().chain(self.own.map(|(id, _)| id));
        // Numbers wrap around: the ones after `last` are those less than half a turn away.
        for id in waiting.filter(|id| id.wrapping_sub(last).cast_signed() > 0) {
            self.fill(id, |slot| slot.fail(Error::Fault(fault.clone())));
        }
    }

    #[cold]
    fn end(&self, why: &Error) {
        self.wire.end(why);
        if let Some((_, slot)) = self.own {
            slot.fail(why.clone());
        }
    }

    fn fill(&self, id: u32, fill: impl FnOnce(&dyn Deliver)) {
        match self.own {
            Some((own, slot)) if own == id => fill(slot),
            _ => self.wire.fill(id, fill),
        }
    }
}

/// A thread that panicked has left nothing half done under these locks.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
