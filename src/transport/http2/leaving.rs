//! A body on its way out, at the pace of whoever takes it.

use std::mem;
use std::task::Poll;

use h2::SendStream;
use http::HeaderMap;
use hyper::body::Bytes;

use super::context;

/// What of a body was not sent yet, and the trailers behind it.
pub(super) struct Leaving {
    stream: SendStream<Bytes>,
    rest: Bytes,
    trailers: HeaderMap,
}

impl Leaving {
    /// Bodies up to this length are given to `h2` as they are, in bytes.
    const SHORT: usize = 16 * 1024;

    /// Sends a body; what is left, if it is a long one.
    pub(super) fn new(
        mut stream: SendStream<Bytes>,
        body: Bytes,
        trailers: HeaderMap,
    ) -> Option<Leaving> {
        if body.len() <= Leaving::SHORT {
            finish(&mut stream, body, trailers);
            return None;
        }
        stream.reserve_capacity(body.len());
        Some(Leaving { stream, rest: body, trailers })
    }

    /// How much is left, in bytes.
    pub(super) fn length(&self) -> usize {
        self.rest.len()
    }

    /// Sends what the other side has room for; whether that was all, or is not wanted any more.
    pub(super) fn go_on(&mut self) -> bool {
        loop {
            let room = self.stream.capacity();
            if room >= self.rest.len() {
                finish(&mut self.stream, mem::take(&mut self.rest), mem::take(&mut self.trailers));
                return true;
            }
            if room > 0 {
                // It fails if nobody wants it.
                let _ = self.stream.send_data(self.rest.split_to(room), false);
                continue;
            }
            match self.stream.poll_capacity(&mut context()) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(_) => return true,
                Poll::Pending => return false,
            }
        }
    }
}

/// Sends the last of a body. It fails if nobody wants it.
fn finish(stream: &mut SendStream<Bytes>, body: Bytes, trailers: HeaderMap) {
    let _ = stream.send_data(body, trailers.is_empty());
    if !trailers.is_empty() {
        let _ = stream.send_trailers(trailers);
    }
}
