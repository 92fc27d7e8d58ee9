//! One thing for many: who has the turn has the thing, and the others sleep.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::thread::{self, Thread};
use std::time::Instant;

use crate::wire::lock;

/// What goes around.
pub(super) struct Turns<L>(Mutex<Queue<L>>);

struct Queue<L> {
    /// Nothing while it is somebody's turn.
    idle: Option<L>,
    /// Threads that sleep until it is their turn, or until the call of this id has its outcome.
    asleep: VecDeque<(u32, Thread)>,
}

impl<L> Turns<L> {
    pub(super) fn new(it: L) -> Turns<L> {
        Turns(Mutex::new(Queue { idle: Some(it), asleep: VecDeque::new() }))
    }

    /// Waits for the turn. `None`: it is too late, or `is_over` says that no turn is needed. Who
    /// changes what that says calls [`wake`](Turns::wake) with the same id; 0 is never woken so.
    pub(super) fn take(
        &self,
        id: u32,
        is_over: impl Fn() -> bool,
        end: Option<Instant>,
    ) -> Option<L> {
        let mut queue = lock(&self.0);
        loop {
            if is_over() {
                // The turn may have been meant for this thread.
                queue.wake_next();
                return None;
            }
            if let Some(it) = queue.idle.take() {
                return Some(it);
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            let thread = thread::current();
            let me = thread.id();
            queue.asleep.push_back((id, thread));
            drop(queue);
            left.map_or_else(thread::park, thread::park_timeout);
            queue = lock(&self.0);
            queue.asleep.retain(|(_, thread)| thread.id() != me);
        }
    }

    pub(super) fn give_back(&self, it: L) {
        let mut queue = lock(&self.0);
        queue.idle = Some(it);
        queue.wake_next();
    }

    /// Wakes the thread that sleeps until this call has its outcome.
    pub(super) fn wake(&self, id: u32) {
        let mut queue = lock(&self.0);
        if let Some(at) = queue.asleep.iter().position(|(asleep, _)| *asleep == id)
            && let Some((_, thread)) = queue.asleep.remove(at)
        {
            thread.unpark();
        }
    }
}

impl<L> Queue<L> {
    /// Wakes the thread that has slept longest, if nobody has the turn.
    fn wake_next(&mut self) {
        if self.idle.is_some()
            && let Some((_, thread)) = self.asleep.pop_front()
        {
            thread.unpark();
        }
    }
}
