//! The lifeline: one descriptor that every blocking wait of a server also polls.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::memory;
use crate::error::{Error, Result};

/// The end that is watched. It becomes readable when the other end is written to or closed, and
/// stays so, because nobody reads it: any number of threads and processes see the same stop.
#[derive(Clone, Debug)]
pub(crate) struct Lifeline(Arc<OwnedFd>);

impl Lifeline {
    pub(crate) fn watching(end: OwnedFd) -> Lifeline {
        Lifeline(Arc::new(end))
    }
}

impl AsFd for Lifeline {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A new lifeline, and the end that holds it.
pub(crate) fn lifeline() -> Result<(OwnedFd, Lifeline)> {
    let (holder, watched) =
        memory::sockets().map_err(|error| Error::transport("making a lifeline", error))?;
    Ok((holder, Lifeline::watching(watched)))
}
