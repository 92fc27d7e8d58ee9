//! The clients' process, and how clients that come together begin and end together.

use std::io::{Read, stdin};
use std::net::SocketAddr;
use std::process::exit;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use serde::{Deserialize, Serialize};

use crate::compare::experiments::Load;
use crate::compare::process::{Answer, say};
use crate::compare::server::cannot;
use crate::compare::{CannotRun, machine};
use crate::{Channel, ClientStub, Error, PendingCall};

/// What some clients do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LoadRole {
    /// Where the server listens.
    pub(super) address: SocketAddr,
    /// The cores that the clients may use.
    pub(super) cores: Vec<usize>,
    pub(super) load: Load,
}

/// The child's side: does its work and answers with what it found.
pub(super) fn play(role: &LoadRole) -> Answer<()> {
    machine::wake_exactly();
    let prepared = machine::pin(&role.cores).and_then(|()| machine::raise_descriptor_limit());
    prepared.map_err(|error| cannot(&Error::transport("preparing the clients' process", error)))?;
    let (go_on, told) = bounded(1);
    // A byte is the word to go on; the end says that the clients are not wanted any more.
    thread::spawn(move || {
        while stdin().read(&mut [0]).is_ok_and(|count| count > 0) {
            let _ = go_on.try_send(());
        }
        exit(0);
    });
    say(&role.load.run(&Channel::new(role.address), &told));
    // The process ends when its parent has the answer.
    loop {
        thread::park();
    }
}

/// When clients are measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) start: Instant,
    pub(super) end: Instant,
    /// Whether this client had its first reply before the end: else it found no place.
    pub(super) in_time: bool,
}

/// Clients that come together, and stay.
pub(super) struct Together<'a> {
    pub(super) channel: &'a Channel,
    pub(super) clients: usize,
    /// How many of them the server serves at once: the others' first call is answered when
    /// somebody has left.
    pub(super) served: usize,
    pub(super) time: Duration,
}

/// How long clients are at work before they are measured.
const WARM_UP: Duration = Duration::from_millis(20);

/// Longer than anything that clients wait for, unless it does not come.
const PATIENCE: Duration = Duration::from_secs(20);

impl Together<'_> {
    /// Connects all clients, waits until those that can be served have had a reply, and lets each
    /// do its work on a thread of its own. A client is told its number.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl Fn(usize, &ClientStub, Window) -> crate::Result<T> + Send + Sync + 'static,
    ) -> Answer<Vec<T>> {
        let work = Arc::new(work);
        let (sent, all_sent) = bounded(self.clients);
        let (ready, readies) = bounded(self.clients);
        let (done, outcomes) = bounded(self.clients);
        let mut begins = Vec::new();
        for number in 0..self.clients {
            let stub = ClientStub::new(self.channel).map_err(|error| cannot(&error))?;
            let (sent, ready, done) = (sent.clone(), ready.clone(), done.clone());
            let work = Arc::clone(&work);
            let (begin, begun) = bounded::<Window>(1);
            begins.push(begin);
            let client = move || {
                let first = stub.send::<i64>("add", (10, 5));
                let _ = sent.send(first.as_ref().map(drop).map_err(Clone::clone));
                let answered = first.and_then(PendingCall::wait).map(|_| Instant::now());
                let _ = ready.send(answered.clone());
                let Ok(window) = begun.recv() else { return };
                let window = |answered| Window { in_time: answered < window.end, ..window };
                let _ = done.send(answered.and_then(|at| work(number, &stub, window(at))));
            };
            let started = thread::Builder::new().stack_size(256 * 1024).spawn(client);
            started.map_err(|error| cannot(&Error::transport("starting a client", error)))?;
        }
        // A client that panics is missed at once when all that is left of it is gone.
        drop((sent, ready, done));
        for _ in 0..self.clients {
            next(&all_sent, PATIENCE)?;
        }
        for _ in 0..self.served {
            next(&readies, PATIENCE)?;
        }
        let start = Instant::now() + WARM_UP;
        let window = Window { start, end: start + self.time, in_time: true };
        for begin in begins {
            // A client that has gone is found out below.
            let _ = begin.send(window);
        }
        (0..self.clients).map(|_| next(&outcomes, WARM_UP + self.time + PATIENCE)).collect()
    }
}

fn next<T>(outcomes: &Receiver<crate::Result<T>>, patience: Duration) -> Answer<T> {
    match outcomes.recv_timeout(patience) {
        Ok(outcome) => outcome.map_err(|error| cannot(&error)),
        Err(error) => {
            let reason = match error {
                RecvTimeoutError::Timeout => format!("a client had no reply within {patience:?}"),
                RecvTimeoutError::Disconnected => "a client panicked".to_owned(),
            };
            let remedy = "run it again while the machine does little else; if it stays so, please \
                          report it";
            Err(CannotRun::new(reason, remedy))
        }
    }
}

/// Does the same again and again until the end of the window; how often it was done in it.
pub(super) fn until_the_end(
    window: Window,
    mut once: impl FnMut() -> crate::Result<()>,
) -> crate::Result<u64> {
    while Instant::now() < window.start {
        once()?;
    }
    let mut count = 0;
    while Instant::now() < window.end {
        once()?;
        count += 1;
    }
    Ok(count)
}
