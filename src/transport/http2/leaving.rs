//! A body on its way out, at the pace of whoever takes it.

use std::mem;
use std::task::Poll;

use h2::SendStream;
use http::HeaderMap;
use hyper::body::Bytes;

use crate::transport::http::Driver;

/// What of a body was not sent yet, and the trailers behind it.
pub(super) struct Leaving {
    stream: SendStream<Bytes>,
    rest: Bytes,
    trailers: HeaderMap,
}

impl Leaving {
    pub(super) fn new(mut stream: SendStream<Bytes>, body: Bytes, trailers: HeaderMap) -> Leaving {
        stream.reserve_capacity(body.len());
        Leaving { stream, rest: body, trailers }
    }

    pub(super) fn length(&self) -> usize {
        self.rest.len()
    }

    /// Sends what the other side has room for; whether that was all, or is not wanted any more.
    pub(super) fn go_on(&mut self, driver: &Driver) -> bool {
        loop {
            let room = self.stream.capacity();
            if room >= self.rest.len() {
                // It fails if nobody wants it.
                let _ = self.stream.send_data(mem::take(&mut self.rest), self.trailers.is_empty());
                if !self.trailers.is_empty() {
                    let _ = self.stream.send_trailers(mem::take(&mut self.trailers));
                }
                return true;
            }
            if room > 0 {
                let _ = self.stream.send_data(self.rest.split_to(room), false);
                continue;
            }
            match self.stream.poll_capacity(&mut driver.context()) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(_) => return true,
                Poll::Pending => return false,
            }
        }
    }
}
