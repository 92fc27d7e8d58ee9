//! A process for each connection, started anew: the program runs itself again.

use std::env;
use std::ffi::OsString;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::retry_on_intr;
use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, recv, sendmsg,
    shutdown,
};

use crate::error::{Result, StrategyError};
use crate::message::Fault;
use crate::server::child::MARK;
use crate::server::{Incoming, Strategy, ThreadPerConnection};
use crate::transport::{Connection, Lifeline, Wake, from_now, memory, wait, wait_for};

/// Serves each connection in a new process, which runs this program from its start; Python's
/// multiprocessing calls that *spawn*, and inetd worked so.
///
/// The program calls [`Server::serve_if_child`](crate::Server::serve_if_child) first thing in
/// `main`. A procedure that crashes takes one connection with it, and nothing is shared but what
/// the operating system shares. It is the wrong choice for connections that live for one call:
/// starting a program costs about a millisecond.
///
/// ```no_run
/// use ninestep::{Procedures, Server, SpawnPerConnection};
///
/// fn main() -> ninestep::Result<()> {
///     let server = Server::new(Procedures::new().on("add", |a: i64, b: i64| a + b));
///     server.serve_if_child()?;
///     server.bind("127.0.0.1:9000")?.run(&SpawnPerConnection::new())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct SpawnPerConnection {
    /// Connections at once: 256 unless told otherwise. Past it the next waits in the kernel.
    pub at_most: usize,
    program: Option<PathBuf>,
    arguments: Vec<OsString>,
}

impl SpawnPerConnection {
    /// Children run this executable with the arguments of this process.
    pub fn new() -> SpawnPerConnection {
        SpawnPerConnection {
            at_most: Incoming::MOST_PROCESSES,
            program: None,
            arguments: env::args_os().skip(1).collect(),
        }
    }

    /// Children run this program with these arguments. It must call
    /// [`Server::serve_if_child`](crate::Server::serve_if_child) on the same procedures.
    pub fn command(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> SpawnPerConnection {
        SpawnPerConnection {
            program: Some(program.into()),
            arguments: arguments.into_iter().map(Into::into).collect(),
            ..SpawnPerConnection::new()
        }
    }
}

impl Default for SpawnPerConnection {
    fn default() -> SpawnPerConnection {
        SpawnPerConnection::new()
    }
}

impl Strategy for SpawnPerConnection {
    /// The thread strategy, whose threads each start a child and wait for it: so the limit, the
    /// reaping and the draining are the threads'.
    fn run(&self, incoming: &mut Incoming, serve: &(dyn Fn(Connection) + Sync)) -> Result<()> {
        let program = match &self.program {
            Some(program) => program.clone(),
            None => env::current_exe()
                .map_err(|error| StrategyError::NoExecutable(error.to_string()))?,
        };
        let (lifeline, drain) = (incoming.lifeline().clone(), incoming.drain());
        let threads = ThreadPerConnection { at_most: self.at_most };
        threads.run(incoming, &|connection: Connection| {
            if connection.refusal.is_some() {
                return serve(connection);
            }
            match Worker::start(&program, &self.arguments) {
                Ok(worker) => {
                    // The place stays taken until the child has ended.
                    let (socket, _place) = connection.into_socket();
                    worker.take(socket);
                    worker.finish(&lifeline, drain);
                }
                Err(error) => {
                    log::warn!("no process for a connection, waiting a moment: {error}");
                    let fault = "no process can be started for this connection";
                    serve(connection.refused(Fault::new(Fault::OVERLOADED, fault)));
                    let moment = Instant::now() + Duration::from_millis(100);
                    let _ = wait_for(&lifeline, PollFlags::IN, Some(moment));
                }
            }
        })
    }
}

/// A child process, as its parent sees it.
struct Worker {
    child: Child,
    control: OwnedFd,
}

impl Worker {
    fn start(program: &PathBuf, arguments: &[OsString]) -> std::io::Result<Worker> {
        let (control, theirs) = memory::sockets()?;
        // The command is dropped at once: it keeps a copy of the child's end, and while that
        // lives the child's death cannot be seen.
        let child = Command::new(program)
            .args(arguments)
            .env(MARK, "1")
            .stdin(theirs)
            // Ctrl-C at a terminal goes to the whole group; a reply under way shall live.
            .process_group(0)
            .spawn()?;
        Ok(Worker { child, control })
    }

    /// Hands over a socket. The parent's copy is closed here, so that the client sees the end of
    /// the connection as soon as the child dies.
    fn take(&self, socket: OwnedFd) {
        let sockets = [socket.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&sockets));
        let byte = [IoSlice::new(b"+")];
        // A child that died already is found out when it is waited for.
        let sent =
            retry_on_intr(|| sendmsg(&self.control, &byte, &mut ancillary, SendFlags::empty()));
        if let Err(error) = sent {
            log::warn!("a connection could not be handed to its process: {error}");
        }
    }

    /// Waits until the connection has been served or the child has died; reaps the child.
    fn finish(mut self, stop: &Lifeline, drain: Duration) {
        if let Ok(Wake::Stop) = wait(&self.control, PollFlags::IN, stop, None) {
            let _ = shutdown(&self.control, Shutdown::Write);
            let deadline = Some(from_now(drain));
            if !matches!(wait_for(&self.control, PollFlags::IN, deadline), Ok(Wake::Ready)) {
                return self.kill();
            }
        }
        // A byte says that the child is done; closing tells it to leave. No byte: it is gone.
        let _ = recv(&self.control, &mut [0_u8; 1][..], RecvFlags::DONTWAIT);
        drop(self.control);
        if let Err(error) = self.child.wait() {
            log::error!("a child process cannot be waited for: {error}");
        }
    }

    fn kill(&mut self) {
        log::warn!("process {} did not finish in time and is killed", self.child.id());
        let killed = self.child.kill().and_then(|()| self.child.wait());
        if let Err(error) = killed {
            log::error!("a child process cannot be killed: {error}");
        }
    }
}
