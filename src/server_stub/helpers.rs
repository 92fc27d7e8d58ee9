//! Threads that run the slow calls of one connection, beside the thread that serves it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};
use rustix::io::Errno;

use super::apart::Apart;
use crate::error::ProtocolError;
use crate::protocol::Answer;
use crate::server::{Incoming, Server};
use crate::transport::http2::{Exchange, Http2Server};

/// The helpers of one connection. They are started when no other is free, and end when they had
/// nothing to do for a while, or when this is dropped.
pub(super) struct Helpers<'scope, 'env, 'a> {
    scope: &'scope Scope<'scope, 'env>,
    server: &'a Server,
    /// Holds nothing: a job is taken by a helper that waits for one, or not at all.
    jobs: (Sender<Job>, Receiver<Job>),
    done: (Sender<Done>, Receiver<Done>),
    bell: Arc<Bell>,
    running: usize,
}

/// A call that may take long.
pub(super) struct Job {
    pub(super) exchange: Exchange,
    /// When it came.
    pub(super) received: Instant,
}

/// A call that was answered.
pub(super) struct Done {
    pub(super) exchange: Exchange,
    pub(super) answered: Result<(), ProtocolError>,
    pub(super) answer: Answer,
}

impl<'scope, 'a: 'scope> Helpers<'scope, '_, 'a> {
    /// How long a helper waits for another call.
    const PATIENCE: Duration = Duration::from_secs(1);

    pub(super) fn new<'env>(
        scope: &'scope Scope<'scope, 'env>,
        server: &'a Server,
    ) -> Result<Helpers<'scope, 'env, 'a>, Errno> {
        let (jobs, done, bell) = (bounded(0), unbounded(), Arc::new(Bell::new()?));
        Ok(Helpers { scope, server, jobs, done, bell, running: 0 })
    }

    /// How many calls are under way.
    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// What can be read when a call is answered.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.heard.as_fd()
    }

    /// Lets a helper run this call. It comes back if the connection or the server has as many helpers
    /// as it may have. It runs here if no thread can be started, or if it is the connection's only
    /// one: so no connection waits for what others do with their helpers.
    pub(super) fn run(&mut self, job: Job) -> Option<Job> {
        if self.running >= Http2Server::MOST_STREAMS as usize {
            return Some(job);
        }
        let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) =
            self.jobs.0.try_send(job)
        else {
            self.running += 1;
            return None;
        };
        let Some(counted) = Counted::new(&self.server.helpers) else {
            if self.running > 0 {
                return Some(job);
            }
            self.running += 1;
            self.run_here(job);
            return None;
        };
        self.running += 1;
        // The first call waits in a channel of its own, because a thread that cannot be started
        // would take it to its grave.
        let (hand_over, first) = bounded(1);
        let _ = hand_over.send(job);
        let (taken, jobs) = (first.clone(), self.jobs.1.clone());
        let (server, done, bell) = (self.server, self.done.0.clone(), Arc::clone(&self.bell));
        let started = thread::Builder::new().spawn_scoped(self.scope, move || {
            let _counted = counted;
            let mut next = taken.try_recv().ok();
            while let Some(job) = next {
                let _ = done.send(answer(server, job));
                bell.ring();
                next = jobs.recv_timeout(Helpers::PATIENCE).ok();
            }
        });
        if let Err(error) = started {
            log::warn!("no thread for a slow call: {error}");
            first.try_iter().for_each(|job| self.run_here(job));
        }
        None
    }

    fn run_here(&self, job: Job) {
        let _ = self.done.0.send(answer(self.server, job));
        self.bell.ring();
    }

    /// A call that was answered since this was asked last.
    pub(super) fn done(&mut self) -> Option<Done> {
        let done = self.done.1.try_recv().ok();
        self.running -= usize::from(done.is_some());
        done
    }

    /// Silences the bell.
    pub(super) fn hush(&self) {
        self.bell.hush();
    }
}

/// One of the helpers of a server, on whichever connection; dropped, it is none any more.
struct Counted<'a>(&'a AtomicUsize);

impl Counted<'_> {
    /// As many as a server with threads has connections.
    const MOST: usize = Incoming::MOST_THREADS;

    /// None if there are as many as there may be.
    fn new(helpers: &AtomicUsize) -> Option<Counted<'_>> {
        let counted = Counted(helpers);
        (helpers.fetch_add(1, Ordering::Relaxed) < Counted::MOST).then_some(counted)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn answer(server: &Server, Job { exchange, received }: Job) -> Done {
    let mut answer = Answer::default();
    // On a helper nothing is put off.
    let answered = Apart::on_helper(server, &exchange, received).answer(&mut answer);
    let answered = answered.unwrap_or(Ok(()));
    Done { exchange, answered, answer }
}

/// Wakes a thread that waits for descriptors.
struct Bell {
    heard: Arc<OwnedFd>,
    rung: Arc<OwnedFd>,
}

impl Bell {
    #[cfg(target_os = "linux")]
    fn new() -> Result<Bell, Errno> {
        use rustix::event::{EventfdFlags, eventfd};
        let both = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        Ok(Bell { heard: Arc::clone(&both), rung: both })
    }

    #[cfg(not(target_os = "linux"))]
    fn new() -> Result<Bell, Errno> {
        let (heard, rung) = crate::transport::memory::sockets()?;
        rustix::io::ioctl_fionbio(&heard, true)?;
        rustix::io::ioctl_fionbio(&rung, true)?;
        Ok(Bell { heard: Arc::new(heard), rung: Arc::new(rung) })
    }

    fn ring(&self) {
        // It can only fail if it was rung often enough before.
        let _ = rustix::io::write(&self.rung, &1_u64.to_ne_bytes());
    }

    fn hush(&self) {
        let _ = rustix::io::read(&self.heard, &mut [0_u8; 64][..]);
    }
}
