//! TCP: connecting and listening.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::sockopt;

use super::{Connection, from_now};
use crate::error::{Error, Result};

/// How many connections may wait to be accepted. The kernel cuts it to its own limit.
const BACKLOG: i32 = 1024;

// ANCHOR: connect
/// Connects to the first of `address`'s addresses that answers within the time.
pub(crate) fn connect(address: &str, within: Duration) -> Result<Connection> {
    let failed = |error| Error::Connect { address: address.to_owned(), source: Arc::new(error) };
    let deadline = from_now(within);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut candidates = address.to_socket_addrs().map_err(failed)?;
    while let Some(candidate) = candidates.next() {
        // One that does not answer leaves their share to the others.
        let shares = candidates.len() as u32 + 1;
        let share = deadline.saturating_duration_since(Instant::now()) / shares;
        // A zero time-out is refused by the standard library; a millisecond fails as well.
        match TcpStream::connect_timeout(&candidate, share.max(Duration::from_millis(1))) {
            Ok(stream) => {
                hurry(&stream);
                return Ok(Connection::new(stream.into(), Some(candidate)));
            }
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}
// ANCHOR_END: connect

/// Listens on the first of these addresses that can be bound.
pub(crate) fn listen(addresses: &[SocketAddr]) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(addresses)?;
    // Accepting must never block: a connection can vanish between the poll and the accept.
    listener.set_nonblocking(true)?;
    hurry(&listener);
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// Accepts a connection that is waiting.
pub(crate) fn accept(listener: &TcpListener) -> io::Result<Connection> {
    let (stream, peer) = listener.accept()?;
    // Elsewhere than on Linux an accepted socket inherits the listener's mode.
    #[cfg(not(target_os = "linux"))]
    stream.set_nonblocking(false)?;
    Ok(Connection::new(stream.into(), Some(peer)))
}

// ANCHOR: hurry
/// A reply is one small write, and the peer waits for it: it must not wait for the acknowledgement
/// of an earlier one (Nagle's algorithm, RFC 896). What a listener accepts has it from the listener.
fn hurry(socket: impl AsFd) {
    // A socket that is dead already says so at its first read.
    let _ = sockopt::set_tcp_nodelay(socket, true);
}
// ANCHOR_END: hurry
