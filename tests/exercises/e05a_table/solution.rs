//! Exercise 5a, solved.

use std::collections::HashMap;

// ANCHOR: answer
#[derive(Default)]
pub(crate) struct Table<T> {
    last: u32,
    callers: HashMap<u32, T>,
}

impl<T> Table<T> {
    pub(crate) fn start_after(&mut self, id: u32) {
        self.last = id;
    }

    pub(crate) fn insert(&mut self, caller: T) -> u32 {
        loop {
            self.last = self.last.wrapping_add(1);
            if self.last != 0 && !self.callers.contains_key(&self.last) {
                break;
            }
        }
        self.callers.insert(self.last, caller);
        self.last
    }

    pub(crate) fn complete(&mut self, id: u32) -> Option<T> {
        self.callers.remove(&id)
    }

    pub(crate) fn give_up(&mut self, id: u32) {
        self.callers.remove(&id);
    }
}
// ANCHOR_END: answer
