//! A process for each connection, started anew: the program runs itself again.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::error::Result;
use crate::server::child::{READY, TAKEN};
use crate::server::worker::Program;
use crate::server::{Incoming, Strategy, ThreadPerConnection};
use crate::transport::{Connection, Wake, from_now, wait, wait_for};

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
    program: Program,
}

impl SpawnPerConnection {
    /// Children run this executable with the arguments of this process.
    pub fn new() -> SpawnPerConnection {
        SpawnPerConnection { at_most: Incoming::MOST_PROCESSES, program: Program::this() }
    }

    /// Children run this program with these arguments. It must call
    /// [`Server::serve_if_child`](crate::Server::serve_if_child) on the same procedures.
    pub fn command(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> SpawnPerConnection {
        SpawnPerConnection {
            program: Program::new(program, arguments),
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
        self.program.check()?;
        let (lifeline, drain) = (incoming.lifeline().clone(), incoming.drain());
        let threads = ThreadPerConnection { at_most: self.at_most };
        let refuse = |connection: Connection, why: &io::Error| {
            serve(connection.overloaded("process", why));
            // What cannot be started now can be a little later.
            let moment = Instant::now() + Duration::from_millis(100);
            let _ = wait_for(&lifeline, PollFlags::IN, Some(moment));
        };
        // ANCHOR: serve
        threads.run(incoming, &|connection: Connection| {
            if connection.refusal.is_some() {
                return serve(connection);
            }
            match self.program.start_with(&connection) {
                Ok(worker) => {
                    // Not if the child is dead, or the server stops.
                    let says = |word| {
                        let woken = wait(&worker, PollFlags::IN, &lifeline, None);
                        matches!(woken, Ok(Wake::Ready)) && worker.hear() == Some(word)
                    };
                    if ![READY, TAKEN].into_iter().all(says) && !connection.is_told_to_stop() {
                        worker.end(Instant::now());
                        return refuse(connection, &io::Error::other("it ended at its start"));
                    }
                    // The place stays taken until the child has ended.
                    let _place = connection.into_place();
                    says(READY);
                    worker.end(from_now(drain));
                }
                Err(error) => refuse(connection, &error),
            }
        })
        // ANCHOR_END: serve
    }
}
