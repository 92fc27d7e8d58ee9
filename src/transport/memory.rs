//! The in-memory transport: a pair of sockets that are connected to each other inside the kernel.
//!
//! Nothing leaves the machine and no address is needed, yet the bytes, the waits and the ends are
//! those of TCP, so what is tested over it is what runs.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::Connection;
use crate::error::{Error, Result};

// ANCHOR: sockets
/// Two sockets that are connected to each other.
pub(crate) fn sockets() -> Result<(OwnedFd, OwnedFd), Errno> {
    socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
}
// ANCHOR_END: sockets

/// The two ends of a new connection.
pub(crate) fn pair() -> Result<(Connection, Connection)> {
    let (one, other) =
        sockets().map_err(|error| Error::transport("making an in-memory connection", error))?;
    Ok((Connection::new(one, None), Connection::new(other, None)))
}
