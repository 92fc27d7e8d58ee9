//! Calls over HTTP/1.1: one at a time on a connection, and everybody takes turns.
//!
//! HTTP/1.1 has no numbers that tell which request a response is for: it answers in order. So a
//! request is sent when the one before it is answered, and whoever has the turn reads. A server may
//! close the connection after each answer, and a call that is given up in the middle leaves no
//! other way; whoever has the turn next connects again.

use std::iter;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select_biased};
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{HeaderValue, Uri};
use http_body_util::Full;
use hyper::body::Bytes;
use rustix::event::PollFlags;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::channel::{Channel, Dial};
use crate::error::{Error, Result};
use crate::http_calls::{Deadline, Expected, HttpCalls, Noted, Post, fail};
use crate::protocol::Request;
use crate::protocol::http::Http;
use crate::steps::Step;
use crate::transport::http::HttpClient;
use crate::transport::{Connection, ReadBuffer, Wake, from_now, wait_for};

/// What everybody who calls the same server shares.
pub(crate) struct HttpWire {
    pub(crate) calls: HttpCalls,
    dial: Dial,
    path: Uri,
    host: HeaderValue,
    /// Who receives the line has the turn, and sends it back when the turn is over.
    turns: (Sender<Option<Line>>, Receiver<Option<Line>>),
}

/// A connection.
struct Line {
    connection: Connection,
    http: HttpClient,
    input: ReadBuffer,
    /// The calls that the response will answer.
    under_way: Vec<Noted>,
}

/// A call under way.
pub(crate) struct Pending<T> {
    wire: Arc<HttpWire>,
    pub(crate) expected: Expected<T>,
}

impl HttpWire {
    /// How long a server may leave unread what is sent to it.
    const WRITE_LIMIT: Duration = Duration::from_secs(20);
    /// Calls in one message, at most.
    const MOST_CALLS: usize = 1000;

    pub(crate) fn connect(channel: &Channel, http: &Http) -> Result<Arc<HttpWire>> {
        let (calls, dial) = (HttpCalls::new(channel, http), channel.dial());
        let no_host = |_| Error::Pack(format!("{:?} is no host name", dial.host()));
        let wire = HttpWire {
            path: uri(&calls.path)?,
            host: HeaderValue::from_str(dial.host()).map_err(no_host)?,
            calls,
            dial,
            turns: bounded(1),
        };
        wire.give_back(Some(wire.line()?));
        Ok(Arc::new(wire))
    }

    /// Steps 1 and 2.
    pub(crate) fn pack<T>(
        self: &Arc<HttpWire>,
        procedure: &str,
        arguments: &impl Serialize,
        deadline: Deadline,
    ) -> Result<(Post, Pending<T>)>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let (post, expected) = self.calls.pack(procedure, arguments, deadline)?;
        Ok((post, Pending { wire: Arc::clone(self), expected }))
    }

    /// Step 3: sends calls when it is their turn, as few messages as the protocol can make of
    /// them. Those before the last one are answered then.
    pub(crate) fn send(&self, procedure: &str, posts: Vec<Post>, deadline: Deadline) -> Result<()> {
        if posts.is_empty() {
            return Ok(());
        }
        let mut turn = self.turn(deadline)?;
        let mut posts = posts.into_iter().peekable();
        while posts.peek().is_some() {
            let (requests, noted): (Vec<_>, Vec<_>) = posts
                .by_ref()
                .take(HttpWire::MOST_CALLS)
                .map(|post| (post.request, post.noted))
                .unzip();
            match self.calls.protocol.join(&requests) {
                Some(request) if requests.len() > 1 => {
                    turn.send(procedure, request, noted.into_iter().flatten().collect(), deadline)?;
                }
                _ => {
                    for (request, noted) in iter::zip(requests, noted) {
                        turn.send(procedure, request, noted.into_iter().collect(), deadline)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// One call, which keeps its turn until it is answered.
    // Inlined, its variables would be part of the stack frame of every call in a stream.
    #[inline(never)]
    pub(crate) fn call<T>(
        self: &Arc<HttpWire>,
        procedure: &str,
        arguments: &impl Serialize,
        deadline: Deadline,
    ) -> Result<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let (Post { request, noted }, pending) = self.pack(procedure, arguments, deadline)?;
        let mut turn = self.turn(deadline)?;
        turn.send(procedure, request, noted.into_iter().collect(), deadline)?;
        pending.receive(turn, deadline)
    }

    fn turn(&self, deadline: Deadline) -> Result<Turn<'_>> {
        let line = match deadline {
            Some((end, timeout)) => {
                self.turns.1.recv_deadline(end).map_err(|_| Error::Timeout(timeout))
            }
            // The wire itself has a sender, so that receiving cannot fail.
            None => self.turns.1.recv().map_err(|_| Error::Closed { sent: false }),
        };
        Ok(Turn { wire: self, line: line? })
    }

    fn give_back(&self, line: Option<Line>) {
        // There is room: whoever gives back has taken.
        let _ = self.turns.0.send(line);
    }

    fn line(&self) -> Result<Line> {
        Ok(Line {
            connection: self.dial.connect()?,
            http: HttpClient::new(self.calls.http.max_message)?,
            input: ReadBuffer::default(),
            under_way: Vec::new(),
        })
    }

    fn head(&self, request: Request) -> Result<http::Request<Full<Bytes>>> {
        let mut post = http::Request::new(request.bytes.into());
        *post.method_mut() = http::Method::POST;
        *post.uri_mut() = match request.path {
            Some(path) => uri(&path)?,
            None => self.path.clone(),
        };
        let content_type = HeaderValue::from_static(self.calls.http.content_type);
        *post.headers_mut() = request.headers;
        post.headers_mut().insert(HOST, self.host.clone());
        post.headers_mut().insert(ACCEPT, content_type.clone());
        post.headers_mut().insert(CONTENT_TYPE, content_type);
        Ok(post)
    }
}

fn uri(path: &str) -> Result<Uri> {
    path.parse().map_err(|_| Error::Pack(format!("{path:?} is no path")))
}

/// The right to send and receive. Whoever gives it up gives it to the next.
struct Turn<'a> {
    wire: &'a HttpWire,
    /// No connection is there when the last one cannot be used any more.
    line: Option<Line>,
}

impl Turn<'_> {
    /// Sends one request, when the one before it is answered.
    fn send(
        &mut self,
        procedure: &str,
        request: Request,
        calls: Vec<Noted>,
        deadline: Deadline,
    ) -> Result<()> {
        let request = self.wire.head(request)?;
        if let Err(late) = self.settle(deadline) {
            // A call that nobody waits for any more must not block the others for ever.
            self.line.take_if(|line| line.is_nobodys());
            return Err(late);
        }
        self.line.take_if(|line| !line.is_fresh());
        let line = match &mut self.line {
            Some(line) => line,
            none => none.insert(self.wire.line()?),
        };
        let call = if let [(id, _)] = &calls[..] { *id } else { 0 };
        let mut bytes = Vec::new();
        line.http.ask(request, &mut bytes);
        line.under_way = calls;
        if let Err(why) = self.send_all(&bytes, deadline) {
            self.hang_up(&why);
            return Err(why);
        }
        self.wire.calls.steps.tell(Step::Send, procedure, call, &bytes);
        Ok(())
    }

    fn send_all(&mut self, mut rest: &[u8], deadline: Deadline) -> Result<()> {
        let failed = |error: std::io::Error| Error::transport("sending a call", error);
        let end = from_now(HttpWire::WRITE_LIMIT);
        let end = deadline.map_or(end, |(deadline, _)| deadline.min(end));
        while let Some(line) = &mut self.line {
            rest = &rest[line.connection.send_some(rest).map_err(failed)?..];
            if rest.is_empty() {
                break;
            }
            match wait_for(&line.connection, PollFlags::IN | PollFlags::OUT, Some(end)) {
                Ok(Wake::TimedOut) => {
                    let no_time = || failed(std::io::ErrorKind::TimedOut.into());
                    let late = deadline.filter(|(deadline, _)| *deadline == end);
                    return Err(late.map_or_else(no_time, |(_, timeout)| Error::Timeout(timeout)));
                }
                Ok(_) => {}
                Err(error) => return Err(failed(error)),
            }
            // A server may refuse what it has not read to its end.
            if self.receive(false) {
                break;
            }
        }
        Ok(())
    }

    /// Waits until nothing is under way.
    ///
    /// # Errors
    /// It is under way still when the time is over.
    fn settle(&mut self, deadline: Deadline) -> Result<()> {
        while let Some(line) = &self.line
            && line.http.is_asked()
        {
            if let Some((end, timeout)) = deadline
                && let Ok(Wake::TimedOut) = wait_for(&line.connection, PollFlags::IN, Some(end))
            {
                return Err(Error::Timeout(timeout));
            }
            self.receive(deadline.is_none());
        }
        Ok(())
    }

    /// Reads once; whether that brought the response, or the end.
    fn receive(&mut self, wait: bool) -> bool {
        let Some(line) = &mut self.line else { return true };
        let response = match line.input.fill(&line.connection, wait) {
            Ok(None) => return false,
            Ok(Some(_)) => line.http.take_in(&mut line.input),
            Err(error) => Err(Error::transport("receiving a reply", error)),
        };
        match response {
            Ok(None) => return false,
            Ok(Some((head, body))) => {
                let calls = std::mem::take(&mut line.under_way);
                self.wire.calls.deliver(
                    &self.wire.calls.path,
                    head.status,
                    &head.headers,
                    &body,
                    calls,
                );
            }
            Err(why) => self.hang_up(&why),
        }
        true
    }

    /// Closes the connection; the calls that are under way on it fail.
    fn hang_up(&mut self, why: &Error) {
        if let Some(mut line) = self.line.take() {
            fail(&mut line.under_way, why);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.wire.give_back(self.line.take());
    }
}

impl Line {
    /// Whether a request can be sent. A server that has closed an idle connection has done so
    /// before the request, which it has not seen.
    fn is_fresh(&mut self) -> bool {
        self.http.is_free() && matches!(self.input.fill(&self.connection, false), Ok(None))
    }

    /// Whether no caller waits for what is under way.
    fn is_nobodys(&self) -> bool {
        self.under_way.iter().all(|(_, slot)| Arc::strong_count(slot) == 1)
    }
}

impl<T> Pending<T> {
    /// Waits for the outcome, and receives it if nobody else does.
    pub(crate) fn wait(self, deadline: Deadline) -> Result<T> {
        let (patience, timeout) = deadline.map_or((Duration::MAX, Duration::MAX), |it| {
            (it.0.saturating_duration_since(Instant::now()), it.1)
        });
        let wire = Arc::clone(&self.wire);
        select_biased! {
            recv(self.expected.outcome) -> outcome => outcome.unwrap_or(Err(Error::Closed { sent: true })),
            recv(wire.turns.1) -> line => {
                let line = line.unwrap_or_default();
                self.receive(Turn { wire: &wire, line }, deadline)
            }
            default(patience) => Err(Error::Timeout(timeout)),
        }
    }

    fn receive(self, mut turn: Turn<'_>, deadline: Deadline) -> Result<T> {
        let settled = match self.expected.outcome.is_empty() {
            true => turn.settle(deadline),
            false => Ok(()),
        };
        let outcome = match (self.expected.outcome.try_recv(), settled) {
            (Ok(outcome), _) => outcome,
            (Err(_), Err(late)) => {
                // The response would be taken for the next call's.
                turn.hang_up(&Error::Closed { sent: true });
                Err(late)
            }
            (Err(_), Ok(())) => Err(Error::Closed { sent: true }),
        };
        self.wire.calls.steps.tell(Step::Result, "", self.expected.id, &[]);
        outcome
    }
}
