//! HTTP/2 from the `h2` crate, driven like HTTP/1.1 between two buffers: see [`super::http`].
//!
//! Many requests share the connection, each on a *stream* of its own, and both sides say how much
//! they are willing to take (*flow control*), for each stream and for all of them together.

mod client;
mod leaving;
mod server;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(crate) use client::Http2Client;
pub(crate) use server::{Exchange, Http2Server};

use super::http::{Buffers, Pipe};

/// The longest list of headers that is taken, in bytes as HTTP/2 counts them.
const MAX_HEADERS: u32 = 16 * 1024;
/// How much of one body may come before it is read, in bytes.
const STREAM_WINDOW: u32 = 64 * 1024;

/// For what is polled on a connection that was driven before: nothing has to be woken for it.
fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Buffers { input, ended, .. } = &mut *self.borrow();
        let count = input.unread().len().min(buffer.remaining());
        if count == 0 && !*ended {
            // Nobody is woken: the driver comes again when there is more.
            return Poll::Pending;
        }
        buffer.put_slice(&input.unread()[..count]);
        input.consume(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.borrow().output.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
