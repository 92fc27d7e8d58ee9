//! Calls over HTTP/2: many at a time on a connection, answered in any order.
//!
//! As on a bare stream of bytes there is no thread behind it, and whoever waits reads. The right to
//! read goes around as over HTTP/1.1: who receives the turn reads, and sends it back. But the turn
//! is not needed for sending. When the server wants no further call on a connection, or has closed
//! it, the next call makes a new one; calls under way on the old one are still answered there.

mod line;

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select_biased};
use http::header::{CONTENT_TYPE, TE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Uri};
use hyper::body::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::channel::{Channel, Dial};
use crate::error::{Error, Result};
use crate::http_calls::{HttpCalls, Post};
use crate::message::{Fault, Packed};
use crate::pending::{Deadline, Deliver, SharedSlot, TimeToSend, unpacked};
use crate::protocol::Request;
use crate::protocol::http::Http;
use crate::steps::Step;
use crate::wire::lock;

pub(crate) use line::Line;
use line::{Talk, Turn};

/// What everybody who calls the same server shares.
pub(crate) struct Http2Wire {
    pub(crate) calls: HttpCalls,
    dial: Dial,
    authority: Authority,
    path: PathAndQuery,
    /// The connection for new calls.
    line: Mutex<Arc<Line>>,
}

/// A call under way.
pub(crate) struct Pending<T> {
    wire: Arc<Http2Wire>,
    line: Arc<Line>,
    pub(crate) expected: Expected<T>,
}

/// What the caller has of a call.
pub(crate) struct Expected<T> {
    pub(crate) id: u32,
    outcome: Receiver<Result<T>>,
    /// Shows that somebody waits.
    _slot: SharedSlot,
}

/// A packed call, and the connection that it is to be sent over.
pub(crate) struct Addressed {
    line: Arc<Line>,
    post: Post,
}

impl Http2Wire {
    pub(crate) fn connect(channel: &Channel, http: &Http) -> Result<Arc<Http2Wire>> {
        let (calls, dial) = (HttpCalls::new(channel, http), channel.dial());
        let host = dial.host();
        let no_host = |_| Error::Pack(format!("{host:?} is no host name"));
        Ok(Arc::new(Http2Wire {
            authority: host.parse().map_err(no_host)?,
            path: path(&calls.path)?,
            line: Mutex::new(Arc::new(Line::connect(&dial, http, None)?)),
            calls,
            dial,
        }))
    }

    /// Steps 1 and 2, for several calls that are to be [`post`](Http2Wire::post)ed together.
    pub(crate) fn pack<T>(
        self: &Arc<Http2Wire>,
        procedure: &str,
        arguments: &impl Serialize,
        deadline: Deadline,
    ) -> Result<(Addressed, Pending<T>)>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let (post, expected) = self.pack_call(procedure, arguments, deadline)?;
        let (line, _) = self.line(deadline)?;
        let pending = Pending { wire: Arc::clone(self), line: Arc::clone(&line), expected };
        Ok((Addressed { line, post }, pending))
    }

    fn pack_call<T>(
        &self,
        procedure: &str,
        arguments: &impl Serialize,
        deadline: Deadline,
    ) -> Result<(Post, Expected<T>)>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let (id, request) = self.calls.pack(procedure, arguments, deadline)?;
        let (deliver, outcome) = bounded(1);
        let slot: SharedSlot = Arc::new(Slot(deliver));
        let expected = Expected { id, outcome, _slot: Arc::clone(&slot) };
        Ok((Post { request, noted: Some((id, slot)) }, expected))
    }

    pub(crate) fn pack_notification(
        &self,
        procedure: &str,
        arguments: &impl Serialize,
        deadline: Deadline,
    ) -> Result<Addressed> {
        let post = self.calls.pack_notification(procedure, arguments)?;
        Ok(Addressed { line: self.line(deadline)?.0, post })
    }

    /// Step 3: sends calls, those that go over the same connection in one write.
    pub(crate) fn post(
        &self,
        procedure: &str,
        posts: Vec<Addressed>,
        deadline: Deadline,
    ) -> Result<()> {
        let mut posts = posts.into_iter().peekable();
        while let Some(Addressed { line, post }) = posts.next() {
            let mut talk = lock(&line.talk);
            let id = post.noted.as_ref().map_or(0, |(id, _)| *id);
            self.ask(&mut talk, post)?;
            while let Some(next) = posts.next_if(|next| Arc::ptr_eq(&next.line, &line)) {
                self.ask(&mut talk, next.post)?;
            }
            self.send_all(&line, talk, None, (procedure, id), deadline)?;
        }
        Ok(())
    }

    /// All steps of one call, which keeps the turn until it is answered, if it can have it.
    // Inlined, its variables would be part of the stack frame of every call in a stream.
    #[inline(never)]
    pub(crate) fn call<T>(
        self: &Arc<Http2Wire>,
        procedure: &str,
        arguments: &impl Serialize,
        deadline: Deadline,
    ) -> Result<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let (post, expected) = self.pack_call(procedure, arguments, deadline)?;
        let (line, mut turn) = self.line(deadline)?;
        let pending = Pending { wire: Arc::clone(self), line: Arc::clone(&line), expected };
        let mut talk = lock(&line.talk);
        self.ask(&mut talk, post)?;
        let call = (procedure, pending.expected.id);
        self.send_all(&line, talk, turn.as_mut(), call, deadline)?;
        match turn {
            Some(turn) => pending.receive(turn, deadline),
            None => pending.wait(deadline),
        }
    }

    /// The connection for a new call, and the turn there if nobody has it.
    fn line(&self, deadline: Deadline) -> Result<(Arc<Line>, Option<Turn>)> {
        loop {
            let line = Arc::clone(&lock(&self.line));
            let mut turn = line.try_turn();
            // A server that left when nobody was reading has done so before the call, which it
            // has not seen.
            if let Some(turn) = &mut turn
                && let Err(why) = turn.read(&self.calls, false)
            {
                line.end(&why);
            }
            if lock(&line.talk).http2.is_free() {
                return Ok((line, turn));
            }
            let mut current = lock(&self.line);
            if Arc::ptr_eq(&current, &line) {
                *current = Arc::new(Line::connect(&self.dial, &self.calls.http, deadline)?);
            }
        }
    }

    fn ask(&self, talk: &mut Talk, Post { request, noted }: Post) -> Result<()> {
        if !talk.http2.is_free() {
            return Err(Error::Closed { sent: false });
        }
        let (request, path) = self.request(request)?;
        talk.http2.ask(request, (path, noted))
    }

    /// The request, and where it goes, if not to the path that is meant otherwise.
    fn request(&self, request: Request) -> Result<(http::Request<Bytes>, Option<String>)> {
        let mut to = http::uri::Parts::default();
        to.scheme = Some(Scheme::HTTP);
        to.authority = Some(self.authority.clone());
        to.path_and_query = Some(match &request.path {
            Some(to) => path(to)?,
            None => self.path.clone(),
        });
        let mut post = http::Request::new(request.bytes.into());
        *post.method_mut() = Method::POST;
        *post.uri_mut() = Uri::from_parts(to).map_err(|why| Error::Pack(why.to_string()))?;
        *post.headers_mut() = request.headers;
        let content_type = HeaderValue::from_static(self.calls.http.content_type);
        post.headers_mut().insert(CONTENT_TYPE, content_type);
        post.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
        Ok((post, request.path))
    }

    /// Sends what was asked. `turn` is the caller's, if it has it.
    fn send_all<'a>(
        &self,
        line: &'a Arc<Line>,
        mut talk: MutexGuard<'a, Talk>,
        mut turn: Option<&mut Turn>,
        (procedure, id): (&str, u32),
        deadline: Deadline,
    ) -> Result<()> {
        let (mut time, mut taken) = (TimeToSend::new(deadline), talk.taken);
        loop {
            match talk.send_some(&line.connection) {
                Ok(true) => {
                    self.calls.steps.tell(Step::Send, procedure, id, &talk.output);
                    return Ok(());
                }
                Ok(false) => {}
                Err(why) => {
                    drop(talk);
                    line.end(&why);
                    return Err(why);
                }
            }
            let progress = mem::replace(&mut taken, talk.taken) != taken;
            drop(talk);
            let read = match time.wait(&line.connection, progress) {
                Ok(()) => match (&mut turn, line.try_turn()) {
                    // The server may not read because nobody takes its answers.
                    (Some(turn), _) => turn.read(&self.calls, false),
                    (None, Some(mut turn)) => turn.read(&self.calls, false),
                    (None, None) => {
                        thread::yield_now();
                        Ok(false)
                    }
                },
                Err(why) => Err(why),
            };
            if let Err(why) = read {
                match why {
                    // The others' calls need not suffer for it: each is a stream of its own.
                    Error::Timeout(_) => line.cancel(id),
                    _ => line.end(&why),
                }
                return Err(why);
            }
            talk = lock(&line.talk);
        }
    }
}

fn path(path: &str) -> Result<PathAndQuery> {
    PathAndQuery::try_from(path).map_err(|_| Error::Pack(format!("{path:?} is no path")))
}

impl<T> Pending<T> {
    /// Waits for the outcome, and reads if nobody else does.
    pub(crate) fn wait(self, deadline: Deadline) -> Result<T> {
        let patience = deadline
            .map_or(Duration::MAX, |(end, _)| end.saturating_duration_since(Instant::now()));
        let line = Arc::clone(&self.line);
        select_biased! {
            recv(self.expected.outcome) -> outcome => {
                self.came(outcome.unwrap_or(Err(Error::Closed { sent: true })))
            }
            recv(line.turns.1) -> input => {
                self.receive(Turn { line: Arc::clone(&line), input: input.unwrap_or_default() }, deadline)
            }
            default(patience) => self.give_up(deadline),
        }
    }

    /// Reads until the outcome is there.
    fn receive(self, mut turn: Turn, deadline: Deadline) -> Result<T> {
        let is_over = || !self.expected.outcome.is_empty();
        let read = turn.read_until(&self.wire.calls, is_over, deadline);
        drop(turn);
        match (self.expected.outcome.try_recv(), read) {
            (Ok(outcome), _) => self.came(outcome),
            (Err(_), Err(why)) => self.came(Err(why)),
            (Err(_), Ok(())) => self.give_up(deadline),
        }
    }

    fn came(self, outcome: Result<T>) -> Result<T> {
        self.wire.calls.steps.tell(Step::Result, "", self.expected.id, &[]);
        outcome
    }

    fn give_up(self, deadline: Deadline) -> Result<T> {
        self.line.cancel(self.expected.id);
        let (_, timeout) = deadline.unwrap_or((Instant::now(), Duration::MAX));
        self.came(Err(Error::Timeout(timeout)))
    }
}

/// Where an outcome is sent to its caller.
struct Slot<T>(Sender<Result<T>>);

impl<T: DeserializeOwned + Send> Deliver for Slot<T> {
    fn outcome(&self, outcome: Result<Packed<'_, '_>, Fault>) {
        // The caller may have left; and the first outcome counts.
        let _ = self.0.try_send(unpacked(outcome));
    }

    fn fail(&self, why: Error) {
        let _ = self.0.try_send(Err(why));
    }
}
