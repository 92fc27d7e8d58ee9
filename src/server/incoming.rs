//! Where connections come from. Accepting, the limit, the back-off and the stop are here, once,
//! for every strategy.

use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::error::Result;
use crate::server::child::Parent;
use crate::server_stub::ServerStub;
use crate::transport::{
    Connection, Lifeline, NO_SIGNAL, Wake, from_now, lifeline, limit_reads, poll_until, tcp, wait,
    wait_for,
};

/// The connections that are to be served, until the server is told to stop: an iterator whose
/// end is the stop.
pub struct Incoming {
    source: Source,
    lifeline: Lifeline,
    places: Arc<Places>,
    backoff: Backoff,
    drain: Duration,
}

enum Source {
    Listener(TcpListener),
    Parent(Parent),
    Nothing,
}

/// What [`Incoming::next_within`] brings.
#[derive(Debug)]
pub enum Next {
    /// A connection to serve.
    Connection(Connection),
    /// None came in the time.
    Nothing,
    /// The server was told to stop.
    Stopped,
}

impl Incoming {
    /// Connections at once, for strategies that cost a thread each.
    pub(crate) const MOST_THREADS: usize = 1024;
    /// Connections at once, for strategies that cost a process each.
    pub(crate) const MOST_PROCESSES: usize = 256;

    pub(crate) fn from_listener(
        listener: TcpListener,
        lifeline: Lifeline,
        drain: Duration,
    ) -> Result<Incoming> {
        limit_reads(&listener, ServerStub::READ);
        Incoming::new(Source::Listener(listener), lifeline, drain)
    }

    pub(crate) fn from_parent(
        parent: Parent,
        lifeline: Lifeline,
        drain: Duration,
    ) -> Result<Incoming> {
        Incoming::new(Source::Parent(parent), lifeline, drain)
    }

    fn new(source: Source, lifeline: Lifeline, drain: Duration) -> Result<Incoming> {
        let places = Arc::new(Places::new()?);
        Ok(Incoming { source, lifeline, places, backoff: Backoff::new(), drain })
    }

    /// Sets how many connections may be alive at once: past it, the next is not accepted but
    /// waits in the kernel. A connection is alive until its value is dropped.
    pub fn at_most(&mut self, connections: usize) {
        self.places.most.store(connections.max(1), Ordering::Relaxed);
    }

    /// Waits for the next connection, at most for this time.
    pub fn next_within(&mut self, patience: Duration) -> Next {
        self.next_until(Some(from_now(patience)))
    }

    /// Waits for the next connection, or until one of these can be read; tells also which can.
    pub(crate) fn next_beside(&mut self, others: &[impl AsFd]) -> (Next, Vec<usize>) {
        let source = match &self.source {
            Source::Listener(listener) if self.places.are_free() => listener.as_fd(),
            _ => self.lifeline.as_fd(),
        };
        let own = [self.lifeline.as_fd(), source].into_iter();
        let all = own.chain(others.iter().map(AsFd::as_fd));
        let mut fds: Vec<PollFd> =
            all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        let polled = poll_until(&mut fds, None);
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        if let Err(error) = polled {
            log::error!("waiting for connections failed: {error}");
            self.back_off();
        }
        let next = match ready[0] || ready[1] {
            true => self.next_within(Duration::ZERO),
            false => Next::Nothing,
        };
        (next, (0..others.len()).filter(|number| ready[number + 2]).collect())
    }

    /// Accepts nothing for a moment, longer each time it comes soon after the last: for a
    /// strategy that found no thread or process. A stop ends the moment.
    pub fn back_off(&mut self) {
        let until = self.backoff.next_end();
        let _ = wait_for(&self.lifeline, PollFlags::IN, Some(until));
    }

    /// How long the strategy waits for its children after a stop.
    pub(crate) fn drain(&self) -> Duration {
        self.drain
    }

    /// What tells a strategy that waits for something else that the server stops.
    pub(crate) fn lifeline(&self) -> &Lifeline {
        &self.lifeline
    }

    /// Closes the listener: also in a child process, which must not keep it.
    pub(crate) fn close(&mut self) {
        self.source = Source::Nothing;
    }

    fn next_until(&mut self, deadline: Option<Instant>) -> Next {
        loop {
            match self.wait(deadline) {
                Ok(Wake::Ready) => {}
                Ok(Wake::Stop) => {
                    // Who connects from now on is refused at once, and need not wait for the end of
                    // the calls that run.
                    self.close();
                    return Next::Stopped;
                }
                Ok(Wake::TimedOut) => return Next::Nothing,
                Err(error) => {
                    log::error!("waiting for connections failed: {error}");
                    self.back_off();
                    continue;
                }
            }
            if !self.places.are_free() {
                continue;
            }
            match &mut self.source {
                Source::Listener(listener) => match tcp::accept(listener) {
                    Ok(connection) => return Next::Connection(self.placed(connection)),
                    Err(error) => self.accept_failed(&error),
                },
                Source::Parent(parent) => match parent.receive() {
                    Some(connection) => return Next::Connection(self.placed(connection)),
                    None => return Next::Stopped,
                },
                Source::Nothing => return Next::Stopped,
            }
        }
    }

    fn wait(&mut self, deadline: Option<Instant>) -> std::io::Result<Wake> {
        if !self.places.are_free() {
            return self.places.wait_for_one(&self.lifeline, deadline);
        }
        match &mut self.source {
            Source::Listener(listener) => wait(listener, PollFlags::IN, &self.lifeline, deadline),
            Source::Parent(parent) => parent.wait(deadline),
            Source::Nothing => Ok(Wake::Stop),
        }
    }

    fn placed(&self, mut connection: Connection) -> Connection {
        connection.lifeline = Some(self.lifeline.clone());
        connection.place = Some(Places::take(&self.places));
        connection
    }

    fn accept_failed(&mut self, error: &std::io::Error) {
        match Errno::from_io_error(error) {
            // Somebody was faster, or the client left before it was accepted (accept(2)).
            Some(Errno::AGAIN | Errno::CONNABORTED | Errno::INTR) => {}
            _ => {
                log::warn!("accepting failed, waiting a moment: {error}");
                self.back_off();
            }
        }
    }
}

impl Iterator for Incoming {
    type Item = Connection;

    fn next(&mut self) -> Option<Connection> {
        match self.next_until(None) {
            Next::Connection(connection) => Some(connection),
            Next::Nothing | Next::Stopped => None,
        }
    }
}

/// How many connections are alive, and how many may be.
#[derive(Debug)]
struct Places {
    taken: AtomicUsize,
    most: AtomicUsize,
    /// Written to when the last place becomes free; and the end that sees it.
    freed: (OwnedFd, Lifeline),
}

/// One connection's place in the count; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Place(Arc<Places>);

impl Places {
    fn new() -> Result<Places> {
        Ok(Places {
            taken: AtomicUsize::new(0),
            most: AtomicUsize::new(Incoming::MOST_THREADS),
            freed: lifeline()?,
        })
    }

    fn are_free(&self) -> bool {
        self.taken.load(Ordering::SeqCst) < self.most.load(Ordering::Relaxed)
    }

    fn take(places: &Arc<Places>) -> Place {
        places.taken.fetch_add(1, Ordering::SeqCst);
        Place(Arc::clone(places))
    }

    fn wait_for_one(&self, stop: &Lifeline, deadline: Option<Instant>) -> std::io::Result<Wake> {
        let (_, freed) = &self.freed;
        let woken = wait(freed, PollFlags::IN, stop, deadline);
        // Reads what woke it; old news wakes it once in vain.
        let _ = recv(freed, &mut [0_u8; 64][..], RecvFlags::DONTWAIT);
        woken
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let before = self.0.taken.fetch_sub(1, Ordering::SeqCst);
        if before == self.0.most.load(Ordering::Relaxed) {
            let _ = send(&self.0.freed.0, b"!", SendFlags::DONTWAIT | NO_SIGNAL);
        }
    }
}

/// Waits that double, for errors that pass when somebody else gives something back.
#[derive(Debug)]
struct Backoff {
    pause: Duration,
    until: Instant,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_millis(500);

    fn new() -> Backoff {
        Backoff { pause: Duration::ZERO, until: Instant::now() }
    }

    /// When the next pause ends. A second without trouble and the pauses begin anew.
    fn next_end(&mut self) -> Instant {
        if self.until.elapsed() > Duration::from_secs(1) {
            self.pause = Duration::ZERO;
        }
        self.pause = (self.pause * 2).clamp(Backoff::FIRST, Backoff::LONGEST);
        self.until = Instant::now() + self.pause;
        self.until
    }
}
