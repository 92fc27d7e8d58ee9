//! A fixed number of processes.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use crate::error::Result;
use crate::server::child::{READY, TAKEN};
use crate::server::worker::{Program, Worker};
use crate::server::{Incoming, Next, Place, Strategy};
use crate::transport::{Connection, from_now};

/// Serves connections in processes that were started beforehand, each of which runs this program
/// from its start; each serves one connection to its end, then takes the next.
///
/// The program calls [`Server::serve_if_child`](crate::Server::serve_if_child) first thing in
/// `main`. The server accepts, and hands each connection to a process that is idle; one that dies
/// takes its connection with it, and is replaced. It is the right choice for procedures that may
/// crash, where starting a process for each connection would cost too much. It is the wrong one
/// for clients that stay: as many idle ones as there are processes keep everybody else waiting.
/// And one connection sees what an earlier one left in its process.
///
/// ```no_run
/// use ninestep::{Procedures, ProcessPool, Server};
///
/// fn main() -> ninestep::Result<()> {
///     let server = Server::new(Procedures::new().on("add", |a: i64, b: i64| a + b));
///     server.serve_if_child()?;
///     server.bind("127.0.0.1:9000")?.run(&ProcessPool::new())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct ProcessPool {
    /// The number of processes, at least 1: four for each core unless told otherwise, as many as
    /// a [`ThreadPool`](crate::ThreadPool) has threads.
    pub processes: usize,
    program: Program,
}

impl ProcessPool {
    /// The processes run this executable with the arguments of this process.
    pub fn new() -> ProcessPool {
        ProcessPool {
            processes: 4 * thread::available_parallelism().map_or(1, usize::from),
            program: Program::this(),
        }
    }

    /// The processes run this program with these arguments. It must call
    /// [`Server::serve_if_child`](crate::Server::serve_if_child) on the same procedures.
    pub fn command(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> ProcessPool {
        ProcessPool { program: Program::new(program, arguments), ..ProcessPool::new() }
    }
}

impl Default for ProcessPool {
    fn default() -> ProcessPool {
        ProcessPool::new()
    }
}

impl Strategy for ProcessPool {
    /// One thread waits for connections and for what the processes say.
    fn run(&self, incoming: &mut Incoming, serve: &(dyn Fn(Connection) + Sync)) -> Result<()> {
        self.program.check()?;
        let size = self.processes.max(1);
        // A connection is accepted when a process is idle, or when there is room for another.
        incoming.at_most(size);
        let mut pool = Pool { program: &self.program, members: Vec::new() };
        pool.fill(size);
        loop {
            let (next, news) = incoming.next_beside(&pool.members);
            let (mut connections, mut missing, mut trouble) = (Vec::new(), false, false);
            // The last is heard first: whoever is dead leaves the list.
            for number in news.into_iter().rev() {
                let Some(dead) = pool.hear(number) else { continue };
                missing |= dead.ready;
                trouble |= !matches!(dead.job, Job::Serving { .. });
                match dead.job {
                    Job::Sent(connection) if dead.ready => connections.push(connection),
                    Job::Sent(connection) => {
                        let why = io::Error::other("it ended before it was ready");
                        connections.push(connection.overloaded("process", &why));
                    }
                    Job::Idle | Job::Serving { .. } => {}
                }
                dead.worker.end(Instant::now());
            }
            let stopped = matches!(next, Next::Stopped);
            if let Next::Connection(connection) = next {
                connections.push(connection);
            }
            for refused in connections.into_iter().filter_map(|it| pool.hand_over(it)) {
                serve(refused);
                trouble = true;
            }
            if stopped {
                break;
            }
            // What cannot be started, or dies before it serves anybody, may do so again at once.
            if trouble {
                incoming.back_off();
            }
            if missing {
                pool.fill(size);
            }
        }
        pool.end(from_now(incoming.drain()));
        Ok(())
    }
}

struct Pool<'a> {
    program: &'a Program,
    /// Who has been idle for longest comes first.
    members: Vec<Member>,
}

struct Member {
    worker: Worker,
    /// Whether it has come as far as waiting for a connection.
    ready: bool,
    job: Job,
}

enum Job {
    Idle,
    /// It was sent this connection, and has not said that it has it.
    Sent(Connection),
    /// It serves a connection that has this place.
    Serving {
        _place: Option<Place>,
    },
}

impl Pool<'_> {
    /// Starts processes until there are so many.
    fn fill(&mut self, size: usize) {
        while self.members.len() < size {
            match self.program.start() {
                Ok(worker) => self.members.push(Member { worker, ready: false, job: Job::Idle }),
                Err(error) => {
                    let count = self.members.len();
                    return log::warn!("the pool has {count} processes, no more: {error}");
                }
            }
        }
    }

    /// Hears what a member says. One that is dead leaves the pool.
    fn hear(&mut self, number: usize) -> Option<Member> {
        let Member { worker, ready, job } = &mut self.members[number];
        match (worker.hear(), std::mem::replace(job, Job::Idle)) {
            (Some(READY), Job::Serving { .. }) => {}
            (Some(READY), before) => (*ready, *job) = (true, before),
            (Some(TAKEN), Job::Sent(connection)) => {
                *job = Job::Serving { _place: connection.into_place() };
            }
            (_, last) => {
                *job = last;
                return Some(self.members.remove(number));
            }
        }
        None
    }

    // ANCHOR: hand-over
    /// Hands a connection to a process that is idle, or to a new one; gives it back if it is to
    /// be refused.
    fn hand_over(&mut self, connection: Connection) -> Option<Connection> {
        if connection.refusal.is_some() {
            return Some(connection);
        }
        let takes = |member: &Member| {
            matches!(member.job, Job::Idle) && member.worker.send(&connection).is_ok()
        };
        let member = match self.members.iter().position(takes) {
            Some(number) => self.members.remove(number),
            None => match self.program.start_with(&connection) {
                Ok(worker) => Member { worker, ready: false, job: Job::Idle },
                Err(error) => return Some(connection.overloaded("process", &error)),
            },
        };
        self.members.push(Member { job: Job::Sent(connection), ..member });
        None
    }
    // ANCHOR_END: hand-over

    /// Tells all to finish, and waits until they have.
    fn end(self, deadline: Instant) {
        // What was sent and not taken is closed here.
        let workers: Vec<Worker> = self.members.into_iter().map(|member| member.worker).collect();
        workers.iter().for_each(Worker::dismiss);
        workers.into_iter().for_each(|worker| worker.end(deadline));
    }
}

impl AsFd for Member {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.worker.as_fd()
    }
}
