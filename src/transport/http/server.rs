//! The server's side: requests come out as messages, and answers go in.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io::Cursor;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use atomic_refcell::{AtomicRefCell, AtomicRefMut};
use http::header::{ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;

use super::whole::{Coming, Lost};
use super::{Driver, Pipe, emptied};
use crate::error::ProtocolError;
use crate::message::Fault;
use crate::protocol::http::{Head, Http};
use crate::protocol::{Answer, Message};
use crate::transport::{Found, ReadBuffer};

/// One connection's HTTP, as its server sees it.
pub(crate) struct HttpServer {
    connection: http1::Connection<Pipe, Desk>,
    driver: Driver,
    pipe: Pipe,
    desk: Desk,
    content_type: HeaderValue,
    coming: Option<Coming<Parts>>,
    /// The request that is being answered.
    request: Option<(Parts, Bytes)>,
    /// How many bytes came since the last request was whole.
    came: usize,
    /// Whether no request will be read any more.
    finished: bool,
    /// Whether hyper has told the client what is wrong.
    told: bool,
}

impl HttpServer {
    /// The longest head of a request, in bytes.
    const MAX_HEAD: usize = 16 * 1024;
    /// What hyper keeps of a body that is not whole, besides the body itself, in bytes.
    const MAX_BUFFER: usize = 64 * 1024;

    pub(crate) fn new(http: &Http) -> HttpServer {
        let (pipe, desk) = (Pipe::default(), Desk::default());
        let mut builder = http1::Builder::new();
        builder.max_header_size(HttpServer::MAX_HEAD).max_buf_size(HttpServer::MAX_BUFFER);
        let connection = builder.serve_connection(pipe.clone(), desk.clone());
        HttpServer {
            connection,
            driver: Driver::new(),
            pipe,
            desk,
            content_type: HeaderValue::from_static(http.content_type),
            coming: None,
            request: None,
            came: 0,
            finished: false,
            told: false,
        }
    }

    /// Takes what came. What is to be sent is appended to `out`.
    ///
    /// # Errors
    /// What came is no HTTP.
    pub(crate) fn take_in(
        &mut self,
        http: &Http,
        input: &mut ReadBuffer,
        out: &mut Vec<u8>,
    ) -> Result<Found, ProtocolError> {
        self.came += input.unread().len();
        self.pipe.put(input);
        self.work(http, out)
    }

    /// The message that is whole; none is empty.
    pub(crate) fn message(&self) -> Message<'_> {
        let Some((parts, bytes)) = &self.request else { return Message::new(&[]) };
        let head = Head { path: parts.uri.path(), headers: &parts.headers, status: 0, call: 0 };
        Message { head: Some(head), ..Message::new(bytes) }
    }

    /// Answers the message, and looks whether the next one is whole already. `last` says that no
    /// other shall follow.
    ///
    /// # Errors
    /// The message or what came after it makes it pointless to read on.
    pub(crate) fn answer(
        &mut self,
        http: &Http,
        answered: Result<(), ProtocolError>,
        answer: &mut Answer,
        last: bool,
        out: &mut Vec<u8>,
    ) -> Result<Found, ProtocolError> {
        if last {
            Pin::new(&mut self.connection).graceful_shutdown();
        }
        // hyper makes the next request out of what it finds in the map.
        let headers = self.request.take().map(|(parts, _)| emptied(parts.headers));
        let mut headers = headers.unwrap_or_default();
        let response = match &answered {
            Ok(()) => {
                headers.insert(CONTENT_TYPE, self.content_type.clone());
                response(StatusCode::OK, headers, &mut answer.bytes)
            }
            Err(why) => {
                self.told = true;
                Refusal::new(StatusCode::BAD_REQUEST, why.to_string()).response(http)
            }
        };
        self.desk.borrow().response = Some(response);
        let next = self.work(http, out);
        answered.and(next)
    }

    /// How much came of a message whose rest is missing, in bytes.
    pub(crate) fn torn(&self) -> usize {
        self.came
    }

    /// Gives memory back that only a large message needed.
    pub(crate) fn shrink(&self) {
        self.pipe.shrink();
    }

    /// Whether no message will come any more.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Refuses what came or would come, unless the client knows already.
    pub(crate) fn last_words(&self, fault: &Fault, out: &mut Vec<u8>) {
        let status = match fault.code {
            Fault::OVERLOADED | Fault::STOPPING => StatusCode::SERVICE_UNAVAILABLE,
            Fault::NOT_ALLOWED => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        };
        self.refuse(status, fault, out);
    }

    /// The same for a request that is not complete in time.
    pub(crate) fn too_slow(&self, fault: &Fault, out: &mut Vec<u8>) {
        self.refuse(StatusCode::REQUEST_TIMEOUT, fault, out);
    }

    /// hyper writes no answer before the request is whole, so this one is not its.
    fn refuse(&self, status: StatusCode, fault: &Fault, out: &mut Vec<u8>) {
        if self.told {
            return;
        }
        let (length, why) = (fault.message.len() + 1, &fault.message);
        let head = "content-type: text/plain\r\nconnection: close\r\ncontent-length:";
        let answer = format!("HTTP/1.1 {status}\r\n{head} {length}\r\n\r\n{why}\n");
        out.extend_from_slice(answer.as_bytes());
    }

    /// A stopping server has not executed what came in part.
    pub(crate) fn bye(&self, out: &mut Vec<u8>) {
        if self.came > 0 {
            let fault = Fault::new(Fault::STOPPING, "the server is stopping; not executed");
            self.last_words(&fault, out);
        }
    }

    /// Lets hyper work until a message is whole, or more must come first.
    fn work(&mut self, http: &Http, out: &mut Vec<u8>) -> Result<Found, ProtocolError> {
        let mut found = Found::Nothing;
        while !self.finished {
            let (ended, whole) = self.drive(http.max_message);
            self.pipe.take(out);
            if let Poll::Ready(ended) = ended {
                self.finished = true;
                ended.map_err(|error| {
                    log::debug!("hyper gave a connection up: {error}");
                    self.told = error.is_parse() && !error.is_parse_version_h2();
                    ProtocolError::BadHead
                })?;
            }
            let Poll::Ready((parts, body)) = whole else { break };
            self.came = 0;
            let body = body.map_err(|lost| match lost {
                Lost::TooLong(_) => {
                    let why = format!("a body has at most {} bytes", http.max_message);
                    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, why)
                }
                Lost::Broken(error) => Refusal::new(StatusCode::BAD_REQUEST, error.to_string()),
            });
            match body.and_then(|body| admit(http, &parts, body)) {
                Ok(body) => {
                    self.request = Some((parts, body));
                    return Ok(Found::Message(0..0));
                }
                Err(refusal) => {
                    found = Found::Refused;
                    self.desk.borrow().response = Some(refusal.response(http));
                }
            }
        }
        Ok(found)
    }

    /// Lets hyper work until a request is whole, or more must come first; or no more will.
    fn drive(&mut self, max_message: usize) -> (Poll<hyper::Result<()>>, Poll<Whole>) {
        let HttpServer { connection, driver, desk, coming, .. } = self;
        let both = poll_fn(|context| {
            let ended = Pin::new(&mut *connection).poll(context);
            if let Some(request) = desk.borrow().request.take() {
                let (parts, body) = request.into_parts();
                *coming = Some(Coming::new(parts, body));
            }
            let whole = Coming::poll(coming, context, max_message);
            match ended.is_pending() && whole.is_pending() {
                true => Poll::Pending,
                false => Poll::Ready((ended, whole)),
            }
        });
        match driver.drive(pin!(both)) {
            Poll::Ready(both) => both,
            Poll::Pending => (Poll::Pending, Poll::Pending),
        }
    }
}

/// A request, and its body if that came.
type Whole = (Parts, Result<Bytes, Lost>);

/// Whether this server takes such a request, and the message that it holds.
pub(in crate::transport) fn admit(
    http: &Http,
    parts: &Parts,
    body: Bytes,
) -> Result<Bytes, Refusal> {
    let (mut hosts, mut is_coded, mut is_encoded, mut content_type) = (0, false, false, None);
    // One walk over a few headers takes less time than a search for each name.
    for (name, value) in &parts.headers {
        if name == HOST {
            hosts += 1;
        } else if name == CONTENT_TYPE {
            content_type = content_type.or(Some(value));
        } else if name == CONTENT_ENCODING {
            is_encoded |= value != "identity";
        } else if name == TRANSFER_ENCODING {
            is_coded |= !value.as_bytes().eq_ignore_ascii_case(b"chunked");
        }
    }
    if parts.version == Version::HTTP_11 {
        admit_head(hosts, is_coded)?;
    }
    if !http.serves(parts.uri.path()) {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "nothing is served at this path"));
    }
    if is_encoded {
        let why = "a body is to be sent as it is";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
    }
    match (&parts.method, http.get) {
        (&Method::POST, _) if http.takes(content_type) => Ok(body),
        (&Method::POST, _) => {
            let why = format!("the content type is to be {}", http.content_type);
            Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why))
        }
        (&Method::GET, Some(message)) => Ok(Bytes::from_static(message)),
        _ => Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "calls are POST requests")),
    }
}

/// What every request of HTTP/1.1 has, and what hyper leaves to its users.
fn admit_head(hosts: usize, is_coded: bool) -> Result<(), Refusal> {
    // RFC 9112, section 3.2.
    if hosts != 1 {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "a request names one host"));
    }
    // RFC 9112, section 6.1: others on the way may have read another message in these bytes.
    if is_coded {
        let why = "a body comes in chunks or with its length, and as it is";
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, why));
    }
    Ok(())
}

/// Why a request is no message.
pub(in crate::transport) struct Refusal {
    pub(in crate::transport) status: StatusCode,
    pub(in crate::transport) why: String,
}

impl Refusal {
    pub(in crate::transport) fn new(status: StatusCode, why: impl Into<String>) -> Refusal {
        Refusal { status, why: why.into() }
    }

    fn response(self, http: &Http) -> Response<Content> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        match self.status {
            StatusCode::METHOD_NOT_ALLOWED => {
                let allowed = if http.get.is_some() { "GET, POST" } else { "POST" };
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            // Such a request was not read to its end, or nobody knows where that is: none can follow it.
            StatusCode::BAD_REQUEST
            | StatusCode::NOT_IMPLEMENTED
            | StatusCode::PAYLOAD_TOO_LARGE => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response(self.status, headers, &mut (self.why + "\n").into())
    }
}

fn response(status: StatusCode, headers: HeaderMap, body: &mut Vec<u8>) -> Response<Content> {
    let mut response = Response::new(content(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A body that goes out.
type Content = Full<Cursor<Vec<u8>>>;

/// Takes a body out of a buffer. A short one is copied, so that the buffer keeps its room.
fn content(bytes: &mut Vec<u8>) -> Content {
    let mut body = Vec::new();
    match bytes.len() <= ReadBuffer::SHORT {
        true => {
            body.extend_from_slice(bytes);
            bytes.clear();
        }
        false => mem::swap(&mut body, bytes),
    }
    Full::new(Cursor::new(body))
}

/// Where hyper leaves a request and finds its response.
#[derive(Clone, Default)]
struct Desk(Arc<AtomicRefCell<Papers>>);

#[derive(Default)]
struct Papers {
    request: Option<Request<Incoming>>,
    response: Option<Response<Content>>,
}

impl Desk {
    fn borrow(&self) -> AtomicRefMut<'_, Papers> {
        self.0.borrow_mut()
    }
}

impl Service<Request<Incoming>> for Desk {
    type Response = Response<Content>;
    type Error = Infallible;
    type Future = Desk;

    fn call(&self, request: Request<Incoming>) -> Desk {
        self.borrow().request = Some(request);
        self.clone()
    }
}

/// A response, which is there when the driver has put it there: nobody need be woken.
impl Future for Desk {
    type Output = Result<Response<Content>, Infallible>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.borrow().response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)))
    }
}
