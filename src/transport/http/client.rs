//! The client's side: requests go in, and responses come out.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};

use http::response::Parts;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;

use super::whole::{Coming, Lost};
use super::{Driver, Pipe};
use crate::error::{Error, ProtocolError, Result};
use crate::transport::ReadBuffer;

/// One connection's HTTP, as its client sees it.
pub(crate) struct HttpClient {
    connection: http1::Connection<Pipe, Empty<Bytes>>,
    sender: http1::SendRequest<Empty<Bytes>>,
    driver: Driver,
    pipe: Pipe,
    /// The head of the response, while it is missing.
    response: Option<PendingHead>,
    coming: Option<Coming<Parts>>,
    max_message: usize,
    /// Whether no further request can be sent.
    finished: bool,
}

/// A request whose body goes its own way.
pub(crate) type HeadOnly = Request<Empty<Bytes>>;

type PendingHead = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;

/// A response with its body.
pub(crate) type Whole = (Parts, Bytes);

impl HttpClient {
    pub(crate) fn new(max_message: usize) -> Result<HttpClient> {
        let (pipe, driver) = (Pipe::default(), Driver::new());
        // A head is one piece.
        let mut builder = http1::Builder::new();
        let mut handshake = Box::pin(builder.writev(false).handshake(pipe.clone()));
        // There is nothing to wait for: HTTP/1.1 begins with the first request.
        match driver.drive(handshake.as_mut()) {
            Poll::Ready(Ok((sender, connection))) => Ok(HttpClient {
                connection,
                sender,
                driver,
                pipe,
                response: None,
                coming: None,
                max_message,
                finished: false,
            }),
            Poll::Ready(Err(_)) | Poll::Pending => Err(Error::Closed { sent: false }),
        }
    }

    /// Sends a request, whose bytes are appended to `out`. There must be none under way.
    ///
    /// The body, of which the head has the length, stands behind the head as it is: hyper, which
    /// could only copy it, need not know of it.
    pub(crate) fn ask(&mut self, head: HeadOnly, body: &[u8], out: &mut Vec<u8>) {
        let response = Box::pin(self.sender.send_request(head));
        // No response can have come before its request was sent.
        let _ = self.drive();
        self.response = Some(response);
        self.pipe.take(out);
        if !out.is_empty() {
            out.extend_from_slice(body);
        }
    }

    /// Takes what came, which is the end if it is nothing; the response if it is whole now.
    ///
    /// # Errors
    /// What came is no HTTP, or too long; or the response will never be whole.
    pub(crate) fn take_in(&mut self, input: &mut ReadBuffer) -> Result<Option<Whole>> {
        if input.unread().is_empty() {
            self.pipe.end();
        }
        self.pipe.put(input);
        match self.drive() {
            Poll::Pending => Ok(None),
            Poll::Ready(response) => {
                (self.response, self.coming) = (None, None);
                response.map(Some)
            }
        }
    }

    /// Whether a response is missing.
    pub(crate) fn is_asked(&self) -> bool {
        self.response.is_some() || self.coming.is_some()
    }

    /// Whether another request can be sent.
    pub(crate) fn is_free(&self) -> bool {
        !self.finished && !self.is_asked()
    }

    /// Lets hyper work until a response is whole, or more must come first.
    fn drive(&mut self) -> Poll<Result<Whole>> {
        let HttpClient { connection, driver, response, coming, max_message, finished, .. } = self;
        let both = poll_fn(|context| {
            if !*finished {
                // How it ended, the response says too.
                *finished = Pin::new(&mut *connection).poll(context).is_ready();
            }
            if let Some(missing) = response {
                let came = ready!(missing.as_mut().poll(context));
                let (head, body) = came.map_err(|why| broken(&why))?.into_parts();
                (*response, *coming) = (None, Some(Coming::new(head, body)));
            }
            let (head, body) = ready!(Coming::poll(coming, context, *max_message));
            Poll::Ready(match body {
                Ok(body) => Ok((head, body)),
                Err(Lost::TooLong(length)) => {
                    Err(ProtocolError::TooLong { length, limit: *max_message }.into())
                }
                Err(Lost::Broken(why)) => Err(broken(&why)),
            })
        });
        driver.drive(pin!(both))
    }
}

fn broken(error: &hyper::Error) -> Error {
    log::debug!("hyper gave a response up: {error}");
    match error.is_parse() {
        true => ProtocolError::BadHead.into(),
        false => Error::Closed { sent: true },
    }
}
