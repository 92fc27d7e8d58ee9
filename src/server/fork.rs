//! A process for each connection, forked: the child is a copy of the server as it stands.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::fs::{self, File};
use std::io::{self, Write, stdout};
use std::mem;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::{Stat, fstat};
use rustix::net::{Shutdown, shutdown};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, setpgid, waitpid};
#[cfg(target_os = "linux")]
use rustix::process::{PidfdFlags, pidfd_open};

use crate::error::{Result, StrategyError};
use crate::server::{Incoming, Next, Place, Strategy};
use crate::transport::{Connection, Wake, from_now, last_tick, lifeline, memory, wait_for};

unsafe extern "C" {
    /// fork(2).
    fn fork() -> c_int;
    /// `_exit(2)`: ends the process without the parent's `atexit` handlers. It has no
    /// precondition, hence `safe`.
    safe fn _exit(status: c_int) -> !;
}

/// Serves each connection in a forked process; Python's multiprocessing has it under that name.
///
/// The child begins as a copy of the server, so it needs no start-up and no entry point. A
/// procedure that crashes takes one connection with it. It is the wrong choice for a program that
/// runs threads (this strategy then refuses to run), and for a server with gigabytes of memory,
/// whose page tables are copied for every connection.
///
/// ```no_run
/// use ninestep::{ForkPerConnection, Procedures, Server};
///
/// let server = Server::new(Procedures::new().on("add", |a: i64, b: i64| a + b));
/// server.bind("127.0.0.1:9000")?.run(&ForkPerConnection::default())?;
/// # Ok::<(), ninestep::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ForkPerConnection {
    /// Connections at once: 256 unless told otherwise. Past it the next waits in the kernel.
    pub at_most: usize,
}

impl Default for ForkPerConnection {
    fn default() -> ForkPerConnection {
        ForkPerConnection { at_most: Incoming::MOST_PROCESSES }
    }
}

/// How long a dead child may wait to be reaped.
const TICK: Duration = Duration::from_millis(100);

impl Strategy for ForkPerConnection {
    fn run(&self, incoming: &mut Incoming, serve: &(dyn Fn(Connection) + Sync)) -> Result<()> {
        incoming.at_most(self.at_most);
        // A page that is written to after a fork is copied. The parent writes to one of `incoming`'s
        // for every connection; made now, the children are most often noted in the same.
        let mut children: Vec<ForkedChild> = Vec::with_capacity(4);
        let threads = Threads::allowed()?;
        // The parent alone holds one end; every child watches the other. So the children see the
        // parent's end as well as its order to finish, and the parent sees when all are gone.
        let (holder, watched) = lifeline()?;
        // What serving finds or makes at its first time, the clock and its buffers, it does here once,
        // or else in every child.
        let (ended, _) = memory::pair()?;
        serve(ended);
        let _ = last_tick();
        // What is still buffered would be printed by every child once more. The parent prints
        // nothing from here on.
        let _ = stdout().flush();
        loop {
            children.retain(|child| !child.has_ended());
            let next = match children.len() {
                0 => incoming.next().map_or(Next::Stopped, Next::Connection),
                count if count < self.at_most => incoming.next_within(TICK),
                _ => next_when_full(incoming, &mut children),
            };
            let mut connection = match next {
                Next::Connection(connection) => connection,
                Next::Nothing => continue,
                Next::Stopped => break,
            };
            // ANCHOR: fork
            match threads.unchanged().and_then(|()| Fork::new()) {
                Ok(Fork::Parent(pid)) => {
                    children.push(ForkedChild { pid, end: None, _place: connection.place.take() });
                }
                Ok(Fork::Child) => {
                    drop(holder);
                    incoming.close();
                    // Only looked at, most often: what is written to is a page that is copied.
                    let siblings = children.iter_mut().filter(|child| child.end.is_some());
                    siblings.for_each(|child| child.end = None);
                    // Dropped, the parent's would be counted down, in a page that is then copied.
                    mem::forget(connection.lifeline.replace(watched));
                    connection.is_last = true;
                    serve_and_exit(connection, serve);
                }
                // ANCHOR_END: fork
                Err(error) => {
                    serve(connection.overloaded("process", &error));
                    incoming.back_off();
                }
            }
        }
        drop(watched);
        // What cannot be told to finish is killed when the time is over.
        let _ = shutdown(&holder, Shutdown::Write);
        let deadline = Some(from_now(incoming.drain()));
        if let Ok(Wake::TimedOut) = wait_for(&holder, PollFlags::IN, deadline) {
            children.iter().for_each(ForkedChild::kill);
        }
        children.iter().for_each(ForkedChild::reap);
        Ok(())
    }
}

/// A full server gets no connection before one of its children has ended.
fn next_when_full(incoming: &mut Incoming, children: &mut [ForkedChild]) -> Next {
    let ends: io::Result<Vec<_>> = children.iter_mut().map(ForkedChild::end).collect();
    match ends {
        Ok(ends) => incoming.next_beside(&ends).0,
        Err(_) => incoming.next_within(TICK),
    }
}

// ANCHOR: child
/// The child's whole life.
fn serve_and_exit(connection: Connection, serve: &(dyn Fn(Connection) + Sync)) -> ! {
    // Ctrl-C at a terminal goes to the whole group; a reply under way shall live.
    let _ = setpgid(None, None);
    let served = catch_unwind(AssertUnwindSafe(|| serve(connection)));
    let flushed = stdout().flush();
    _exit(if served.is_ok() && flushed.is_ok() { 0 } else { 101 })
}
// ANCHOR_END: child

enum Fork {
    Parent(Pid),
    Child,
}

impl Fork {
    /// Forks this process.
    fn new() -> io::Result<Fork> {
        // SAFETY: fork(2) is unsafe for a process with several threads: the child has only the
        // calling one, and whatever lock another thread held (an allocator's, standard output's)
        // stays locked in it for ever. `Threads` has made sure that there is no other thread but
        // that of the ctrlc crate, which waits in a system call and holds no lock while it does.
        // When a signal wakes it during a fork, it runs the program's handler; the worst that the
        // child then meets is a lock of that handler's. The child touches only memory that is its
        // own copy, and leaves by `_exit`.
        let pid = unsafe { fork() };
        match pid {
            0 => Ok(Fork::Child),
            pid => Pid::from_raw(pid)
                .filter(|_| pid > 0)
                .map(Fork::Parent)
                .ok_or_else(io::Error::last_os_error),
        }
    }
}

/// The threads of this process, which must not become more.
struct Threads {
    /// The folder that has a folder for each of them. Once it is open, a look at it is cheap.
    tasks: File,
    /// The folder as it was at the beginning. It has a link for each folder in it.
    allowed: Stat,
}

impl Threads {
    const TASKS: &str = "/proc/self/task";

    /// This thread, and ctrlc's if it is there.
    #[cold]
    fn allowed() -> Result<Threads> {
        let uncountable = |error: io::Error| StrategyError::CannotCountThreads(error.to_string());
        // A thread that has only just started still bears the name of the thread that started it,
        // on a busy machine for a while.
        let patience = Instant::now() + Duration::from_secs(2);
        loop {
            let others = Threads::others().map_err(uncountable)?;
            if others.is_empty() {
                let tasks = File::open(Threads::TASKS).map_err(uncountable)?;
                let allowed = fstat(&tasks).map_err(|error| uncountable(error.into()))?;
                return Ok(Threads { tasks, allowed });
            }
            if Instant::now() > patience {
                return Err(StrategyError::OtherThreads(others.join(", ")).into());
            }
            thread::yield_now();
        }
    }

    /// The names of all threads but those two.
    fn others() -> io::Result<Vec<String>> {
        let this = fs::read_link("/proc/thread-self")?;
        let mut others = Vec::new();
        for task in fs::read_dir(Threads::TASKS)? {
            let task = task?;
            // A thread that ended meanwhile has no name any more.
            let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            if this.file_name() != Some(&task.file_name()) && !matches!(name.trim(), "ctrl-c" | "")
            {
                others.push(name.trim().to_owned());
            }
        }
        Ok(others)
    }

    fn unchanged(&self) -> io::Result<()> {
        match fstat(&self.tasks)? {
            tasks if tasks.st_nlink <= self.allowed.st_nlink => Ok(()),
            _ => Err(io::Error::other("the server has started threads, and fork is unsound")),
        }
    }
}

struct ForkedChild {
    pid: Pid,
    /// Made when it is first asked for, by a full server.
    end: Option<OwnedFd>,
    _place: Option<Place>,
}

impl ForkedChild {
    /// What can be read when the child has ended (pidfd_open(2)).
    fn end(&mut self) -> io::Result<&OwnedFd> {
        let end = match self.end.take() {
            Some(end) => end,
            #[cfg(target_os = "linux")]
            None => pidfd_open(self.pid, PidfdFlags::empty())?,
            #[cfg(not(target_os = "linux"))]
            None => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(self.end.insert(end))
    }

    /// Reaps the child if it has ended. Only this pid: others' children are not ours to reap.
    fn has_ended(&self) -> bool {
        !matches!(waitpid(Some(self.pid), WaitOptions::NOHANG), Ok(None))
    }

    fn kill(&self) {
        if !self.has_ended() {
            log::warn!(
                "process {} did not finish in time and is killed",
                self.pid.as_raw_nonzero()
            );
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }

    fn reap(&self) {
        let _ = rustix::io::retry_on_intr(|| waitpid(Some(self.pid), WaitOptions::empty()));
    }
}
