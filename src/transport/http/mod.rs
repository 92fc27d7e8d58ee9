//! HTTP from hyper, without an async runtime.
//!
//! hyper never sees a socket here. It reads from one buffer and writes to another; whoever serves
//! the connection puts in what came, lets hyper work until it wants more, and sends what came out.
//! So HTTP costs no thread and no descriptor, and everything that is known about waiting, limits
//! and stopping on a stream of bytes holds for it too.

mod client;
mod server;
mod whole;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use atomic_refcell::{AtomicRefCell, AtomicRefMut};
use http::HeaderMap;
use hyper::rt::{Read, ReadBufCursor, Write};

pub(crate) use client::{HeadOnly, HttpClient};
pub(crate) use server::HttpServer;
#[cfg(feature = "http2")]
pub(super) use server::{Refusal, admit};

use super::ReadBuffer;

/// A map without entries, made of one that is not needed any more, unless that is large.
pub(crate) fn emptied(mut headers: HeaderMap) -> HeaderMap {
    match headers.capacity() <= 24 {
        true => {
            headers.clear();
            headers
        }
        false => HeaderMap::new(),
    }
}

/// The two buffers. Clones share them: hyper has one, and its driver the other. They take turns, so
/// that nobody would ever wait for a lock, which costs twice as much as a borrow.
#[derive(Clone, Default)]
pub(super) struct Pipe(Arc<AtomicRefCell<Buffers>>);

#[derive(Default)]
pub(super) struct Buffers {
    pub(super) input: ReadBuffer,
    /// Whether nothing will come after the input.
    pub(super) ended: bool,
    pub(super) output: Vec<u8>,
}

impl Pipe {
    pub(super) fn borrow(&self) -> AtomicRefMut<'_, Buffers> {
        self.0.borrow_mut()
    }

    /// Moves what came into the pipe.
    pub(super) fn put(&self, input: &mut ReadBuffer) {
        self.borrow().input.take_over(input);
    }

    /// Gives memory back that only a large message needed.
    pub(super) fn shrink(&self) {
        let Buffers { input, output, .. } = &mut *self.borrow();
        input.shrink();
        output.shrink_to(ReadBuffer::LEAST_ROOM);
    }

    /// Says that nothing more will come.
    pub(super) fn end(&self) {
        self.borrow().ended = true;
    }

    /// Moves what hyper wrote out of the pipe; a large piece is not copied.
    pub(super) fn take(&self, output: &mut Vec<u8>) {
        let written = &mut self.borrow().output;
        match output.is_empty() {
            true => std::mem::swap(output, written),
            false => output.append(written),
        }
    }
}

impl Read for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
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

impl Write for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.borrow().output.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    /// Takes head and body as they are, so that hyper need not put them together first.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let output = &mut self.borrow().output;
        let before = output.len();
        pieces.iter().for_each(|piece| output.extend_from_slice(piece));
        Poll::Ready(Ok(output.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Polls futures that wait for nothing but the pipe.
pub(super) struct Driver {
    woken: Arc<Woken>,
    waker: Waker,
}

/// Whether a future asked to be polled again.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Driver {
    pub(super) fn new() -> Driver {
        let woken = Arc::new(Woken::default());
        Driver { waker: Waker::from(Arc::clone(&woken)), woken }
    }

    /// Whether a future that was driven has something to do since.
    #[cfg(feature = "http2")]
    pub(super) fn is_woken(&self) -> bool {
        self.woken.0.load(Ordering::Relaxed)
    }

    /// Lets a future work until it is done, or until more bytes must come first.
    pub(super) fn drive<F: Future>(&self, mut future: Pin<&mut F>) -> Poll<F::Output> {
        let mut context = Context::from_waker(&self.waker);
        loop {
            // Whatever it was woken for before, it will find now.
            self.woken.0.store(false, Ordering::Relaxed);
            match future.as_mut().poll(&mut context) {
                Poll::Pending if self.woken.0.load(Ordering::Relaxed) => {}
                other => return other,
            }
        }
    }
}
