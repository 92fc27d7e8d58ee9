//! Calls over HTTP/1.1: one at a time on a connection, and everybody takes turns.
//!
//! HTTP/1.1 has no numbers that tell which request a response is for: it answers in order. So a
//! request is sent when the one before it is answered, and whoever has the turn reads. A server may
//! close the connection after each answer, and a call that is given up in the middle leaves no
//! other way; whoever has the turn next connects again.

mod turns;

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{iter, mem};

use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Uri};
use rustix::event::PollFlags;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::channel::{Channel, Dial};
use crate::error::{Error, Result};
use crate::http_calls::{HttpCalls, Noted, Post, fail};
use crate::pending::{Deadline, Deliver, Slot, TimeToSend};
use crate::protocol::Request;
use crate::protocol::http::Http;
use crate::steps::Step;
use crate::transport::http::{HeadOnly, HttpClient, emptied};
use crate::transport::{Connection, ReadBuffer, Wake, last_tick, wait_for};
use turns::Turns;

/// What everybody who calls the same server shares.
pub(crate) struct HttpWire {
    pub(crate) calls: HttpCalls,
    dial: Dial,
    path: Uri,
    host: HeaderValue,
    content_type: HeaderValue,
    /// No connection goes around when the last one cannot be used any more.
    turns: Turns<Option<Box<Line>>>,
}

/// A connection.
struct Line {
    connection: Connection,
    http: HttpClient,
    input: ReadBuffer,
    output: Vec<u8>,
    /// The map of the last response, which is used again.
    headers: HeaderMap,
    /// The calls that the response will answer, but for one of who has the turn.
    under_way: Vec<Noted>,
    /// Responses that came, and when the last one did.
    answers: u32,
    answered: Duration,
}

/// A call under way.
pub(crate) struct Pending<T> {
    wire: Arc<HttpWire>,
    slot: Arc<Slot<T>>,
    pub(crate) id: u32,
}

impl HttpWire {
    /// Calls in one message, at most.
    const MOST_CALLS: usize = 1000;

    pub(crate) fn connect(channel: &Channel, http: &Http) -> Result<Arc<HttpWire>> {
        let (calls, dial) = (HttpCalls::new(channel, http), channel.dial());
        let no_host = |_| Error::Pack(format!("{:?} is no host name", dial.host()));
        Ok(Arc::new(HttpWire {
            path: uri(&calls.path)?,
            host: HeaderValue::from_str(dial.host()).map_err(no_host)?,
            content_type: HeaderValue::from_static(http.content_type),
            turns: Turns::new(Some(Line::connect(&dial, http, None)?)),
            calls,
            dial,
        }))
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
        let (id, request) = self.calls.pack(procedure, arguments, deadline)?;
        let slot = Arc::new(Slot::new());
        let post = Post { request, noted: Some((id, slot.clone())) };
        Ok((post, Pending { wire: Arc::clone(self), slot, id }))
    }

    /// Step 3: sends a call when it is its turn.
    pub(crate) fn send(&self, procedure: &str, post: Post, deadline: Deadline) -> Result<()> {
        let mut turn = self.turn(deadline)?;
        turn.send(procedure, post.request, post.noted, deadline)
    }

    /// Sends several calls, in as few messages as the protocol can make of them. Those before the
    /// last message are answered then.
    pub(crate) fn send_all(&self, posts: Vec<Post>, deadline: Deadline) -> Result<()> {
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
                    turn.send("", request, noted.into_iter().flatten(), deadline)?;
                }
                _ => {
                    for (request, noted) in iter::zip(requests, noted) {
                        turn.send("", request, noted, deadline)?;
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
        let (id, request) = self.calls.pack(procedure, arguments, deadline)?;
        let slot = OnceCell::new();
        let mut turn = self.turn(deadline)?;
        let request = turn.make_ready(request, deadline)?;
        turn.own = Some((id, &slot));
        turn.ask(procedure, id, request, deadline)?;
        turn.receive_own(deadline)?;
        drop(turn);
        self.calls.steps.tell(Step::Result, "", id, &[]);
        slot.into_inner().unwrap_or(Err(Error::Closed { sent: true }))
    }

    fn turn(&self, deadline: Deadline) -> Result<Turn<'_>> {
        let (end, timeout) = deadline.unzip();
        let line = self.turns.take(0, || false, end);
        let line = line.ok_or(Error::Timeout(timeout.unwrap_or(Duration::MAX)))?;
        Ok(Turn { wire: self, line, own: None })
    }

    /// What is sent; `headers` is an empty map that can be used.
    fn post(&self, request: Request, headers: HeaderMap) -> Result<(HeadOnly, Vec<u8>)> {
        let mut head = HeadOnly::default();
        *head.method_mut() = http::Method::POST;
        *head.uri_mut() = match request.path {
            Some(path) => uri(&path)?,
            None => self.path.clone(),
        };
        let headers_mut = head.headers_mut();
        *headers_mut = if request.headers.is_empty() { headers } else { request.headers };
        headers_mut.insert(HOST, self.host.clone());
        headers_mut.insert(ACCEPT, self.content_type.clone());
        headers_mut.insert(CONTENT_TYPE, self.content_type.clone());
        headers_mut.insert(CONTENT_LENGTH, request.bytes.len().into());
        Ok((head, request.bytes))
    }
}

fn uri(path: &str) -> Result<Uri> {
    path.parse().map_err(|_| Error::Pack(format!("{path:?} is no path")))
}

/// The right to send and receive. Whoever gives it up gives it to the next.
struct Turn<'a> {
    wire: &'a HttpWire,
    line: Option<Box<Line>>,
    /// The call of who has the turn, if he does not let others receive its outcome.
    own: Option<(u32, &'a dyn Deliver)>,
}

impl Turn<'_> {
    /// Reads of what came before a connection broke, at most.
    const LAST_READS: usize = 64;

    /// Sends one request, when the one before it is answered.
    fn send(
        &mut self,
        procedure: &str,
        request: Request,
        calls: impl IntoIterator<Item = Noted>,
        deadline: Deadline,
    ) -> Result<()> {
        let request = self.make_ready(request, deadline)?;
        let mut id = 0;
        if let Some(line) = &mut self.line {
            line.under_way.extend(calls);
            if let [(lone, _)] = line.under_way[..] {
                id = lone;
            }
        }
        self.ask(procedure, id, request, deadline)
    }

    /// Waits until the request can be sent, and makes it.
    fn make_ready(&mut self, request: Request, deadline: Deadline) -> Result<(HeadOnly, Vec<u8>)> {
        if let Err(late) = self.settle(deadline) {
            // A call that nobody waits for any more must not block the others for ever.
            self.line.take_if(|line| line.is_nobodys());
            return Err(late);
        }
        self.line.take_if(|line| !line.is_fresh());
        let line = match &mut self.line {
            Some(line) => line,
            none => none.insert(Line::connect(&self.wire.dial, &self.wire.calls.http, deadline)?),
        };
        self.wire.post(request, mem::take(&mut line.headers))
    }

    fn ask(
        &mut self,
        procedure: &str,
        id: u32,
        (head, body): (HeadOnly, Vec<u8>),
        deadline: Deadline,
    ) -> Result<()> {
        let Some(line) = &mut self.line else { return Err(Error::Closed { sent: false }) };
        let mut bytes = mem::take(&mut line.output);
        line.http.ask(head, &body, &mut bytes);
        if let Err(why) = self.send_all(&bytes, deadline) {
            self.hang_up(&why);
            return Err(why);
        }
        self.wire.calls.steps.tell(Step::Send, procedure, id, &bytes);
        if let Some(line) = &mut self.line
            && bytes.capacity() <= ReadBuffer::LEAST_ROOM
        {
            bytes.clear();
            line.output = bytes;
        }
        Ok(())
    }

    fn send_all(&mut self, mut rest: &[u8], deadline: Deadline) -> Result<()> {
        let mut time = TimeToSend::new(deadline);
        while let Some(line) = &mut self.line {
            let sent = match line.connection.send_some(rest) {
                Ok(sent) => sent,
                Err(error) => {
                    // What the server said before it closed tells more than that it did.
                    let said = (0..Turn::LAST_READS).find_map(|_| self.receive(false));
                    if let Some(Ok(())) = said {
                        self.line = None;
                        return Ok(());
                    }
                    return Err(Error::transport("sending a call", error));
                }
            };
            rest = &rest[sent..];
            if rest.is_empty() {
                break;
            }
            time.wait(&line.connection, sent > 0)?;
            // A server may refuse what it has not read to its end.
            if let Some(said) = self.receive(false) {
                // It would take the next request for the rest of this one.
                self.line = None;
                return said;
            }
        }
        Ok(())
    }

    /// Waits until nothing is under way.
    ///
    /// # Errors
    /// It is under way still when the time is over.
    fn settle(&mut self, deadline: Deadline) -> Result<()> {
        let mut is_over = false;
        while let Some(line) = &self.line
            && line.http.is_asked()
        {
            if let Some((end, timeout)) = deadline {
                let woken = wait_for(&line.connection, PollFlags::IN, Some(end));
                if is_over || matches!(woken, Ok(Wake::TimedOut)) {
                    return Err(Error::Timeout(timeout));
                }
                // There may always be more to read, from a server that does not stop.
                is_over = Instant::now() >= end;
            }
            self.receive(deadline.is_none());
        }
        Ok(())
    }

    /// Reads once; tells whether that brought the response, or the end and why.
    fn receive(&mut self, wait: bool) -> Option<Result<()>> {
        let Some(line) = &mut self.line else { return Some(Err(Error::Closed { sent: true })) };
        let response = match line.input.fill(&line.connection, wait) {
            Ok(None) => return None,
            Ok(Some(_)) => line.http.take_in(&mut line.input),
            Err(error) => Err(Error::transport("receiving a reply", error)),
        };
        match response {
            Ok(None) => return None,
            Ok(Some((head, body))) => {
                let (calls, headers) = (&self.wire.calls, head.headers);
                self.hand_over(|slots| {
                    calls.deliver(&calls.path, head.status, &headers, &body, slots);
                });
                if let Some(line) = &mut self.line {
                    line.headers = emptied(headers);
                    line.answers = line.answers.saturating_add(1);
                    line.answered = last_tick();
                }
            }
            Err(why) => {
                self.hang_up(&why);
                return Some(Err(why));
            }
        }
        Some(Ok(()))
    }

    /// Receives the response that the caller himself waits for.
    fn receive_own(&mut self, deadline: Deadline) -> Result<()> {
        self.settle(deadline).inspect_err(|_| {
            // The response would be taken for the next call's.
            self.hang_up(&Error::Closed { sent: true });
        })
    }

    /// Closes the connection; the calls that are under way on it fail.
    fn hang_up(&mut self, why: &Error) {
        self.hand_over(|slots| fail(slots, why));
        self.line = None;
    }

    /// Ends the calls that are under way.
    fn hand_over(&mut self, end: impl FnOnce(&[(u32, &dyn Deliver)])) {
        let shared = self.line.as_mut().map(|line| mem::take(&mut line.under_way));
        let mut shared = shared.unwrap_or_default();
        match (self.own.take(), &shared[..]) {
            (Some(own), _) => end(&[own]),
            (None, [lone]) => end(&[slot(lone)]),
            (None, all) => end(&all.iter().map(slot).collect::<Vec<_>>()),
        }
        shared.drain(..).for_each(|(id, _)| self.wire.turns.wake(id));
        if let Some(line) = &mut self.line {
            line.under_way = shared;
        }
    }
}

fn slot((id, slot): &Noted) -> (u32, &dyn Deliver) {
    (*id, &**slot)
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.wire.turns.give_back(self.line.take());
    }
}

impl Line {
    /// So short a pause is no idleness to any server.
    const MOMENT: Duration = Duration::from_millis(10);

    fn connect(dial: &Dial, http: &Http, deadline: Deadline) -> Result<Box<Line>> {
        Ok(Box::new(Line {
            connection: dial.connect(deadline)?,
            http: HttpClient::new(http.max_message)?,
            input: ReadBuffer::default(),
            output: Vec::new(),
            headers: HeaderMap::new(),
            under_way: Vec::new(),
            answers: 0,
            answered: Duration::ZERO,
        }))
    }

    /// Whether a request can be sent. A server that has closed an idle connection has done so
    /// before the request, which it has not seen.
    fn is_fresh(&mut self) -> bool {
        self.http.is_free()
            && (self.is_busy() || matches!(self.input.fill(&self.connection, false), Ok(None)))
    }

    /// Whether the last answer has only just come. A server that has kept the connection after an
    /// earlier one would have said in this one that it closes it (RFC 9112, section 9.6), so there
    /// is no need to look.
    fn is_busy(&self) -> bool {
        self.answers > 1 && last_tick() < self.answered + Line::MOMENT
    }

    /// Whether no caller waits for what is under way.
    fn is_nobodys(&self) -> bool {
        self.under_way.iter().all(|(_, slot)| Arc::strong_count(slot) == 1)
    }
}

impl<T> Pending<T> {
    /// Waits for the outcome, and receives it if nobody else does.
    pub(crate) fn wait(self, deadline: Deadline) -> Result<T> {
        let Pending { wire, slot, id } = self;
        let (end, timeout) = deadline.unzip();
        let outcome = match wire.turns.take(id, || slot.is_filled(), end) {
            Some(line) => Turn { wire: &wire, line, own: None }
                .receive_own(deadline)
                .and_then(|()| slot.take().unwrap_or(Err(Error::Closed { sent: true }))),
            None => {
                let late = Error::Timeout(timeout.unwrap_or(Duration::MAX));
                slot.take().unwrap_or(Err(late))
            }
        };
        wire.calls.steps.tell(Step::Result, "", id, &[]);
        outcome
    }
}
