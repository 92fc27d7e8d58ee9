//! A message whose body is still coming.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Incoming};

/// A head, and what came of its body.
pub(super) struct Coming<H> {
    head: H,
    body: Incoming,
    /// The first piece. Mostly it is the only one, and then it is not copied.
    first: Bytes,
    /// All pieces, if there are more.
    pieces: Vec<u8>,
}

/// Why a body will never be whole.
pub(super) enum Lost {
    /// It is too long: so long, or longer.
    TooLong(u64),
    Broken(hyper::Error),
}

impl<H> Coming<H> {
    pub(super) fn new(head: H, body: Incoming) -> Coming<H> {
        Coming { head, body, first: Bytes::new(), pieces: Vec::new() }
    }

    /// Takes the message when its body is whole, or never will be.
    pub(super) fn poll(
        message: &mut Option<Coming<H>>,
        context: &mut Context<'_>,
        limit: usize,
    ) -> Poll<(H, Result<Bytes, Lost>)> {
        let Some(coming) = message else { return Poll::Pending };
        let body = ready!(coming.poll_body(context, limit));
        message.take().map_or(Poll::Pending, |it| Poll::Ready((it.head, body)))
    }

    fn poll_body(&mut self, context: &mut Context<'_>, limit: usize) -> Poll<Result<Bytes, Lost>> {
        let announced = self.body.size_hint().lower();
        if announced > limit as u64 {
            return Poll::Ready(Err(Lost::TooLong(announced)));
        }
        while !self.body.is_end_stream() {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else { break };
            // What is no data is a trailer.
            let Ok(piece) = frame.map_err(Lost::Broken)?.into_data() else { continue };
            if self.first.len().max(self.pieces.len()) + piece.len() > limit {
                return Poll::Ready(Err(Lost::TooLong(limit as u64 + 1)));
            }
            self.add(piece);
        }
        Poll::Ready(Ok(match self.pieces.is_empty() {
            true => mem::take(&mut self.first),
            false => mem::take(&mut self.pieces).into(),
        }))
    }

    fn add(&mut self, piece: Bytes) {
        if self.first.is_empty() && self.pieces.is_empty() {
            self.first = piece;
            return;
        }
        self.pieces.extend_from_slice(&mem::take(&mut self.first));
        self.pieces.extend_from_slice(&piece);
    }
}
