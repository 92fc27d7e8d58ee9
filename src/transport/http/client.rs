//! The client's side: requests go in, and responses come out.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use http::response::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;

use super::{Driver, Pipe};
use crate::error::{Error, ProtocolError, Result};
use crate::transport::ReadBuffer;

/// One connection's HTTP, as its client sees it.
pub(crate) struct HttpClient {
    connection: http1::Connection<Pipe, Full<Bytes>>,
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Driver,
    pipe: Pipe,
    response: Option<Pin<Box<dyn Future<Output = Result<Whole>> + Send>>>,
    max_message: usize,
    /// Whether no further request can be sent.
    finished: bool,
}

/// A response with its body.
pub(crate) type Whole = (Parts, Bytes);

impl HttpClient {
    pub(crate) fn new(max_message: usize) -> Result<HttpClient> {
        let (pipe, driver) = (Pipe::default(), Driver::new());
        let mut handshake = Box::pin(http1::handshake(pipe.clone()));
        // There is nothing to wait for: HTTP/1.1 begins with the first request.
        match driver.drive(handshake.as_mut()) {
            Poll::Ready(Ok((sender, connection))) => Ok(HttpClient {
                connection,
                sender,
                driver,
                pipe,
                response: None,
                max_message,
                finished: false,
            }),
            Poll::Ready(Err(_)) | Poll::Pending => Err(Error::Closed { sent: false }),
        }
    }

    /// Sends a request, whose bytes are appended to `out`. There must be none under way.
    pub(crate) fn ask(&mut self, request: Request<Full<Bytes>>, out: &mut Vec<u8>) {
        let response = self.sender.send_request(request);
        self.response = Some(Box::pin(whole(response, self.max_message)));
        // No response can have come before its request was sent.
        let _ = self.drive();
        self.pipe.take(out);
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
        let Poll::Ready(response) = self.drive() else { return Ok(None) };
        self.response = None;
        // A server that wants no further request has said so by now.
        let _ = self.drive();
        response.map(Some)
    }

    /// Whether a response is missing.
    pub(crate) fn is_asked(&self) -> bool {
        self.response.is_some()
    }

    /// Whether another request can be sent.
    pub(crate) fn is_free(&self) -> bool {
        !self.finished && self.response.is_none()
    }

    /// Lets hyper work until a response is whole, or more must come first.
    fn drive(&mut self) -> Poll<Result<Whole>> {
        let HttpClient { connection, response, finished, driver, .. } = self;
        let both = poll_fn(|context| {
            if !*finished {
                // How it ended, the response says too.
                *finished = Pin::new(&mut *connection).poll(context).is_ready();
            }
            match response {
                Some(response) => response.as_mut().poll(context),
                None => Poll::Pending,
            }
        });
        driver.drive(pin!(both))
    }
}

/// The whole response.
async fn whole(
    response: impl Future<Output = hyper::Result<Response<Incoming>>>,
    max_message: usize,
) -> Result<Whole> {
    let (parts, body) = response.await.map_err(|error| broken(&error))?.into_parts();
    let announced = body.size_hint().lower();
    let too_long = |length| ProtocolError::TooLong { length, limit: max_message };
    if announced > max_message as u64 {
        return Err(too_long(announced).into());
    }
    match Limited::new(body, max_message).collect().await {
        Ok(body) => Ok((parts, body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(too_long(max_message as u64 + 1).into())
        }
        Err(error) => match error.downcast_ref() {
            Some(error) => Err(broken(error)),
            None => Err(ProtocolError::BadHead.into()),
        },
    }
}

fn broken(error: &hyper::Error) -> Error {
    log::debug!("hyper gave a response up: {error}");
    match error.is_parse() {
        true => ProtocolError::BadHead.into(),
        false => Error::Closed { sent: true },
    }
}
