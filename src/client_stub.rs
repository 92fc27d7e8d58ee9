//! Steps 1 to 3, 8 and 9: the client's end of one connection.
//!
//! Any number of threads may share a stub and have calls under way. There is no thread behind it:
//! whoever waits for an outcome reads, if nobody else does, and hands on what belongs to others.
//! A lone caller waits for nothing but its own reply, and leaves no note of itself anywhere.

use std::cell::OnceCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::channel::Channel;
use crate::error::{Error, ProtocolError, Result};
use crate::message::{Fault, Outgoing};
use crate::pending::{Deliver, Pending, SharedSlot, Slot};
use crate::protocol::{Arrived, Finder, Protocol, Side};
use crate::steps::{Step, Steps};
use crate::transport::{Connection, ReadBuffer, Wake, from_now, wait_for};

/// Calls procedures of the server at the other end of a connection.
///
/// Clones share the connection. It ends when the last of them, and of their [`PendingCall`]s, is
/// dropped.
///
/// ```
/// use ninestep::{Channel, ClientStub, Procedures, Server};
///
/// let server = Server::new(Procedures::new().on("add", |a: i64, b: i64| a + b));
/// let (channel, connection) = Channel::in_memory()?;
/// std::thread::spawn(move || server.serve(connection));
///
/// let stub = ClientStub::new(&channel)?;
/// let sum: i64 = stub.call("add", (10, 5))?;
/// assert_eq!(sum, 15);
/// # Ok::<(), ninestep::Error>(())
/// ```
#[derive(Clone)]
pub struct ClientStub {
    wire: Arc<Wire>,
    call_timeout: Option<Duration>,
}

impl ClientStub {
    /// Connects over a channel.
    ///
    /// # Errors
    /// Those of [`Channel::connect`].
    pub fn new(channel: &Channel) -> Result<ClientStub> {
        let wire = Wire {
            connection: channel.connect()?,
            protocol: Arc::clone(&channel.protocol),
            steps: channel.steps.clone(),
            writer: Mutex::new(Writer { greeted: false, buffer: Vec::new() }),
            reader: Mutex::new(Reader {
                finder: channel.protocol.finder(Side::Client),
                input: ReadBuffer::default(),
            }),
            pending: Mutex::new(Pending::default()),
            calls: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        };
        Ok(ClientStub { wire: Arc::new(wire), call_timeout: channel.call_timeout })
    }

    /// The same connection with another limit on how long a call may take; `None` is for ever.
    pub fn call_timeout(&self, timeout: impl Into<Option<Duration>>) -> ClientStub {
        ClientStub { wire: Arc::clone(&self.wire), call_timeout: timeout.into() }
    }

    /// Calls a procedure and waits for its result.
    ///
    /// `arguments` is a tuple or a sequence to give them by position, `()` for none, or a struct
    /// or a map to give them by name.
    ///
    /// # Errors
    /// Every [`Error`] but `Strategy`; [`Error::execution`] says whether the procedure ran.
    pub fn call<T>(&self, procedure: &str, arguments: impl Serialize) -> Result<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let wire = &*self.wire;
        let writer = lock(&wire.writer);
        match wire.try_lead() {
            Some(leading) if wire.has_fresh_ids() => {
                self.call_alone(writer, leading, procedure, &arguments)
            }
            _ => {
                drop(writer);
                self.send(procedure, arguments)?.wait()
            }
        }
    }

    /// [`call`](ClientStub::call) where nobody else reads: the caller reads from the beginning, so
    /// its outcome can come to no other thread, and its slot can stay on its stack.
    fn call_alone<T>(
        &self,
        mut writer: MutexGuard<'_, Writer>,
        leading: Leading<'_>,
        procedure: &str,
        arguments: &impl Serialize,
    ) -> Result<T>
    where
        T: DeserializeOwned + Send,
    {
        let wire = &*self.wire;
        if wire.is_closed() {
            return Err(Error::Closed { sent: false });
        }
        let (id, slot) = (wire.next_id(), OnceCell::<Result<T>>::new());
        let mut leading = leading.owning(id, &slot);
        let (deadline, timeout) = self.deadline().unzip();
        writer.begin(&*wire.protocol);
        wire.pack(&mut writer.buffer, &Outgoing { id: Some(id), procedure, arguments, deadline })?;
        wire.write(&mut writer, Some(&mut leading))?;
        wire.steps.tell(Step::Send, procedure, id, &writer.buffer);
        drop(writer);
        leading.read_until(|| slot.get().is_some(), deadline);
        drop(leading);
        let outcome = slot.into_inner();
        wire.steps.tell(Step::Result, "", id, &[]);
        outcome.unwrap_or_else(|| Err(Error::Timeout(timeout.unwrap_or_default())))
    }

    fn deadline(&self) -> Option<(Instant, Duration)> {
        self.call_timeout.map(|timeout| (from_now(timeout), timeout))
    }

    /// Sends a call at once and leaves the waiting for later, so that many can be under way.
    ///
    /// ```
    /// # let server = ninestep::Server::new(ninestep::demo::procedures());
    /// # let (channel, connection) = ninestep::Channel::in_memory()?;
    /// # std::thread::spawn(move || server.serve(connection));
    /// # let stub = ninestep::ClientStub::new(&channel)?;
    /// let sum = stub.send::<i64>("add", (10, 5))?;
    /// let difference = stub.send::<i64>("subtract", (10, 5))?;
    /// assert_eq!((sum.wait()?, difference.wait()?), (15, 5));
    /// # Ok::<(), ninestep::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of sending: `Pack`, `Closed`, `Transport`.
    pub fn send<T>(&self, procedure: &str, arguments: impl Serialize) -> Result<PendingCall<T>>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let mut writer = lock(&self.wire.writer);
        writer.begin(&*self.wire.protocol);
        let pending = self.pack(&mut writer.buffer, procedure, &arguments)?;
        self.wire.write(&mut writer, None)?;
        self.wire.steps.tell(Step::Send, procedure, pending.id, &writer.buffer);
        Ok(pending)
    }

    /// Calls a procedure that nobody waits for: it has no outcome, and no fault either.
    ///
    /// # Errors
    /// Those of sending: `Pack`, `Closed`, `Transport`.
    pub fn notify(&self, procedure: &str, arguments: impl Serialize) -> Result<()> {
        let mut writer = lock(&self.wire.writer);
        writer.begin(&*self.wire.protocol);
        self.pack_notification(&mut writer.buffer, procedure, &arguments)?;
        self.wire.write(&mut writer, None)?;
        self.wire.steps.tell(Step::Send, procedure, 0, &writer.buffer);
        Ok(())
    }

    /// Collects calls, to send them in one write.
    ///
    /// ```
    /// # let server = ninestep::Server::new(ninestep::demo::procedures());
    /// # let (channel, connection) = ninestep::Channel::in_memory()?;
    /// # std::thread::spawn(move || server.serve(connection));
    /// # let stub = ninestep::ClientStub::new(&channel)?;
    /// let mut batch = stub.batch();
    /// let sums: Vec<_> = (0..100).map(|n| batch.send::<i64>("add", (n, n))).collect::<Result<_, _>>()?;
    /// batch.flush()?;
    /// for (n, sum) in sums.into_iter().enumerate() {
    ///     assert_eq!(sum.wait()?, 2 * n as i64);
    /// }
    /// # Ok::<(), ninestep::Error>(())
    /// ```
    pub fn batch(&self) -> Batch<'_> {
        Batch { stub: self, bytes: Vec::new(), whole: 0 }
    }

    /// Steps 1 and 2. The outcome may come as soon as the bytes are sent, so the call is noted
    /// before.
    fn pack<T>(
        &self,
        out: &mut Vec<u8>,
        procedure: &str,
        arguments: &impl Serialize,
    ) -> Result<PendingCall<T>>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let slot = Arc::new(Slot::<T>::new());
        let id = self.wire.insert(slot.clone())?;
        let deadline = self.deadline();
        let wire = Arc::clone(&self.wire);
        let pending = PendingCall { wire, slot, id, deadline, noted: true };
        let deadline = deadline.map(|(deadline, _)| deadline);
        self.wire.pack(out, &Outgoing { id: Some(id), procedure, arguments, deadline })?;
        Ok(pending)
    }

    fn pack_notification(
        &self,
        out: &mut Vec<u8>,
        procedure: &str,
        arguments: &impl Serialize,
    ) -> Result<()> {
        if self.wire.is_closed() {
            return Err(Error::Closed { sent: false });
        }
        self.wire.pack(out, &Outgoing { id: None, procedure, arguments, deadline: None })
    }
}

/// Calls that are packed and not sent yet.
///
/// Whoever waits for one of them before [`flush`](Batch::flush) waits for ever. A batch that is
/// dropped sends what it holds.
#[must_use = "a batch is sent by `flush`"]
pub struct Batch<'a> {
    stub: &'a ClientStub,
    bytes: Vec<u8>,
    /// How many of the bytes are whole messages: arguments that panic leave half of one behind.
    whole: usize,
}

impl Batch<'_> {
    /// Packs a call.
    ///
    /// # Errors
    /// `Pack` or `Closed`; the batch is as it was.
    pub fn send<T>(&mut self, procedure: &str, arguments: impl Serialize) -> Result<PendingCall<T>>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.bytes.truncate(self.whole);
        let pending = self.stub.pack(&mut self.bytes, procedure, &arguments)?;
        self.whole = self.bytes.len();
        Ok(pending)
    }

    /// Packs a notification.
    ///
    /// # Errors
    /// `Pack` or `Closed`; the batch is as it was.
    pub fn notify(&mut self, procedure: &str, arguments: impl Serialize) -> Result<()> {
        self.bytes.truncate(self.whole);
        self.stub.pack_notification(&mut self.bytes, procedure, &arguments)?;
        self.whole = self.bytes.len();
        Ok(())
    }

    /// Sends what was packed since the last flush.
    ///
    /// # Errors
    /// `Transport`: the connection broke, and every call on it fails.
    pub fn flush(&mut self) -> Result<()> {
        self.bytes.truncate(self.whole);
        self.whole = 0;
        if self.bytes.is_empty() {
            return Ok(());
        }
        let wire = &self.stub.wire;
        let mut writer = lock(&wire.writer);
        writer.begin(&*wire.protocol);
        writer.buffer.append(&mut self.bytes);
        wire.write(&mut writer, None)?;
        wire.steps.tell(Step::Send, "", 0, &writer.buffer);
        Ok(())
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        // Whoever waits for one of the calls learns of a failure there.
        let _ = self.flush();
    }
}

/// A call under way. Dropping it gives the call up: its outcome is dropped when it comes.
#[must_use = "a call's outcome is had by `wait`"]
pub struct PendingCall<T> {
    wire: Arc<Wire>,
    slot: Arc<Slot<T>>,
    id: u32,
    /// When the caller stops waiting, and how long it said it would.
    deadline: Option<(Instant, Duration)>,
    /// Whether the call may still be noted as pending.
    noted: bool,
}

impl<T> PendingCall<T> {
    /// The number that the call and its reply carry on the wire.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Waits for the outcome, at most until the stub's call time-out.
    ///
    /// # Errors
    /// Those of [`ClientStub::call`].
    pub fn wait(mut self) -> Result<T> {
        let outcome = self.wire.wait(self.id, &self.slot, self.deadline);
        self.noted = matches!(outcome, Err(Error::Timeout(_)));
        self.wire.steps.tell(Step::Result, "", self.id, &[]);
        outcome
    }

    /// Waits for the outcome, at most this long from now, and gives the call up after it. The
    /// server is not told of this limit.
    ///
    /// # Errors
    /// Those of [`ClientStub::call`].
    pub fn wait_timeout(mut self, timeout: Duration) -> Result<T> {
        let sooner = (from_now(timeout), timeout);
        self.deadline = Some(self.deadline.map_or(sooner, |deadline| deadline.min(sooner)));
        self.wait()
    }
}

impl<T> Drop for PendingCall<T> {
    fn drop(&mut self) {
        if self.noted {
            lock(&self.wire.pending).forget(self.id);
        }
    }
}

/// One connection, shared by everybody who calls over it.
///
/// The locks are taken in this order: writer, reader, pending.
struct Wire {
    connection: Connection,
    protocol: Arc<dyn Protocol>,
    steps: Steps,
    writer: Mutex<Writer>,
    reader: Mutex<Reader>,
    pending: Mutex<Pending>,
    /// How many calls were made: the last 32 bits are the last call's id.
    calls: AtomicU64,
    /// Whether no call can be made any more.
    closed: AtomicBool,
}

struct Writer {
    greeted: bool,
    buffer: Vec<u8>,
}

struct Reader {
    finder: Box<dyn Finder>,
    input: ReadBuffer,
}

impl Writer {
    /// Empties the buffer, and opens the conversation if that has not been done.
    fn begin(&mut self, protocol: &dyn Protocol) {
        self.buffer.clear();
        if !self.greeted {
            self.buffer.extend_from_slice(protocol.hello());
        }
    }
}

impl Wire {
    /// How long a server may leave unread what is sent to it.
    const WRITE_LIMIT: Duration = Duration::from_secs(20);

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// A number for a call; 0 belongs to the connection.
    fn next_id(&self) -> u32 {
        loop {
            let [.., a, b, c, d] = (self.calls.fetch_add(1, Ordering::Relaxed) + 1).to_be_bytes();
            match u32::from_be_bytes([a, b, c, d]) {
                0 => {}
                id => return id,
            }
        }
    }

    /// Whether no number has come twice, so that a call need not be noted to be told from others.
    fn has_fresh_ids(&self) -> bool {
        self.calls.load(Ordering::Relaxed) < u64::from(u32::MAX)
    }

    /// Notes a call under a number of its own.
    fn insert(&self, slot: SharedSlot) -> Result<u32> {
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
    fn pack(&self, out: &mut Vec<u8>, call: &Outgoing<'_>) -> Result<()> {
        let id = call.id.unwrap_or(0);
        self.steps.tell(Step::Call, call.procedure, id, &[]);
        let start = out.len();
        self.protocol.pack(call, out).map_err(Error::Pack)?;
        self.steps.tell(Step::Pack, call.procedure, id, &out[start..]);
        Ok(())
    }

    /// Step 3: sends the writer's buffer; a failure ends the connection. `leading` is the
    /// caller's, if it has the right to read.
    fn write(&self, writer: &mut Writer, leading: Option<&mut Leading<'_>>) -> Result<()> {
        let sent = self.send_all(&writer.buffer, leading);
        writer.greeted = true;
        sent.inspect_err(|why| self.end(why))
    }

    fn send_all(&self, mut rest: &[u8], mut leading: Option<&mut Leading<'_>>) -> Result<()> {
        let failed = |error: io::Error| Error::transport("sending a call", error);
        let mut end = None;
        loop {
            rest = &rest[self.connection.send_some(rest).map_err(failed)?..];
            if rest.is_empty() {
                return Ok(());
            }
            // The server may not read because nobody takes its replies: so those are read here.
            let end = *end.get_or_insert_with(|| Instant::now() + Wire::WRITE_LIMIT);
            let flags = PollFlags::IN | PollFlags::OUT;
            if wait_for(&self.connection, flags, Some(end)).map_err(failed)? == Wake::TimedOut {
                return Err(failed(io::ErrorKind::TimedOut.into()));
            }
            match (leading.as_deref_mut(), self.try_lead()) {
                (Some(leading), _) => leading.read(false)?,
                (None, Some(mut leading)) => leading.read(false)?,
                (None, None) => thread::yield_now(),
            }
        }
    }

    /// Waits until the slot is filled, and reads meanwhile if nobody else does.
    fn wait<T>(&self, id: u32, slot: &Slot<T>, deadline: Option<(Instant, Duration)>) -> Result<T> {
        let end = deadline.map(|(end, _)| end);
        loop {
            if let Some(outcome) = slot.take() {
                return outcome;
            }
            if let Some((end, timeout)) = deadline
                && Instant::now() >= end
            {
                // This thread may just have been chosen to read.
                self.wake_next_reader();
                return Err(Error::Timeout(timeout));
            }
            if let Some(mut leading) = self.try_lead() {
                leading.read_until(|| slot.is_filled(), end);
                continue;
            }
            lock(&self.pending).park(id, thread::current());
            // Whoever read a moment ago may have left, or filled the slot, before the note above.
            match self.try_lead() {
                Some(mut leading) => leading.read_until(|| slot.is_filled(), end),
                None if slot.is_filled() => {}
                None => match end {
                    Some(end) => {
                        thread::park_timeout(end.saturating_duration_since(Instant::now()))
                    }
                    None => thread::park(),
                },
            }
            lock(&self.pending).unpark(id);
        }
    }

    /// Takes the reading over, unless somebody has it.
    fn try_lead(&self) -> Option<Leading<'_>> {
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
        for id in self.close() {
            self.fill(id, |slot| slot.fail(why.clone()));
        }
    }

    /// Refuses calls from now on; the calls that wait.
    fn close(&self) -> Vec<u32> {
        self.closed.store(true, Ordering::SeqCst);
        lock(&self.pending).all()
    }

    /// Fills a noted call's slot and wakes its caller; a call that was given up is nobody's.
    fn fill(&self, id: u32, fill: impl FnOnce(&dyn Deliver)) {
        let Some(slot) = lock(&self.pending).take(id) else {
            return log::debug!("an outcome came for call {id}, for which nobody waits");
        };
        fill(&*slot);
        let caller = lock(&self.pending).unpark(id);
        caller.as_ref().map(Thread::unpark);
    }
}

/// The right to read. Whoever gives it up, for whatever reason, wakes the next.
struct Leading<'a> {
    wire: &'a Wire,
    reader: Option<MutexGuard<'a, Reader>>,
    /// The reading thread's own call, if it is noted nowhere else.
    own: Option<(u32, &'a dyn Deliver)>,
}

impl<'a> Leading<'a> {
    fn new(wire: &'a Wire, reader: MutexGuard<'a, Reader>) -> Leading<'a> {
        Leading { wire, reader: Some(reader), own: None }
    }

    fn owning<'b>(mut self, id: u32, slot: &'b dyn Deliver) -> Leading<'b>
    where
        'a: 'b,
    {
        Leading { wire: self.wire, reader: self.reader.take(), own: Some((id, slot)) }
    }

    /// Reads until the reader's own slot is filled or the deadline has passed.
    fn read_until(&mut self, filled: impl Fn() -> bool, deadline: Option<Instant>) {
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
        }
    }

    /// Reads once and delivers every whole message.
    fn read(&mut self, wait: bool) -> Result<()> {
        let Leading { wire, reader: Some(reader), own } = self else { return Ok(()) };
        let Reader { finder, input } = &mut **reader;
        let came = input.fill(&wire.connection, wait);
        match came.map_err(|error| Error::transport("receiving a reply", error))? {
            None => return Ok(()),
            Some(0) => {
                return Err(match input.unread().len() {
                    0 => Error::Closed { sent: true },
                    torn => ProtocolError::Torn(torn).into(),
                });
            }
            Some(_) => {}
        }
        let news = News { wire, own: *own };
        while !input.unread().is_empty()
            && let Some(message) = finder.find(input.unread())?
        {
            let bytes = &input.unread()[message.clone()];
            wire.protocol.unpack(bytes, &mut |arrived| news.deliver(arrived, bytes))?;
            input.consume(message.end);
        }
        Ok(())
    }

    fn end(&self, why: &Error) {
        News { wire: self.wire, own: self.own }.end(why);
    }
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        if self.reader.take().is_some() {
            self.wire.wake_next_reader();
        }
    }
}

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
                self.fill(id, |slot| {
                    // A type's own `Deserialize` may panic, on a thread that is not its caller's.
                    let unpacked = catch_unwind(AssertUnwindSafe(|| slot.outcome(outcome)));
                    if unpacked.is_err() {
                        slot.fail(Error::Unpack("the type's own code panicked".to_owned()));
                    }
                });
            }
            Arrived::Refused(fault) => self.end(&Error::Fault(fault)),
            Arrived::Bye { last } => {
                let fault = Fault::new(Fault::STOPPING, "the server is stopping; not executed");
                let waiting = self.wire.close().into_iter().chain(self.own.map(|(id, _)| id));
                // Numbers wrap around: the ones after `last` are those less than half a turn away.
                for id in waiting.filter(|id| id.wrapping_sub(last).cast_signed() > 0) {
                    self.fill(id, |slot| slot.fail(Error::Fault(fault.clone())));
                }
            }
        }
    }

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
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
