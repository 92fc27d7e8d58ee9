//! The end of a message in memory of its own.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{fmt, mem};

/// A long byte string with which a message ends. It came into memory of its own, so that whoever
/// unpacks it takes that memory instead of copying it.
#[derive(Default)]
pub struct Tail(Mutex<Vec<u8>>);

impl Tail {
    /// A byte string that came so far.
    pub(crate) fn new(content: Vec<u8>) -> Tail {
        Tail(Mutex::new(content))
    }

    /// What comes, goes here.
    pub(crate) fn content(&mut self) -> &mut Vec<u8> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Takes the byte string; nothing is left for whoever comes after.
    pub fn take(&self) -> Vec<u8> {
        mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tail")
    }
}
