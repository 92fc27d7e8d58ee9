//! The server's side: requests come out as messages, in the order in which they become whole, and
//! answers go in, in any order.

use std::collections::VecDeque;
use std::mem;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Bytes;

use super::leaving::Leaving;
use super::{MAX_HEADERS, STREAM_WINDOW, context};
use crate::error::ProtocolError;
use crate::message::Fault;
use crate::protocol::http::{Head, Http};
use crate::protocol::{Answer, Message};
use crate::transport::http::{Driver, Pipe, Refusal, admit};
use crate::transport::{Found, ReadBuffer, from_now};

/// One connection's HTTP/2, as its server sees it.
pub(crate) struct Http2Server {
    stage: Stage,
    driver: Driver,
    pipe: Pipe,
    /// Requests that are not whole; the oldest is the first.
    arriving: Vec<Arriving>,
    /// Requests that are whole, and were not asked for.
    whole: VecDeque<Exchange>,
    /// The one of these that is being answered, where they are answered one by one.
    chosen: Option<Exchange>,
    /// Requests that are being answered.
    handed_out: usize,
    /// The bytes of all these requests' bodies.
    held: usize,
    /// Answers that the client makes no room for.
    leaving: Vec<Leaving>,
    /// Whether requests that come now are refused.
    stopping: bool,
}

enum Stage {
    /// The client has not said yet that it speaks HTTP/2.
    Greeting,
    Open(Box<Connection<Pipe, Bytes>>),
    Finished,
}

/// A request that is to be answered.
pub(crate) struct Exchange {
    parts: Parts,
    body: Vec<u8>,
    respond: SendResponse<Bytes>,
}

/// A request whose body is not whole.
struct Arriving {
    exchange: Exchange,
    stream: RecvStream,
    /// How much of the body came that the client was not given new room for.
    unreleased: usize,
    /// Until when the rest must have come, once it is waited for.
    until: Option<Instant>,
}

impl Http2Server {
    /// What a client says first (RFC 9113, section 3.4).
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    /// Requests at once.
    pub(crate) const MOST_STREAMS: u32 = 128;
    /// Room for all streams together, so that none can take it from the others.
    const WINDOW: u32 = (Http2Server::MOST_STREAMS + 1) * STREAM_WINDOW;
    /// Answers up to this length are copied, in bytes.
    const SHORT: usize = 1024;

    pub(crate) fn new() -> Http2Server {
        Http2Server {
            stage: Stage::Greeting,
            driver: Driver::new(),
            pipe: Pipe::default(),
            arriving: Vec::new(),
            whole: VecDeque::new(),
            chosen: None,
            handed_out: 0,
            held: 0,
            leaving: Vec::new(),
            stopping: false,
        }
    }

    /// Takes what came. What is to be sent is appended to `out`.
    ///
    /// # Errors
    /// What came is no HTTP/2. The client was told so.
    pub(crate) fn take_in(
        &mut self,
        http: &Http,
        input: &mut ReadBuffer,
        out: &mut Vec<u8>,
    ) -> Result<(), ProtocolError> {
        if let Stage::Greeting = self.stage {
            let begun = input.unread().len().min(Http2Server::PREFACE.len());
            if input.unread()[..begun] != Http2Server::PREFACE[..begun] {
                self.stage = Stage::Finished;
                refuse_other_protocols(out);
                return Err(ProtocolError::BadHead);
            }
            if begun < Http2Server::PREFACE.len() {
                return Ok(());
            }
            self.pipe.put(input);
            self.open()?;
        }
        self.pipe.put(input);
        self.work(http, out)
    }

    /// Much is moved about here. It must not weigh on the stack of what runs for every call.
    #[inline(never)]
    fn open(&mut self) -> Result<(), ProtocolError> {
        let mut handshake = Builder::new()
            .max_concurrent_streams(Http2Server::MOST_STREAMS)
            .max_header_list_size(MAX_HEADERS)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(Http2Server::WINDOW)
            .handshake(self.pipe.clone());
        match self.driver.drive(pin!(&mut handshake)) {
            Poll::Ready(Ok(connection)) => {
                self.stage = Stage::Open(Box::new(connection));
                Ok(())
            }
            // The preface is there, and nothing else is waited for.
            Poll::Ready(Err(_)) | Poll::Pending => Err(ProtocolError::BadHead),
        }
    }

    /// The next request that is whole.
    pub(crate) fn next(&mut self) -> Option<Exchange> {
        let next = self.whole.pop_front();
        self.handed_out += usize::from(next.is_some());
        next
    }

    /// Whether a request is whole that was not asked for.
    pub(crate) fn has_next(&self) -> bool {
        !self.whole.is_empty()
    }

    /// Chooses the next request that is whole.
    pub(crate) fn choose_next(&mut self) -> Found {
        self.chosen = self.next();
        self.chosen.as_ref().map_or(Found::Nothing, |_| Found::Message(0..0))
    }

    /// The chosen request; none is empty.
    pub(crate) fn message(&self) -> Message<'_> {
        self.chosen.as_ref().map_or(Message::new(&[]), Exchange::message)
    }

    /// Answers the chosen request.
    pub(crate) fn answer_chosen(
        &mut self,
        http: &Http,
        answered: Result<(), ProtocolError>,
        answer: &mut Answer,
    ) {
        if let Some(exchange) = self.chosen.take() {
            self.answer(http, exchange, answered, answer);
        }
    }

    /// Answers a request, as far as the client makes room for it; [`work`](Http2Server::work) does
    /// the rest.
    pub(crate) fn answer(
        &mut self,
        http: &Http,
        exchange: Exchange,
        answered: Result<(), ProtocolError>,
        answer: &mut Answer,
    ) {
        self.handed_out -= 1;
        self.held -= exchange.body.len();
        if let Err(why) = answered {
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, why.to_string());
            return self.refuse(exchange.respond, refusal);
        }
        let mut response = Response::new(());
        let content_type = HeaderValue::from_static(http.content_type);
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        // What a short answer was packed in serves for the next one.
        let body = match answer.bytes.len() <= Http2Server::SHORT {
            true => Bytes::copy_from_slice(&answer.bytes),
            false => mem::take(&mut answer.bytes).into(),
        };
        answer.bytes.clear();
        self.send(exchange.respond, response, body, mem::take(&mut answer.trailers));
    }

    /// Refuses a request that was handed out: it was not executed.
    pub(crate) fn turn_away(&mut self, mut exchange: Exchange) {
        self.handed_out -= 1;
        self.held -= exchange.body.len();
        exchange.respond.send_reset(Reason::REFUSED_STREAM);
    }

    fn refuse(&mut self, respond: SendResponse<Bytes>, refusal: Refusal) {
        let mut response = Response::new(());
        *response.status_mut() = refusal.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        let why = match refusal.why.is_empty() {
            true => Bytes::new(),
            false => (refusal.why + "\n").into(),
        };
        self.send(respond, response, why, HeaderMap::new());
    }

    fn send(
        &mut self,
        mut respond: SendResponse<Bytes>,
        mut response: Response<()>,
        body: Bytes,
        trailers: HeaderMap,
    ) {
        // A client that has given the call up wants no answer, and `h2` knows.
        if body.is_empty() {
            response.headers_mut().extend(trailers);
            let _ = respond.send_response(response, true);
        } else if let Ok(stream) = respond.send_response(response, false) {
            self.leaving.extend(Leaving::new(stream, body, trailers));
        }
    }

    /// Lets `h2` work until more must come first, or until there is a lone request: there may be
    /// more behind it, and asking for them then sends its answer too. What is to be sent is
    /// appended to `out`.
    ///
    /// # Errors
    /// As [`take_in`](Http2Server::take_in).
    pub(crate) fn work(&mut self, http: &Http, out: &mut Vec<u8>) -> Result<(), ProtocolError> {
        let mut outcome = Ok(());
        while let Stage::Open(connection) = &mut self.stage {
            let accepted = self.driver.drive(pin!(connection.accept()));
            match accepted {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    self.begin(http, request, respond);
                    let alone = self.arriving.is_empty() && self.leaving.is_empty();
                    if alone && !self.whole.is_empty() {
                        break;
                    }
                }
                Poll::Ready(None) => self.stage = Stage::Finished,
                Poll::Ready(Some(Err(error))) => {
                    log::debug!("h2 gave a connection up: {error}");
                    self.stage = Stage::Finished;
                    outcome = Err(ProtocolError::BadHead);
                }
                Poll::Pending => {
                    for arriving in mem::take(&mut self.arriving) {
                        self.gather(http, arriving);
                    }
                    self.make_room(http);
                    self.leaving.retain_mut(|leaving| !leaving.go_on());
                    // All of this may have given `h2` something to do.
                    if !self.driver.is_woken() {
                        break;
                    }
                }
            }
        }
        self.pipe.take(out);
        outcome
    }

    fn begin(
        &mut self,
        http: &Http,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
    ) {
        if self.stopping || self.whole.len() >= Http2Server::MOST_STREAMS as usize {
            return respond.send_reset(Reason::REFUSED_STREAM);
        }
        let (parts, stream) = request.into_parts();
        match admit(http, &parts, Bytes::new()).and_then(|body| announced(http, &parts, body)) {
            Ok(body) => {
                let exchange = Exchange { parts, body: body.into(), respond };
                self.held += exchange.body.len();
                self.gather(http, Arriving { exchange, stream, unreleased: 0, until: None });
            }
            Err(refusal) if parts.method == Method::HEAD => {
                // RFC 9110, section 9.3.2: its answer has no content.
                self.refuse(respond, Refusal { why: String::new(), ..refusal });
            }
            Err(refusal) => self.refuse(respond, refusal),
        }
    }

    /// Takes what came of a request.
    fn gather(&mut self, http: &Http, mut arriving: Arriving) {
        let before = arriving.exchange.body.len();
        let gathered = arriving.gather(http.max_message);
        self.held += arriving.exchange.body.len() - before;
        match gathered {
            Gathered::Part => self.arriving.push(arriving),
            Gathered::Whole => self.whole.push_back(arriving.exchange),
            Gathered::Gone => self.held -= arriving.exchange.body.len(),
        }
    }

    /// Lets requests grow. What all of them hold together is limited: over the limit the oldest one
    /// alone grows, when nothing else is to be done.
    fn make_room(&mut self, http: &Http) {
        let crowded = self.held > 2 * http.max_message;
        let idle = self.whole.is_empty() && self.handed_out == 0;
        for (at, arriving) in self.arriving.iter_mut().enumerate() {
            if !crowded || (at == 0 && idle) {
                arriving.release();
            }
        }
    }

    /// Whether no request will be read any more.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.stage, Stage::Finished)
    }

    /// Whether there is something to do besides waiting for the client.
    pub(crate) fn is_busy(&self) -> bool {
        !self.whole.is_empty() || self.handed_out > 0 || !self.leaving.is_empty()
    }

    /// How many bytes of answers the client makes no room for.
    pub(crate) fn unsent(&self) -> usize {
        self.leaving.iter().map(Leaving::length).sum()
    }

    /// Whether nothing was begun that is not finished.
    pub(crate) fn is_at_rest(&self) -> bool {
        !self.is_busy() && self.arriving.is_empty()
    }

    /// Until when the rest of a request must have come, if the rest of one is waited for: each has
    /// this time from now.
    pub(crate) fn rest_until(&mut self, limit: Duration) -> Option<Instant> {
        for arriving in &mut self.arriving {
            arriving.until.get_or_insert_with(|| from_now(limit));
        }
        self.arriving.first().and_then(|oldest| oldest.until)
    }

    /// Gives the oldest request up that is not whole.
    pub(crate) fn too_slow(&mut self, why: &ProtocolError) {
        if !self.arriving.is_empty() {
            let exchange = self.arriving.remove(0).exchange;
            self.held -= exchange.body.len();
            self.refuse(
                exchange.respond,
                Refusal::new(StatusCode::REQUEST_TIMEOUT, why.to_string()),
            );
        }
    }

    /// How much came of requests whose rest is missing: at least a byte for each.
    pub(crate) fn torn(&self, input: &ReadBuffer) -> usize {
        let bodies = self.arriving.iter().map(|it| it.exchange.body.len().max(1)).sum::<usize>();
        input.unread().len() + bodies
    }

    /// Nothing will come any more: neither the rest of a request nor room for an answer.
    pub(crate) fn end(&mut self) {
        self.arriving.clear();
        self.leaving.clear();
    }

    /// Tells the client to make no further requests. Those that are whole are still answered; what
    /// comes from now on is refused.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
        for mut arriving in mem::take(&mut self.arriving) {
            arriving.exchange.respond.send_reset(Reason::REFUSED_STREAM);
        }
        if let Stage::Open(connection) = &mut self.stage
            && (self.handed_out > 0 || !self.whole.is_empty() || !self.leaving.is_empty())
        {
            connection.graceful_shutdown();
        }
    }

    /// The last that a client is told: which requests were read.
    pub(crate) fn bye(&mut self, out: &mut Vec<u8>) {
        if let Stage::Open(connection) = &mut self.stage {
            connection.abrupt_shutdown(Reason::NO_ERROR);
            // What it still brings is nobody's.
            let _ = self.driver.drive(pin!(connection.accept()));
            self.pipe.take(out);
            self.stage = Stage::Finished;
        }
    }

    /// Refuses what came or would come, unless the client knows already.
    pub(crate) fn last_words(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        match self.stage {
            Stage::Greeting => refuse_everything(&fault.message, out),
            Stage::Open(_) => self.bye(out),
            Stage::Finished => {}
        }
    }

    /// Gives memory back that only a large message needed.
    pub(crate) fn shrink(&mut self) {
        self.pipe.shrink();
        self.arriving.shrink_to(1);
        self.whole.shrink_to(1);
        self.leaving.shrink_to(1);
    }
}

impl Exchange {
    pub(crate) fn message(&self) -> Message<'_> {
        let call = self.respond.stream_id().as_u32().div_ceil(2);
        let (path, headers) = (self.parts.uri.path(), &self.parts.headers);
        Message { head: Some(Head { path, headers, status: 0, call }), ..Message::new(&self.body) }
    }
}

enum Gathered {
    Part,
    Whole,
    /// The client has given the request up.
    Gone,
}

impl Arriving {
    fn gather(&mut self, max_message: usize) -> Gathered {
        while let Poll::Ready(piece) = self.stream.poll_data(&mut context()) {
            let Some(piece) = piece else { return Gathered::Whole };
            let Ok(piece) = piece else { return Gathered::Gone };
            self.unreleased += piece.len();
            self.exchange.body.extend_from_slice(&piece);
            if self.exchange.body.len() > max_message {
                self.exchange.body.truncate(max_message + 1);
                return Gathered::Whole;
            }
        }
        Gathered::Part
    }

    /// Gives the client new room for what came.
    fn release(&mut self) {
        let count = mem::take(&mut self.unreleased);
        if count > 0 {
            // It fails if the stream has ended, and then no more room is needed.
            let _ = self.stream.flow_control().release_capacity(count);
        }
    }
}

/// Whether the body may be as long as the head says.
fn announced(http: &Http, parts: &Parts, body: Bytes) -> Result<Bytes, Refusal> {
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
    match length.is_some_and(|length: u64| length > http.max_message as u64) {
        false => Ok(body),
        true => {
            let why = format!("a body has at most {} bytes", http.max_message);
            Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, why))
        }
    }
}

/// What a server says that takes no request: that it begins (SETTINGS), and that it ends (GOAWAY
/// behind stream 0, and why).
fn refuse_everything(why: &str, out: &mut Vec<u8>) {
    let why = &why.as_bytes()[..why.len().min(200)];
    let length = 8 + why.len() as u8;
    let reason = u32::from(Reason::REFUSED_STREAM).to_be_bytes();
    out.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
    out.extend_from_slice(&[0, 0, length, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(&reason);
    out.extend_from_slice(why);
}

/// Tells whoever does not speak HTTP/2, in the words that are most likely understood.
fn refuse_other_protocols(out: &mut Vec<u8>) {
    let why = "this server speaks HTTP/2 and nothing else\n";
    let head = "content-type: text/plain\r\nconnection: close\r\ncontent-length:";
    let answer = format!("HTTP/1.1 505 HTTP Version Not Supported\r\n{head} {}\r\n\r\n", why.len());
    out.extend_from_slice(answer.as_bytes());
    out.extend_from_slice(why.as_bytes());
}
