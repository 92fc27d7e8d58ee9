//! A child process as its parent sees it, for the strategies that start programs: the other end
//! of [`child`](crate::server::child).

use std::env;
use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Instant;

use rustix::event::PollFlags;
use rustix::io::retry_on_intr;
use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, Shutdown, recv, sendmsg, shutdown,
};

use crate::error::{Result, StrategyError};
use crate::server::child::MARK;
use crate::transport::{Connection, NO_SIGNAL, Wake, memory, wait_for};

/// What children run.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    path: Result<PathBuf, StrategyError>,
    arguments: Vec<OsString>,
}

impl Program {
    /// This program, with the arguments of this process.
    pub(crate) fn this() -> Program {
        let unknown = |error: io::Error| StrategyError::NoExecutable(error.to_string());
        Program {
            path: env::current_exe().map_err(unknown),
            arguments: env::args_os().skip(1).collect(),
        }
    }

    pub(crate) fn new(
        path: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Program {
        Program {
            path: Ok(path.into()),
            arguments: arguments.into_iter().map(Into::into).collect(),
        }
    }

    /// Fails if it is not known what to start.
    pub(crate) fn check(&self) -> Result<()> {
        self.path.as_ref().map(drop).map_err(|error| error.clone().into())
    }

    pub(crate) fn start(&self) -> io::Result<Worker> {
        let path = self.path.clone().map_err(io::Error::other)?;
        let (control, theirs) = memory::sockets()?;
        // The command is dropped at once: it keeps a copy of the child's end, and while that
        // lives the child's death cannot be seen.
        let child = Command::new(path)
            .args(&self.arguments)
            .env(MARK, "1")
            .stdin(theirs)
            // Ctrl-C at a terminal goes to the whole group; a reply under way shall live.
            .process_group(0)
            .spawn()?;
        Ok(Worker { child, control })
    }

    /// Starts a child and sends it its first connection.
    pub(crate) fn start_with(&self, connection: &Connection) -> io::Result<Worker> {
        let worker = self.start()?;
        match worker.send(connection) {
            Ok(()) => Ok(worker),
            Err(error) => {
                worker.end(Instant::now());
                Err(error)
            }
        }
    }
}

/// A child process.
pub(crate) struct Worker {
    child: Child,
    control: OwnedFd,
}

impl Worker {
    /// Sends the child a connection to serve. Until the parent's copy of it is dropped, the client
    /// does not see the child's death. A child that cannot be sent one is dismissed.
    pub(crate) fn send(&self, connection: &Connection) -> io::Result<()> {
        let sockets = [connection.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&sockets));
        let byte = [IoSlice::new(b"+")];
        let sent = retry_on_intr(|| sendmsg(&self.control, &byte, &mut ancillary, NO_SIGNAL));
        if sent.is_err() {
            // Whatever it was, this child is of no use.
            self.dismiss();
        }
        Ok(sent.map(drop)?)
    }

    /// What the child says next, [`READY`](crate::server::child::READY) or
    /// [`TAKEN`](crate::server::child::TAKEN); `None` if it is gone.
    pub(crate) fn hear(&self) -> Option<u8> {
        let mut word = [0];
        match retry_on_intr(|| recv(&self.control, &mut word[..], RecvFlags::empty())) {
            Ok((_, 1)) => Some(word[0]),
            _ => None,
        }
    }

    /// Tells the child to finish what it does and to leave.
    pub(crate) fn dismiss(&self) {
        // A child that is gone need not be told.
        let _ = shutdown(&self.control, Shutdown::Write);
    }

    /// Dismisses the child, waits until it has left, kills it if the deadline comes first, and
    /// reaps it.
    pub(crate) fn end(mut self, deadline: Instant) {
        self.dismiss();
        while self.speaks_before(deadline) && self.hear().is_some() {}
        // One that has left is not harmed by it.
        let ended = self.child.kill().and_then(|()| self.child.wait());
        match ended {
            Ok(status) if status.success() => {}
            Ok(status) => log::warn!("process {} ended: {status}", self.child.id()),
            Err(error) => log::error!("process {} cannot be ended: {error}", self.child.id()),
        }
    }

    /// Whether the child says something, or has left.
    fn speaks_before(&self, deadline: Instant) -> bool {
        let speaks = matches!(wait_for(self, PollFlags::IN, Some(deadline)), Ok(Wake::Ready));
        if !speaks {
            log::warn!("process {} did not finish in time and is killed", self.child.id());
        }
        speaks
    }
}

impl AsFd for Worker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }
}
