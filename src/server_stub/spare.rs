//! Memory that one connection leaves to the next.

use std::sync::Mutex;

use crate::transport::ReadBuffer;
use crate::wire::lock;

/// The buffers of the connection that ended last.
///
/// The next one need not ask the allocator for any, which would cost a forked child its own copies of
/// the allocator's pages.
#[derive(Default)]
pub(crate) struct Spare(Mutex<Option<Buffers>>);

/// What a connection reads into, and what it packs outcomes into: empty ones.
pub(super) struct Buffers {
    pub(super) input: ReadBuffer,
    pub(super) answer: Vec<u8>,
}

impl Spare {
    /// The bytes of most outcomes, or more.
    const SHORT: usize = 64;

    /// The spare buffers, or new ones.
    pub(super) fn take(&self) -> Buffers {
        let spare = lock(&self.0).take();
        spare.unwrap_or_else(|| {
            // The short one first: its bytes and the first ones of the other, which are as much as a
            // short call needs, then are most often in one page.
            let answer = Vec::with_capacity(Spare::SHORT);
            Buffers { input: ReadBuffer::with_room(), answer }
        })
    }

    /// Keeps what a connection has used; what it left in there is nobody's.
    pub(super) fn keep(&self, mut used: Buffers) {
        used.input.forget();
        used.answer.clear();
        used.answer.shrink_to(ReadBuffer::KEPT);
        *lock(&self.0) = Some(used);
    }
}
