//! A transport: how bytes cross. One [`Connection`] type serves TCP and the in-memory pair,
//! because both are connected sockets to the operating system.

mod buffer;
#[cfg(feature = "http")]
pub(crate) mod http;
#[cfg(feature = "http2")]
pub(crate) mod http2;
mod lifeline;
pub(crate) mod memory;
pub(crate) mod tcp;

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use rustix::time::{ClockId, clock_gettime};

pub(crate) use buffer::ReadBuffer;
pub(crate) use lifeline::{Lifeline, lifeline};

use crate::error::Error;
use crate::message::Fault;
use crate::server::Place;

/// A connected socket, and on a server what it needs to know about its server.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
    peer: Option<SocketAddr>,
    pub(crate) lifeline: Option<Lifeline>,
    pub(crate) place: Option<Place>,
    pub(crate) refusal: Option<Box<Fault>>,
    /// Whether the process ends with this connection.
    pub(crate) is_last: bool,
}

/// What is found in the bytes that came.
pub(crate) enum Found {
    /// A whole message, at this place of the input if it stays there.
    Message(Range<usize>),
    /// Not enough yet.
    Nothing,
    /// A request that is no message of this protocol. It has been answered.
    #[cfg(feature = "http")]
    Refused,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// The socket is ready, or has ended.
    Ready,
    /// The server is told to stop.
    Stop,
    /// The time is over.
    TimedOut,
}

impl Connection {
    pub(crate) fn new(socket: OwnedFd, peer: Option<SocketAddr>) -> Connection {
        Connection { socket, peer, lifeline: None, place: None, refusal: None, is_last: false }
    }

    /// The other end's address; an in-memory connection has none.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The other end, for people.
    pub(crate) fn peer_name(&self) -> String {
        self.peer.map_or_else(|| "the other end".to_owned(), |peer| peer.to_string())
    }

    /// Logs why the connection ended, if that was no good end.
    pub(crate) fn log_end(&self, why: &Error) {
        log::info!("the connection from {} ended: {}", self.peer_name(), why.with_causes());
    }

    /// The same connection, to be refused with this fault instead of served.
    pub fn refused(self, fault: Fault) -> Connection {
        Connection { refusal: Some(Box::new(fault)), ..self }
    }

    /// The same connection, to be refused because there is no `what` (a thread, a process) that
    /// could serve it.
    pub(crate) fn overloaded(self, what: &str, why: &io::Error) -> Connection {
        log::warn!("no {what} for a connection, waiting a moment: {why}");
        let fault = format!("no {what} can be started for this connection");
        self.refused(Fault::new(Fault::OVERLOADED, fault))
    }

    /// Closes this copy of the socket, which another process has. The connection's place in the
    /// server's count stays taken until the value is dropped.
    pub(crate) fn into_place(self) -> Option<Place> {
        self.place
    }

    /// Sends all bytes. Blocks while the peer does not read.
    ///
    /// # Errors
    /// What the operating system says; how much went out is not known.
    pub fn send(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = retry_on_intr(|| send(&self.socket, bytes, NO_SIGNAL))?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// Sends what the operating system takes at once; 0 if it takes nothing now.
    pub(crate) fn send_some(&self, bytes: &[u8]) -> io::Result<usize> {
        self.send_with(bytes, SendFlags::DONTWAIT)
    }

    /// The same; if more follows at once, the peer need not be told of these bytes before.
    pub(crate) fn send_some_of(&self, bytes: &[u8], more: bool) -> io::Result<usize> {
        #[cfg(target_os = "linux")]
        if more {
            return self.send_with(bytes, SendFlags::DONTWAIT | SendFlags::MORE);
        }
        self.send_some(bytes)
    }

    fn send_with(&self, bytes: &[u8], flags: SendFlags) -> io::Result<usize> {
        match retry_on_intr(|| send(&self.socket, bytes, flags | NO_SIGNAL)) {
            Err(Errno::AGAIN) => Ok(0),
            other => Ok(other?),
        }
    }

    /// Waits for bytes and appends them to `buffer`, as many as one read of the operating system
    /// brings; 0 is the end of the connection.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn receive(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        if buffer.capacity() == buffer.len() {
            buffer.reserve(ReadBuffer::LEAST_ROOM);
        }
        Ok(recv_into(&self.socket, buffer, RecvFlags::empty())?)
    }

    /// Appends what comes, or what came already, to `buffer`; `None` if nothing does.
    pub(crate) fn receive_some(
        &self,
        buffer: &mut Vec<u8>,
        wait: bool,
    ) -> io::Result<Option<usize>> {
        let flags = if wait { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
        match recv_into(&self.socket, buffer, flags) {
            Err(Errno::AGAIN) => Ok(None),
            other => Ok(Some(other?)),
        }
    }

    /// Tells the peer that nothing more will be sent.
    pub fn finish_sending(&self) {
        // A peer that is gone need not be told.
        let _ = shutdown(&self.socket, Shutdown::Write);
    }

    /// Ends both directions; a read that blocks on another thread returns.
    pub(crate) fn shut_down(&self) {
        let _ = shutdown(&self.socket, Shutdown::Both);
    }

    /// Whether the server was told to stop.
    pub(crate) fn is_told_to_stop(&self) -> bool {
        self.lifeline.as_ref().is_some_and(|lifeline| {
            let mut fds = [PollFd::new(lifeline, PollFlags::IN)];
            poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(1)
        })
    }

    /// Waits until the socket is ready, the server stops, or the deadline.
    pub(crate) fn wait(&self, flags: PollFlags, deadline: Option<Instant>) -> io::Result<Wake> {
        match &self.lifeline {
            Some(lifeline) => wait(self, flags, lifeline, deadline),
            None => wait_for(self, flags, deadline),
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Lets a blocking read of this socket give up after this time, or of those that a listener accepts.
pub(crate) fn limit_reads(socket: impl AsFd, time: Duration) {
    // Without the limit a stop is seen when the client sends or leaves, and not before.
    if let Err(error) = sockopt::set_socket_timeout(socket, Timeout::Recv, Some(time)) {
        log::warn!("reads of a connection cannot be limited: {error}");
    }
}

fn recv_into(socket: &OwnedFd, buffer: &mut Vec<u8>, flags: RecvFlags) -> Result<usize, Errno> {
    let (_, came) = retry_on_intr(|| recv(socket, spare_capacity(buffer), flags))?;
    Ok(came)
}

/// The moment that is this far away. A time beyond measure, such as [`Duration::MAX`], is for
/// ever: a moment that nobody lives to see.
pub(crate) fn from_now(time: Duration) -> Instant {
    const THIRTY_YEARS: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    let now = Instant::now();
    now.checked_add(time).unwrap_or_else(|| now + THIRTY_YEARS)
}

/// Waits for a descriptor, or for the deadline.
pub(crate) fn wait_for(
    fd: impl AsFd,
    flags: PollFlags,
    deadline: Option<Instant>,
) -> io::Result<Wake> {
    match poll_until(&mut [PollFd::new(&fd, flags)], deadline)? {
        0 => Ok(Wake::TimedOut),
        _ => Ok(Wake::Ready),
    }
}

/// Waits for a descriptor, for the server's stop, or for the deadline. Stop comes first: a server
/// under load must not put it off.
pub(crate) fn wait(
    fd: impl AsFd,
    flags: PollFlags,
    lifeline: &Lifeline,
    deadline: Option<Instant>,
) -> io::Result<Wake> {
    let mut fds = [PollFd::new(lifeline, PollFlags::IN), PollFd::new(&fd, flags)];
    let ready = poll_until(&mut fds, deadline)?;
    Ok(match ready {
        0 => Wake::TimedOut,
        _ if !fds[0].revents().is_empty() => Wake::Stop,
        _ => Wake::Ready,
    })
}

/// A peer that is gone is an error to whoever sends, and no signal to the process: not even in a
/// program that does not ignore SIGPIPE, as Rust's do unless they change it.
#[cfg(not(target_vendor = "apple"))]
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::empty();

/// The monotonic clock as of the last tick, some milliseconds ago at most: for questions that are
/// asked for every message, because reading the exact clock costs several times as much.
pub(crate) fn last_tick() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = ClockId::MonotonicCoarse;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Monotonic;
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

/// Waits for any of these descriptors, or for the deadline; how many are ready.
pub(crate) fn poll_until(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<usize> {
    loop {
        let timeout = deadline.map(|deadline| timespec(deadline - Instant::now()));
        match poll(fds, timeout.as_ref()) {
            Err(Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
