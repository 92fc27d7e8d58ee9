//! Steps 1 to 3, 8 and 9: the client's end of one connection.
//!
//! Any number of threads may share a stub and have calls under way. There is no thread behind it:
//! whoever waits for an outcome reads, if nobody else does, and hands on what belongs to others.
//! A lone caller waits for nothing but its own reply, and leaves no note of itself anywhere.

use std::cell::OnceCell;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::channel::Channel;
use crate::error::{Error, Result};
#[cfg(feature = "http")]
use crate::http_calls::Post;
#[cfg(feature = "http")]
use crate::http_wire::{HttpWire, Pending};
#[cfg(feature = "http2")]
use crate::http2_wire::{self, Addressed, Http2Wire};
use crate::message::Outgoing;
use crate::pending::{Deadline, Slot};
#[cfg(feature = "http")]
use crate::protocol::http::Version;
use crate::protocol::{Request, Transport};
use crate::steps::Step;
use crate::transport::from_now;
use crate::wire::{Leading, Wire, Writer, lock};

/// Calls procedures of the server at the other end of a connection.
///
/// Clones share the connection. It ends when the last of them, and of their [`PendingCall`]s, is
/// dropped.
///
/// Over HTTP/2 as many calls as the server has room for are under way on one connection; the others
/// wait. Over HTTP/1.1 one call at a time is under way: others wait for their turn, and a call that is
/// sent goes out when the one before it is answered. A server may close the connection between two
/// calls; the next call makes a new one. No call is sent twice.
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
    road: Road,
    call_timeout: Option<Duration>,
}

#[derive(Clone)]
enum Road {
    Stream(Arc<Wire>),
    #[cfg(feature = "http")]
    Http(Arc<HttpWire>),
    #[cfg(feature = "http2")]
    Http2(Arc<Http2Wire>),
}

impl ClientStub {
    /// Connects over a channel.
    ///
    /// # Errors
    /// Those of [`Channel::connect`]; [`Error::Pack`] if the channel's path is no path.
    pub fn new(channel: &Channel) -> Result<ClientStub> {
        let road = match channel.protocol.transport() {
            Transport::Stream(framing) => Road::Stream(Arc::new(Wire::connect(channel, framing)?)),
            #[cfg(feature = "http")]
            Transport::Http(http) => match http.version {
                Version::Http1 => Road::Http(HttpWire::connect(channel, http)?),
                #[cfg(feature = "http2")]
                Version::Http2 => Road::Http2(Http2Wire::connect(channel, http)?),
            },
        };
        Ok(ClientStub { road, call_timeout: channel.call_timeout })
    }

    /// The same connection with another limit on how long a call may take, from packing to the result;
    /// `None` is for ever. Over HTTP that includes a new connection if the call needs one; if the time is
    /// over before there is one, the error is `Connect`.
    ///
    /// Who comes to send while another thread sends over the same stub waits until that is done, whatever
    /// the limit. The sending itself is given up if the server reads nothing for 20 s.
    ///
    /// ```
    /// # let server = ninestep::Server::new(ninestep::demo::procedures());
    /// # let (channel, connection) = ninestep::Channel::in_memory()?;
    /// # std::thread::spawn(move || server.serve(connection));
    /// # let stub = ninestep::ClientStub::new(&channel)?;
    /// use std::time::Duration;
    /// use ninestep::Error;
    ///
    /// let impatient = stub.call_timeout(Duration::from_millis(20));
    /// assert!(matches!(impatient.call::<()>("sleep", (500,)), Err(Error::Timeout(_))));
    /// # Ok::<(), ninestep::Error>(())
    /// ```
    pub fn call_timeout(&self, timeout: impl Into<Option<Duration>>) -> ClientStub {
        ClientStub { road: self.road.clone(), call_timeout: timeout.into() }
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
        match &self.road {
            Road::Stream(wire) => {
                let writer = lock(&wire.writer);
                match wire.try_lead() {
                    Some(leading) if wire.has_fresh_ids() => {
                        self.call_alone(wire, writer, leading, procedure, &arguments)
                    }
                    _ => {
                        drop(writer);
                        self.send(procedure, arguments)?.wait()
                    }
                }
            }
            #[cfg(feature = "http")]
            Road::Http(wire) => wire.call(procedure, &arguments, self.deadline()),
            #[cfg(feature = "http2")]
            Road::Http2(wire) => wire.call(procedure, &arguments, self.deadline()),
        }
    }

    /// [`call`](ClientStub::call) where nobody else reads: the caller reads from the beginning, so
    /// its outcome can come to no other thread, and its slot can stay on its stack.
    fn call_alone<T>(
        &self,
        wire: &Wire,
        mut writer: MutexGuard<'_, Writer>,
        leading: Leading<'_>,
        procedure: &str,
        arguments: &impl Serialize,
    ) -> Result<T>
    where
        T: DeserializeOwned + Send,
    {
        if wire.is_closed() {
            return Err(Error::Closed { sent: false });
        }
        let (id, slot) = (wire.next_id(), OnceCell::<Result<T>>::new());
        let mut leading = leading.owning(id, &slot);
        let limit = self.deadline();
        let (deadline, timeout) = limit.unzip();
        writer.begin();
        wire.pack(&mut writer.request, &Outgoing { id: Some(id), procedure, arguments, deadline })?;
        let sent = wire.write(&mut writer, arguments, Some(&mut leading), limit);
        if sent.is_ok() {
            wire.steps.tell(Step::Send, procedure, id, &writer.request.bytes);
            drop(writer);
            leading.read_until(|| slot.get().is_some(), deadline);
        }
        drop(leading);
        // What the server says of a call that could not be sent tells more than that it could not.
        let outcome = slot.into_inner();
        wire.steps.tell(Step::Result, "", id, &[]);
        outcome.unwrap_or_else(|| {
            Err(sent.err().unwrap_or(Error::Timeout(timeout.unwrap_or_default())))
        })
    }

    fn deadline(&self) -> Deadline {
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
    /// Those of sending: `Pack`, `Closed`, `Transport`, `Timeout`; and what the server says meanwhile,
    /// `Fault` or `Protocol`.
    pub fn send<T>(&self, procedure: &str, arguments: impl Serialize) -> Result<PendingCall<T>>
    where
        T: DeserializeOwned + Send + 'static,
    {
        match &self.road {
            Road::Stream(wire) => {
                let mut writer = lock(&wire.writer);
                writer.begin();
                let pending = self.pack(wire, &mut writer.request, procedure, &arguments)?;
                let sent = wire.write(&mut writer, &arguments, None, pending.deadline);
                sent.map_err(|why| pending.refusal().unwrap_or(why))?;
                wire.steps.tell(Step::Send, procedure, pending.id, &writer.request.bytes);
                Ok(pending)
            }
            #[cfg(feature = "http")]
            Road::Http(wire) => {
                let deadline = self.deadline();
                let (post, pending) = wire.pack(procedure, &arguments, deadline)?;
                wire.send(procedure, post, deadline)?;
                Ok(PendingCall { deadline, id: pending.id, road: Waiting::Http(pending) })
            }
            #[cfg(feature = "http2")]
            Road::Http2(wire) => {
                let deadline = self.deadline();
                let (post, pending) = wire.pack(procedure, &arguments, deadline)?;
                wire.post(procedure, vec![post], deadline)?;
                Ok(PendingCall { deadline, id: pending.expected.id, road: Waiting::Http2(pending) })
            }
        }
    }

    /// Calls a procedure that nobody waits for: it has no outcome, and no fault either.
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    /// use ninestep::{Channel, ClientStub, Procedures, Server};
    ///
    /// let (tell, told) = channel();
    /// let procedures = Procedures::new().on("note", move |text: String| tell.send(text).is_ok());
    /// let (channel, connection) = Channel::in_memory()?;
    /// std::thread::spawn(move || Server::new(procedures).serve(connection));
    ///
    /// ClientStub::new(&channel)?.notify("note", ("milk",))?;
    /// assert_eq!(told.recv().as_deref(), Ok("milk"));
    /// # Ok::<(), ninestep::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`send`](ClientStub::send).
    pub fn notify(&self, procedure: &str, arguments: impl Serialize) -> Result<()> {
        match &self.road {
            Road::Stream(wire) => {
                let mut writer = lock(&wire.writer);
                writer.begin();
                pack_notification(wire, &mut writer.request, procedure, &arguments)?;
                wire.write(&mut writer, &arguments, None, self.deadline())?;
                wire.steps.tell(Step::Send, procedure, 0, &writer.request.bytes);
                Ok(())
            }
            #[cfg(feature = "http")]
            Road::Http(wire) => {
                let post = wire.calls.pack_notification(procedure, &arguments)?;
                wire.send(procedure, post, self.deadline())
            }
            #[cfg(feature = "http2")]
            Road::Http2(wire) => {
                let deadline = self.deadline();
                let post = wire.pack_notification(procedure, &arguments, deadline)?;
                wire.post(procedure, vec![post], deadline)
            }
        }
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
        let held = match &self.road {
            Road::Stream(wire) => Held::Stream { wire, request: Request::default(), whole: 0 },
            #[cfg(feature = "http")]
            Road::Http(wire) => Held::Http(wire, Vec::new()),
            #[cfg(feature = "http2")]
            Road::Http2(wire) => Held::Http2(wire, Vec::new()),
        };
        Batch { stub: self, held }
    }

    // ANCHOR: pack
    /// Steps 1 and 2. The outcome may come as soon as the bytes are sent, so the call is noted
    /// before.
    fn pack<T>(
        &self,
        wire: &Arc<Wire>,
        out: &mut Request,
        procedure: &str,
        arguments: &impl Serialize,
    ) -> Result<PendingCall<T>>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let slot = Arc::new(Slot::<T>::new());
        let id = wire.insert(slot.clone())?;
        let deadline = self.deadline();
        let noted = Noted { wire: Arc::clone(wire), slot, id, noted: true };
        let pending = PendingCall { deadline, id, road: Waiting::Stream(noted) };
        let deadline = deadline.map(|(deadline, _)| deadline);
        wire.pack(out, &Outgoing { id: Some(id), procedure, arguments, deadline })?;
        Ok(pending)
    }
    // ANCHOR_END: pack
}

fn pack_notification(
    wire: &Wire,
    out: &mut Request,
    procedure: &str,
    arguments: &impl Serialize,
) -> Result<()> {
    if wire.is_closed() {
        return Err(Error::Closed { sent: false });
    }
    wire.pack(out, &Outgoing { id: None, procedure, arguments, deadline: None })
}

/// Calls that are packed and not sent yet.
///
/// Whoever waits for one of them before [`flush`](Batch::flush) waits for ever, or over HTTP/1.1
/// fails at once. A batch that is dropped sends what it holds. Over HTTP/1.1 it is one message if
/// the protocol has a form for that, as JSON-RPC has.
#[must_use = "a batch is sent by `flush`"]
pub struct Batch<'a> {
    stub: &'a ClientStub,
    held: Held<'a>,
}

enum Held<'a> {
    Stream {
        wire: &'a Arc<Wire>,
        request: Request,
        /// How many of the bytes are whole messages: arguments that panic leave half of one
        /// behind.
        whole: usize,
    },
    #[cfg(feature = "http")]
    Http(&'a Arc<HttpWire>, Vec<Post>),
    #[cfg(feature = "http2")]
    Http2(&'a Arc<Http2Wire>, Vec<Addressed>),
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
        match &mut self.held {
            Held::Stream { wire, request, whole } => {
                request.bytes.truncate(*whole);
                let pending = self.stub.pack(wire, request, procedure, &arguments)?;
                *whole = request.bytes.len();
                Ok(pending)
            }
            #[cfg(feature = "http")]
            Held::Http(wire, posts) => {
                let deadline = self.stub.deadline();
                let (post, pending) = wire.pack(procedure, &arguments, deadline)?;
                posts.push(post);
                Ok(PendingCall { deadline, id: pending.id, road: Waiting::Http(pending) })
            }
            #[cfg(feature = "http2")]
            Held::Http2(wire, posts) => {
                let deadline = self.stub.deadline();
                let (post, pending) = wire.pack(procedure, &arguments, deadline)?;
                posts.push(post);
                Ok(PendingCall { deadline, id: pending.expected.id, road: Waiting::Http2(pending) })
            }
        }
    }

    /// Packs a notification.
    ///
    /// # Errors
    /// `Pack` or `Closed`; the batch is as it was.
    pub fn notify(&mut self, procedure: &str, arguments: impl Serialize) -> Result<()> {
        match &mut self.held {
            Held::Stream { wire, request, whole } => {
                request.bytes.truncate(*whole);
                pack_notification(wire, request, procedure, &arguments)?;
                *whole = request.bytes.len();
            }
            #[cfg(feature = "http")]
            Held::Http(wire, posts) => {
                posts.push(wire.calls.pack_notification(procedure, &arguments)?)
            }
            #[cfg(feature = "http2")]
            Held::Http2(wire, posts) => {
                let deadline = self.stub.deadline();
                posts.push(wire.pack_notification(procedure, &arguments, deadline)?)
            }
        }
        Ok(())
    }

    /// Sends what was packed since the last flush.
    ///
    /// # Errors
    /// Those of [`ClientStub::send`]: the connection broke, and every call on it fails. Only after a
    /// `Timeout` it may be whole. Then calls of which nothing was sent fail over HTTP, and otherwise stay
    /// in the batch: another `flush` tries again.
    pub fn flush(&mut self) -> Result<()> {
        match &mut self.held {
            Held::Stream { wire, request, whole } => {
                request.bytes.truncate(*whole);
                if request.bytes.is_empty() {
                    return Ok(());
                }
                let mut writer = lock(&wire.writer);
                writer.begin();
                writer.request.bytes.extend_from_slice(&request.bytes);
                let sent = wire.write(&mut writer, &(), None, self.stub.deadline());
                // If nothing was sent in time, it can be tried again.
                if sent.is_ok() || wire.is_closed() {
                    request.bytes.clear();
                    *whole = 0;
                }
                sent?;
                wire.steps.tell(Step::Send, "", 0, &writer.request.bytes);
                Ok(())
            }
            #[cfg(feature = "http")]
            Held::Http(wire, posts) => wire.send_all(std::mem::take(posts), self.stub.deadline()),
            #[cfg(feature = "http2")]
            Held::Http2(wire, posts) => wire.post("", std::mem::take(posts), self.stub.deadline()),
        }
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
    id: u32,
    /// When the caller stops waiting, and how long it said it would.
    deadline: Deadline,
    road: Waiting<T>,
}

enum Waiting<T> {
    Stream(Noted<T>),
    #[cfg(feature = "http")]
    Http(Pending<T>),
    #[cfg(feature = "http2")]
    Http2(http2_wire::Pending<T>),
}

/// A call that is noted as pending.
struct Noted<T> {
    wire: Arc<Wire>,
    slot: Arc<Slot<T>>,
    id: u32,
    /// Whether it may still be so.
    noted: bool,
}

impl<T> PendingCall<T> {
    /// The number that the call and its reply carry on the wire.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What the server said of a call that could not be sent.
    fn refusal(&self) -> Option<Error> {
        match &self.road {
            Waiting::Stream(it) => match it.slot.take()? {
                Err(fault @ Error::Fault(_)) => Some(fault),
                _ => None,
            },
            #[cfg(feature = "http")]
            _ => None,
        }
    }

    /// Waits for the outcome, at most until the stub's call time-out.
    ///
    /// # Errors
    /// Those of [`ClientStub::call`].
    pub fn wait(self) -> Result<T> {
        match self.road {
            Waiting::Stream(mut it) => {
                let outcome = it.wire.wait(it.id, &it.slot, self.deadline);
                it.noted = matches!(outcome, Err(Error::Timeout(_)));
                it.wire.steps.tell(Step::Result, "", it.id, &[]);
                outcome
            }
            #[cfg(feature = "http")]
            Waiting::Http(pending) => pending.wait(self.deadline),
            #[cfg(feature = "http2")]
            Waiting::Http2(pending) => pending.wait(self.deadline),
        }
    }

    /// Waits for the outcome, at most this long from now, and gives the call up after it. The
    /// server is not told of this limit.
    ///
    /// ```
    /// # let server = ninestep::Server::new(ninestep::demo::procedures());
    /// # let (channel, connection) = ninestep::Channel::in_memory()?;
    /// # std::thread::spawn(move || server.serve(connection));
    /// # let stub = ninestep::ClientStub::new(&channel)?;
    /// use std::time::Duration;
    /// use ninestep::Error;
    ///
    /// let pending = stub.send::<()>("sleep", (500,))?;
    /// let outcome = pending.wait_timeout(Duration::from_millis(20));
    /// assert!(matches!(outcome, Err(Error::Timeout(_))));
    /// # Ok::<(), ninestep::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`ClientStub::call`].
    pub fn wait_timeout(mut self, timeout: Duration) -> Result<T> {
        let sooner = (from_now(timeout), timeout);
        self.deadline = Some(self.deadline.map_or(sooner, |deadline| deadline.min(sooner)));
        self.wait()
    }
}

impl<T> Drop for Noted<T> {
    fn drop(&mut self) {
        if self.noted {
            lock(&self.wire.pending).forget(self.id);
        }
    }
}
