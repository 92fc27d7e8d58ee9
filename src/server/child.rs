//! A spawned child's side: it takes connections from its parent instead of a listener, and is
//! otherwise the single-threaded server.
//!
//! Parent and child share a socket pair, the child's standard input. The parent sends an accepted
//! socket through it, when the child is ready; the child says when it has taken the socket, and
//! when it is ready for the next; and the parent closes the pair, by intention or by dying, to
//! tell the child to finish.

use std::env;
use std::fs::File;
use std::io::{self, IoSliceMut, Write, stdin, stdout};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustix::event::PollFlags;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg, send, sockopt,
};
use rustix::stdio::dup2_stdin;

use crate::error::{Error, Result, StrategyError};
use crate::server::{Incoming, Server, SingleThreaded, Strategy};
use crate::transport::{Connection, Lifeline, NO_SIGNAL, Wake, wait_for};

/// The environment variable by which a parent tells a program that it is a child.
pub(crate) const MARK: &str = "NINESTEP_CHILD";

/// A child says that it has started, and later that it has served its connection.
pub(crate) const READY: u8 = b'!';
/// A child says that it has the connection, so that the parent can drop its own copy of it.
pub(crate) const TAKEN: u8 = b'+';

/// Whether this process has begun to serve its parent. The variable itself cannot be removed:
/// changing the environment is unsafe while threads run.
static SERVING: AtomicBool = AtomicBool::new(false);

pub(crate) fn serve_if_child(server: &Server) -> Result<()> {
    if env::var_os(MARK).is_none() || SERVING.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    let no_parent = |error: io::Error| Error::from(StrategyError::NoParent(error.to_string()));
    let control = stdin().as_fd().try_clone_to_owned().map_err(no_parent)?;
    sockopt::socket_type(&control).map_err(|error| no_parent(error.into()))?;
    // What a procedure starts inherits standard input, and must not keep the parent from seeing
    // this process end.
    File::open("/dev/null").and_then(|null| Ok(dup2_stdin(null)?)).map_err(no_parent)?;
    let control = Lifeline::watching(control);
    let parent = Parent { control: control.clone(), ready: true };
    let mut incoming = Incoming::from_parent(parent, control, server.limits.drain)?;
    SingleThreaded.run(&mut incoming, &|connection| server.serve(connection))?;
    // What a procedure printed must not be lost; a closed standard output is nobody's loss.
    let _ = stdout().flush();
    std::process::exit(0);
}

/// Stops a program that forgot [`serve_if_child`] from listening in every child.
pub(crate) fn refuse_to_listen() -> Result<()> {
    if env::var_os(MARK).is_some() && !SERVING.load(Ordering::Relaxed) {
        return Err(StrategyError::ChildEntryMissing.into());
    }
    Ok(())
}

/// The parent, as its child sees it.
pub(crate) struct Parent {
    control: Lifeline,
    /// Whether the parent is to be told that the child is ready.
    ready: bool,
}

impl Parent {
    /// Waits for a connection or for the end. The calls come in turns with
    /// [`receive`](Parent::receive).
    pub(crate) fn wait(&mut self, deadline: Option<Instant>) -> io::Result<Wake> {
        if std::mem::take(&mut self.ready) {
            self.say(READY);
        }
        wait_for(&self.control, PollFlags::IN, deadline)
    }

    /// Takes the connection that the parent sent; `None` if it sent the end.
    pub(crate) fn receive(&mut self) -> Option<Connection> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let mut bytes = [IoSliceMut::new(&mut byte)];
        recvmsg(&self.control, &mut bytes, &mut ancillary, RecvFlags::CMSG_CLOEXEC).ok()?;
        let socket = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
            _ => None,
        })?;
        self.say(TAKEN);
        self.ready = true;
        let stream = TcpStream::from(socket);
        let peer = stream.peer_addr().ok();
        Some(Connection::new(stream.into(), peer))
    }

    fn say(&self, word: u8) {
        // A parent that is gone is found out by the next wait.
        let _ = send(&self.control, &[word], SendFlags::DONTWAIT | NO_SIGNAL);
    }
}
