//! Steps 1 to 3, 8 and 9: the client's end of one connection.
//!
//! Any number of threads may share a stub and have calls under way. There is no thread behind it:
//! whoever waits for an outcome reads, if nobody else does, and hands on what belongs to others.
//! A lone caller waits for nothing but its own reply, and leaves no note of itself anywhere.

use std::cell::OnceCell;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::channel::Channel;
use crate::error::{Error, Result};
use crate::message::Outgoing;
use crate::pending::Slot;
use crate::protocol::Request;
use crate::steps::Step;
use crate::transport::from_now;
use crate::wire::{Leading, Wire, Writer, lock};

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
        let wire = Arc::new(Wire::connect(channel)?);
        Ok(ClientStub { wire, call_timeout: channel.call_timeout })
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
        wire.pack(&mut writer.request, &Outgoing { id: Some(id), procedure, arguments, deadline })?;
        wire.write(&mut writer, Some(&mut leading))?;
        wire.steps.tell(Step::Send, procedure, id, &writer.request.bytes);
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
        let pending = self.pack(&mut writer.request, procedure, &arguments)?;
        self.wire.write(&mut writer, None)?;
        self.wire.steps.tell(Step::Send, procedure, pending.id, &writer.request.bytes);
        Ok(pending)
    }

    /// Calls a procedure that nobody waits for: it has no outcome, and no fault either.
    ///
    /// # Errors
    /// Those of sending: `Pack`, `Closed`, `Transport`.
    pub fn notify(&self, procedure: &str, arguments: impl Serialize) -> Result<()> {
        let mut writer = lock(&self.wire.writer);
        writer.begin(&*self.wire.protocol);
        self.pack_notification(&mut writer.request, procedure, &arguments)?;
        self.wire.write(&mut writer, None)?;
        self.wire.steps.tell(Step::Send, procedure, 0, &writer.request.bytes);
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
        Batch { stub: self, request: Request::default(), whole: 0 }
    }

    // ANCHOR: pack
    /// Steps 1 and 2. The outcome may come as soon as the bytes are sent, so the call is noted
    /// before.
    fn pack<T>(
        &self,
        out: &mut Request,
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
    // ANCHOR_END: pack

    fn pack_notification(
        &self,
        out: &mut Request,
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
    request: Request,
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
        self.request.bytes.truncate(self.whole);
        let pending = self.stub.pack(&mut self.request, procedure, &arguments)?;
        self.whole = self.request.bytes.len();
        Ok(pending)
    }

    /// Packs a notification.
    ///
    /// # Errors
    /// `Pack` or `Closed`; the batch is as it was.
    pub fn notify(&mut self, procedure: &str, arguments: impl Serialize) -> Result<()> {
        self.request.bytes.truncate(self.whole);
        self.stub.pack_notification(&mut self.request, procedure, &arguments)?;
        self.whole = self.request.bytes.len();
        Ok(())
    }

    /// Sends what was packed since the last flush.
    ///
    /// # Errors
    /// `Transport`: the connection broke, and every call on it fails.
    pub fn flush(&mut self) -> Result<()> {
        self.request.bytes.truncate(self.whole);
        self.whole = 0;
        if self.request.bytes.is_empty() {
            return Ok(());
        }
        let wire = &self.stub.wire;
        let mut writer = lock(&wire.writer);
        writer.begin(&*wire.protocol);
        writer.request.bytes.append(&mut self.request.bytes);
        wire.write(&mut writer, None)?;
        wire.steps.tell(Step::Send, "", 0, &writer.request.bytes);
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
