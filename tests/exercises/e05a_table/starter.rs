//! Exercise 5a. This table lets callers give up without noticing it, and knows nothing of what
//! happens after `u32::MAX`.

use std::collections::HashMap;

#[derive(Default)]
pub(crate) struct Table<T> {
    last: u32,
    callers: HashMap<u32, T>,
}

impl<T> Table<T> {
    /// Lets the ids go on after this one.
    pub(crate) fn start_after(&mut self, id: u32) {
        self.last = id;
    }

    /// Notes a caller under the next free id.
    pub(crate) fn insert(&mut self, caller: T) -> u32 {
        self.last = self.last.wrapping_add(1);
        self.callers.insert(self.last, caller);
        self.last
    }

    /// Takes out the caller to whom the reply with this id belongs, if there still is one.
    pub(crate) fn complete(&mut self, id: u32) -> Option<T> {
        self.callers.remove(&id)
    }

    /// The caller of this id waits no longer.
    pub(crate) fn give_up(&mut self, _id: u32) {}
}
