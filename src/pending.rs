//! Which calls wait for a reply, and which threads wait for a call. Bookkeeping without I/O.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::message::{Fault, Packed};

/// The calls of one connection.
#[derive(Default)]
pub(crate) struct Pending {
    calls: HashMap<u32, Arc<dyn Deliver>>,
    /// Threads that sleep until their call's outcome is there, or until they shall read.
    parked: Vec<(u32, Thread)>,
    last_id: u32,
    /// Whether no call can be made any more.
    closed: bool,
}

impl Pending {
    /// Notes a call and gives it a number, which is never 0 nor that of another pending call.
    pub(crate) fn insert(&mut self, slot: Arc<dyn Deliver>) -> Result<u32> {
        if self.closed {
            return Err(Error::Closed { sent: false });
        }
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if self.last_id != 0 && !self.calls.contains_key(&self.last_id) {
                break;
            }
        }
        self.calls.insert(self.last_id, slot);
        Ok(self.last_id)
    }

    /// Takes the call that an outcome belongs to. Once it is delivered, [`unpark`](Pending::unpark)
    /// tells whom to wake: not before, or a caller that goes to sleep meanwhile sleeps on.
    pub(crate) fn take(&mut self, id: u32) -> Option<Arc<dyn Deliver>> {
        self.calls.remove(&id)
    }

    /// The calls after `last`, in the order in which ids wrap around.
    pub(crate) fn after(&self, last: u32) -> Vec<u32> {
        let is_after = |id: &u32| id.wrapping_sub(last).cast_signed() > 0;
        self.calls.keys().copied().filter(is_after).collect()
    }

    /// Forgets a call whose caller has left; its outcome will be dropped.
    pub(crate) fn forget(&mut self, id: u32) {
        self.calls.remove(&id);
        self.unpark(id);
    }

    /// Notes that a thread is about to sleep until call `id` has its outcome.
    pub(crate) fn park(&mut self, id: u32, thread: Thread) {
        self.parked.push((id, thread));
    }

    /// Takes the thread that sleeps for a call, if one does.
    pub(crate) fn unpark(&mut self, id: u32) -> Option<Thread> {
        let at = self.parked.iter().position(|(parked, _)| *parked == id)?;
        Some(self.parked.swap_remove(at).1)
    }

    /// Takes any sleeping thread, to read in the place of one that leaves.
    pub(crate) fn next_reader(&mut self) -> Option<Thread> {
        self.parked.pop().map(|(_, thread)| thread)
    }

    /// No call can be made from now on. Those that were made may still have their outcome.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// Whether no call can be made any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Every call that still waits.
    pub(crate) fn all(&self) -> Vec<u32> {
        self.calls.keys().copied().collect()
    }
}

/// Where an outcome is delivered to, whatever its type.
pub(crate) trait Deliver: Send + Sync {
    /// Unpacks a result, or keeps a fault.
    fn outcome(&self, outcome: Result<Packed<'_, '_>, Fault>);

    /// Keeps an error that is not the procedure's.
    fn fail(&self, why: Error);
}

/// Where a call's outcome waits for its caller: it knows the type, so a result is unpacked once,
/// by whoever reads it.
pub(crate) struct Slot<T> {
    outcome: Mutex<Option<Result<T>>>,
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Arc<Slot<T>> {
        Arc::new(Slot { outcome: Mutex::new(None) })
    }

    /// Takes the outcome if it is there.
    pub(crate) fn take(&self) -> Option<Result<T>> {
        self.lock().take()
    }

    pub(crate) fn is_filled(&self) -> bool {
        self.lock().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Result<T>>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: DeserializeOwned + Send> Deliver for Slot<T> {
    fn outcome(&self, outcome: Result<Packed<'_, '_>, Fault>) {
        let outcome = match outcome {
            Ok(packed) => T::deserialize(packed).map_err(|why| Error::Unpack(why.to_string())),
            Err(fault) => Err(Error::Fault(fault)),
        };
        *self.lock() = Some(outcome);
    }

    fn fail(&self, why: Error) {
        *self.lock() = Some(Err(why));
    }
}
