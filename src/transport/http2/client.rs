//! The client's side: requests go in, and responses come out, in the order in which they are whole.

use std::mem;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};

use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream};
use http::response::Parts;
use http::{HeaderMap, Request, StatusCode};
use hyper::body::Bytes;

use super::{MAX_HEADERS, context};
use crate::error::{Error, ProtocolError, Result};
use crate::message::Fault;
use crate::transport::ReadBuffer;
use crate::transport::http::{Driver, Pipe};

/// One connection's HTTP/2, as its client sees it. `C` is what the client notes of a call.
pub(crate) struct Http2Client<C> {
    connection: Connection<Pipe, Bytes>,
    sender: SendRequest<Bytes>,
    driver: Driver,
    pipe: Pipe,
    under_way: Vec<UnderWay<C>>,
    /// Those whose response is whole. `h2` looks at the connection whenever one is dropped; it may
    /// as well do that when it works next.
    over: Vec<Stage>,
    max_message: usize,
    /// Whether the connection is of no use any more.
    finished: bool,
}

/// A call whose response is not whole.
struct UnderWay<C> {
    call: C,
    stage: Stage,
}

enum Stage {
    Head(ResponseFuture),
    Body(Box<Parts>, RecvStream, Vec<u8>),
}

/// A response.
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    /// The headers, and the trailers, which count more.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl<C> Http2Client<C> {
    /// How much of one response may come before it is read, in bytes.
    const STREAM_WINDOW: u32 = 1 << 20;
    /// The same for all responses together.
    const WINDOW: u32 = 16 << 20;
    /// Calls at once before the server has said how many it takes. No server should take fewer
    /// (RFC 9113, section 6.5.2).
    const FIRST_STREAMS: usize = 100;

    pub(crate) fn new(max_message: usize) -> Result<Http2Client<C>> {
        let (pipe, driver) = (Pipe::default(), Driver::new());
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .initial_max_send_streams(Http2Client::<C>::FIRST_STREAMS)
            .max_header_list_size(MAX_HEADERS)
            .initial_window_size(Http2Client::<C>::STREAM_WINDOW)
            .initial_connection_window_size(Http2Client::<C>::WINDOW);
        // A client says what it wants without waiting for the server.
        match driver.drive(pin!(builder.handshake(pipe.clone()))) {
            Poll::Ready(Ok((sender, connection))) => {
                let mut client = Http2Client {
                    connection,
                    sender,
                    driver,
                    pipe,
                    under_way: Vec::new(),
                    over: Vec::new(),
                    max_message,
                    finished: false,
                };
                // From now on `h2` says when it has something to do.
                client.drive()?;
                Ok(client)
            }
            Poll::Ready(Err(_)) | Poll::Pending => Err(Error::Closed { sent: false }),
        }
    }

    /// Whether another request can be sent.
    pub(crate) fn is_free(&mut self) -> bool {
        if self.finished {
            return false;
        }
        match self.sender.poll_ready(&mut context()) {
            Poll::Ready(ready) => ready.is_ok(),
            Poll::Pending => {
                // The server has no room now. `h2` keeps requests until it has, but each copy of
                // its sender keeps only one.
                self.sender = self.sender.clone();
                true
            }
        }
    }

    /// Sends a request, when the server has room for it; [`is_free`](Http2Client::is_free) was
    /// asked before.
    ///
    /// # Errors
    /// The request has no form in HTTP/2.
    pub(crate) fn ask(&mut self, request: Request<Bytes>, call: C) -> Result<()> {
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts, ());
        let (response, mut stream) = self
            .sender
            .send_request(request, body.is_empty())
            .map_err(|why| Error::Pack(why.to_string()))?;
        if !body.is_empty() {
            // `h2` keeps what the server has no room for yet.
            stream.send_data(body, true).map_err(|why| Error::Pack(why.to_string()))?;
        }
        self.under_way.push(UnderWay { call, stage: Stage::Head(response) });
        Ok(())
    }

    /// Moves what is to be sent to `out`.
    ///
    /// # Errors
    /// The server broke the protocol before this.
    pub(crate) fn give_out(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let driven = if self.driver.is_woken() { self.drive() } else { Ok(()) };
        self.pipe.take(out);
        driven
    }

    /// Takes what came, and tells which calls were answered.
    ///
    /// # Errors
    /// What came is no HTTP/2.
    pub(crate) fn take_in(
        &mut self,
        input: &mut ReadBuffer,
        answered: &mut Vec<(C, Result<Response>)>,
    ) -> Result<()> {
        self.pipe.put(input);
        loop {
            let driven = self.drive();
            self.gather(answered);
            driven?;
            // What is finished works no more, whatever it was woken for.
            if self.finished || !self.driver.is_woken() {
                return Ok(());
            }
        }
    }

    fn drive(&mut self) -> Result<()> {
        if self.finished {
            return Ok(());
        }
        self.over.clear();
        match self.driver.drive(Pin::new(&mut self.connection)) {
            Poll::Pending => Ok(()),
            Poll::Ready(ended) => {
                self.finished = true;
                // Calls that were not executed have been told so.
                ended.map_err(|why| match why.is_library() {
                    true => ProtocolError::BadHead.into(),
                    false => Error::Closed { sent: true },
                })
            }
        }
    }

    /// Takes what came of the responses.
    fn gather(&mut self, answered: &mut Vec<(C, Result<Response>)>) {
        let mut at = 0;
        while at < self.under_way.len() {
            let Poll::Ready(response) = self.under_way[at].stage.poll(self.max_message) else {
                at += 1;
                continue;
            };
            let UnderWay { call, stage } = self.under_way.swap_remove(at);
            let response = match response {
                Ok(response) => {
                    self.over.push(stage);
                    Ok(response)
                }
                Err(Trouble::Stream(why)) => Err(explain(&why, !self.is_free())),
                Err(Trouble::TooLong(length)) => {
                    Err(ProtocolError::TooLong { length, limit: self.max_message }.into())
                }
            };
            answered.push((call, response));
        }
    }

    /// Gives calls up, and tells the server so.
    pub(crate) fn cancel(&mut self, given_up: impl Fn(&C) -> bool) {
        self.under_way.retain(|it| !given_up(&it.call));
    }

    /// Takes all calls, because the connection is of no use any more.
    pub(crate) fn end(&mut self) -> impl Iterator<Item = C> {
        self.finished = true;
        mem::take(&mut self.under_way).into_iter().map(|it| it.call)
    }
}

/// Why there is no response.
enum Trouble {
    Stream(h2::Error),
    TooLong(u64),
}

impl From<h2::Error> for Trouble {
    fn from(why: h2::Error) -> Trouble {
        Trouble::Stream(why)
    }
}

impl Stage {
    fn poll(&mut self, max_message: usize) -> Poll<Result<Response, Trouble>> {
        let context = &mut context();
        if let Stage::Head(response) = self {
            let (parts, stream) = ready!(Pin::new(response).poll(context))?.into_parts();
            *self = Stage::Body(Box::new(parts), stream, Vec::new());
        }
        let Stage::Body(parts, stream, body) = self else { return Poll::Pending };
        while let Some(piece) = ready!(stream.poll_data(context)).transpose()? {
            // It fails if the stream has ended, and then no more room is needed.
            let _ = stream.flow_control().release_capacity(piece.len());
            body.extend_from_slice(&piece);
            if body.len() > max_message {
                return Poll::Ready(Err(Trouble::TooLong(body.len() as u64)));
            }
        }
        let trailers = ready!(stream.poll_trailers(context))?;
        let (status, mut headers) = (parts.status, mem::take(&mut parts.headers));
        if let Some(trailers) = trailers {
            trailers.keys().for_each(|name| drop(headers.remove(name)));
            headers.extend(trailers);
        }
        Poll::Ready(Ok(Response { status, headers, body: mem::take(body) }))
    }
}

/// What an error of HTTP/2 says about a call. `leaving`: whether the server takes no more calls.
fn explain(why: &h2::Error, leaving: bool) -> Error {
    log::debug!("h2 gave a call up: {why}");
    let refused = why.is_reset() && why.reason() == Some(Reason::REFUSED_STREAM);
    if !why.is_remote() {
        return match why.is_io() {
            true => Error::Closed { sent: true },
            false => ProtocolError::BadHead.into(),
        };
    }
    match why.reason() {
        // Behind the last stream that a leaving server names, nothing was executed.
        Some(_) if why.is_go_away() => not_executed(Fault::STOPPING),
        Some(_) if refused && leaving => not_executed(Fault::STOPPING),
        Some(_) if refused => not_executed(Fault::OVERLOADED),
        Some(reason) => ProtocolError::Reset(reason.into()).into(),
        None => Error::Closed { sent: true },
    }
}

fn not_executed(code: i32) -> Error {
    Fault::new(code, "the server takes no more calls on this connection; not executed").into()
}
