//! Which calls wait for a reply, and which threads wait for a call. Bookkeeping without I/O.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::message::{Fault, Packed};
use crate::transport::{Connection, from_now, wait_for};

/// When a caller stops waiting, and how long it said it would.
pub(crate) type Deadline = Option<(Instant, Duration)>;

/// How long a server may leave unread what is sent to it.
const SEND_LIMIT: Duration = Duration::from_secs(20);

/// How long a caller goes on trying to send.
pub(crate) struct TimeToSend {
    deadline: Deadline,
    /// When it is over if the server reads nothing more, and with what error.
    end: Option<(Instant, Error)>,
}

impl TimeToSend {
    pub(crate) fn new(deadline: Deadline) -> TimeToSend {
        TimeToSend { deadline, end: None }
    }

    /// Waits until more can be sent, or something has come: a server may not read because nobody takes
    /// what it sends. `progress`: whether the server has read since the last time.
    ///
    /// # Errors
    /// The time is over, whatever comes meanwhile.
    pub(crate) fn wait(&mut self, connection: &Connection, progress: bool) -> Result<()> {
        // A server that reads slowly reads all the same.
        self.end.take_if(|_| progress);
        let (end, too_late) = self.end.get_or_insert_with(|| {
            let end = from_now(SEND_LIMIT);
            match self.deadline {
                Some((sooner, timeout)) if sooner < end => (sooner, Error::Timeout(timeout)),
                _ => (end, Error::transport("sending a call", ErrorKind::TimedOut)),
            }
        });
        wait_for(connection, PollFlags::IN | PollFlags::OUT, Some(*end))
            .map_err(|error| Error::transport("sending a call", error))?;
        if Instant::now() >= *end { Err(too_late.clone()) } else { Ok(()) }
    }
}

/// The calls of one connection.
#[derive(Default)]
pub(crate) struct Pending {
    calls: HashMap<u32, SharedSlot>,
    /// Threads that sleep until their call's outcome is there, or until they shall read.
    parked: Vec<(u32, Thread)>,
}

impl Pending {
    /// Notes a call under this number, unless another call has it: numbers come again after
    /// four billion calls.
    pub(crate) fn insert(&mut self, id: u32, slot: SharedSlot) -> bool {
        match self.calls.entry(id) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(slot);
                true
            }
        }
    }

    /// Takes the call that an outcome belongs to. Once it is delivered, [`unpark`](Pending::unpark)
    /// tells whom to wake: not before, or a caller that goes to sleep meanwhile sleeps on.
    pub(crate) fn take(&mut self, id: u32) -> Option<SharedSlot> {
        self.calls.remove(&id)
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

    /// Every call that still waits.
    pub(crate) fn all(&self) -> Vec<u32> {
        self.calls.keys().copied().collect()
    }
}

/// Where an outcome is delivered to, whatever its type. The first one counts: an error that comes
/// after it is others'.
pub(crate) trait Deliver {
    /// Unpacks a result, or keeps a fault.
    fn outcome(&self, outcome: Result<Packed<'_, '_>, Fault>);

    /// Keeps an error that is not the procedure's.
    fn fail(&self, why: Error);
}

/// A slot that the caller and whoever reads have in common.
pub(crate) type SharedSlot = Arc<dyn Deliver + Send + Sync>;

/// Hands an outcome over. A type's own `Deserialize` may panic, on a thread that is not its
/// caller's.
pub(crate) fn deliver(slot: &dyn Deliver, outcome: Result<Packed<'_, '_>, Fault>) {
    if catch_unwind(AssertUnwindSafe(|| slot.outcome(outcome))).is_err() {
        slot.fail(Error::Unpack("the type's own code panicked".to_owned()));
    }
}

pub(crate) fn unpacked<T: DeserializeOwned>(outcome: Result<Packed<'_, '_>, Fault>) -> Result<T> {
    outcome.map_err(Error::Fault)?.unpack().map_err(Error::Unpack)
}

/// Where the outcome waits of a caller who reads it himself.
impl<T: DeserializeOwned> Deliver for OnceCell<Result<T>> {
    fn outcome(&self, outcome: Result<Packed<'_, '_>, Fault>) {
        let _ = self.set(unpacked(outcome));
    }

    fn fail(&self, why: Error) {
        let _ = self.set(Err(why));
    }
}

/// Where a call's outcome waits for its caller: it knows the type, so a result is unpacked once,
/// by whoever reads it.
pub(crate) struct Slot<T> {
    filled: AtomicBool,
    outcome: Mutex<Option<Result<T>>>,
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Slot<T> {
        Slot { filled: AtomicBool::new(false), outcome: Mutex::new(None) }
    }

    /// Takes the outcome if it is there.
    pub(crate) fn take(&self) -> Option<Result<T>> {
        if self.is_filled() { self.lock().take() } else { None }
    }

    /// Whether the outcome came.
    pub(crate) fn is_filled(&self) -> bool {
        self.filled.load(Ordering::Acquire)
    }

    fn fill(&self, outcome: Result<T>) {
        if !self.is_filled() {
            *self.lock() = Some(outcome);
            self.filled.store(true, Ordering::Release);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Result<T>>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: DeserializeOwned + Send> Deliver for Slot<T> {
    fn outcome(&self, outcome: Result<Packed<'_, '_>, Fault>) {
        self.fill(unpacked(outcome));
    }

    fn fail(&self, why: Error) {
        self.fill(Err(why));
    }
}
