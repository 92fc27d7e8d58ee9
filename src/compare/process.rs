//! The processes of a comparison: this program again, in a role.
//!
//! A process is told its role by an environment variable and answers in lines of JSON on its
//! standard output. Its standard input says for how long it is wanted: it ends when the other end
//! is closed, which happens when this process has what it wants, and also when it dies.

use std::env;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio, exit};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::compare::CannotRun;
use crate::compare::crash_lab;
use crate::compare::load::{self, LoadRole};
use crate::compare::server::{self, Contestant, ServerRole};

/// The environment variable that holds the role.
const ROLE: &str = "NINESTEP_COMPARE";

/// What a process is started for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Role {
    /// It serves.
    Server(ServerRole),
    /// It is a server's clients.
    Load(LoadRole),
    /// It serves somebody who makes trouble.
    Troubled(Contestant),
}

/// The first thing in the `main` of a program that runs a
/// [`Comparison`](crate::compare::Comparison) or the [crash lab](crate::compare::crash_lab): in a
/// process that one of them started, this plays its role and ends the process; anywhere else it
/// does nothing.
pub fn run_if_child() {
    let Some(role) = env::var_os(ROLE) else { return };
    let role = role.to_str().and_then(|role| serde_json::from_str(role).ok());
    let played = match role {
        Some(Role::Server(role)) => server::play(&role),
        Some(Role::Load(role)) => load::play(&role),
        Some(Role::Troubled(strategy)) => crash_lab::play(strategy),
        None => Err(CannotRun::new("its role cannot be read", "unset NINESTEP_COMPARE")),
    };
    exit(match played {
        Ok(()) => 0,
        Err(why) => {
            say::<()>(&Err(why));
            1
        }
    })
}

/// What processes run: this program, unless it is one of them and should have ended in
/// [`run_if_child`].
pub(super) fn own_program() -> io::Result<PathBuf> {
    if env::var_os(ROLE).is_some() {
        let error = "this process was started by a comparison, but began another: call \
                     `ninestep::compare::run_if_child()` first thing in `main`";
        return Err(io::Error::other(error));
    }
    env::current_exe()
}

/// One answer, from a process to the one that started it.
pub(super) type Answer<T> = Result<T, CannotRun>;

/// Answers.
pub(super) fn say<T: Serialize>(answer: &Answer<T>) {
    let Ok(mut line) = serde_json::to_string(answer) else { return };
    line.push('\n');
    // Who does not listen any more has stopped waiting for an answer, too.
    let _ = io::stdout().write_all(line.as_bytes()).and_then(|()| io::stdout().flush());
}

/// Why there is no figure.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Failure {
    /// The comparison was told to end.
    Interrupted,
    /// It cannot be measured here.
    Cannot(CannotRun),
}

impl Failure {
    pub(super) fn new(reason: impl ToString, remedy: impl ToString) -> Failure {
        Failure::Cannot(CannotRun::new(reason, remedy))
    }
}

impl From<CannotRun> for Failure {
    fn from(why: CannotRun) -> Failure {
        Failure::Cannot(why)
    }
}

impl CannotRun {
    pub(super) fn new(reason: impl ToString, remedy: impl ToString) -> CannotRun {
        CannotRun { reason: reason.to_string(), remedy: remedy.to_string() }
    }
}

/// A process that was started. When this is dropped it is asked to end, killed if it does not, and
/// waited for, as is all that it started.
pub(super) struct Process<'a> {
    interrupted: &'a AtomicBool,
    child: Child,
    wanted: Option<ChildStdin>,
    output: ChildStdout,
    came: Vec<u8>,
}

impl<'a> Process<'a> {
    /// How long a process, and all that it started, may take to end.
    const END: Duration = Duration::from_secs(5);

    /// Starts this program in a role.
    pub(super) fn start(
        program: &Path,
        interrupted: &'a AtomicBool,
        role: &Role,
    ) -> Result<Process<'a>, Failure> {
        const REMEDY: &str = "allow more processes: ulimit -u, or the limit of the container";
        let mut command = Command::new(program);
        if let Role::Troubled(_) = role {
            // Panics are what it is there for: nobody wants to read of them.
            command.env_remove("RUST_BACKTRACE").stderr(Stdio::null());
        }
        let role = serde_json::to_string(role).map_err(|error| Failure::new(error, REMEDY))?;
        let started = command
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C at a terminal is for this process, which then ends all others.
            .process_group(0)
            .spawn();
        let failed = |error: io::Error| {
            Failure::new(format!("a process cannot be started: {error}"), REMEDY)
        };
        let mut child = started.map_err(failed)?;
        match (child.stdin.take(), child.stdout.take()) {
            (wanted, Some(output)) => {
                Ok(Process { interrupted, child, wanted, output, came: Vec::new() })
            }
            (_, None) => Err(failed(io::Error::other("it has no standard output"))),
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Whether it has not ended yet.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The next answer, for which this waits so long at most.
    pub(super) fn answer<T: DeserializeOwned>(&mut self, patience: Duration) -> Result<T, Failure> {
        const REMEDY: &str =
            "a program that compares calls ninestep::compare::run_if_child() first thing in main";
        let Some(line) = self.line(patience)? else {
            let status = self.ended().map(|status| status.to_string());
            let status = status.unwrap_or_else(|error| error.to_string());
            let reason = format!("a process ended without an answer: {status}");
            return Err(Failure::new(reason, REMEDY));
        };
        match serde_json::from_str::<Answer<T>>(&line) {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Failure::new(format!("a process answered {line:?}"), REMEDY)),
        }
    }

    /// Gives the word to go on.
    pub(super) fn go_on(&mut self) {
        // One that is gone is found out when it does not answer.
        let _ = self.wanted.as_mut().map(|wanted| wanted.write_all(b"!"));
    }

    /// What the process says stands in its way, if it says so soon.
    pub(super) fn complaint(&mut self) -> Option<CannotRun> {
        let line = self.line(Duration::from_millis(200)).ok()??;
        serde_json::from_str::<Answer<()>>(&line).ok()?.err()
    }

    /// The next line; `None` when this process and all that it started have closed their output,
    /// as they do when they end.
    fn line(&mut self, patience: Duration) -> Result<Option<String>, Failure> {
        const SLICE: Duration = Duration::from_millis(50);
        let deadline = Instant::now() + patience;
        loop {
            if let Some(end) = self.came.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.came.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()));
            }
            if self.is_interrupted() {
                return Err(Failure::Interrupted);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let reason = format!("a process gave no answer within {patience:?}");
                return Err(Failure::new(
                    reason,
                    "run it again while the machine does little else",
                ));
            }
            if self.is_readable(left.min(SLICE)) {
                let mut some = [0; 4096];
                match self.output.read(&mut some) {
                    Ok(0) | Err(_) => return Ok(None),
                    Ok(count) => self.came.extend(&some[..count]),
                }
            }
        }
    }

    fn is_readable(&self, within: Duration) -> bool {
        let within = Timespec::try_from(within).ok();
        matches!(poll(&mut [PollFd::new(&self.output, PollFlags::IN)], within.as_ref()), Ok(1..))
    }

    /// Says that the process is not wanted any more, and waits until it has ended, and all that it
    /// started.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        self.wanted = None;
        while self.line(Process::END)?.is_some() {}
        let reason = match self.ended() {
            Ok(status) if status.success() => return Ok(()),
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        Err(Failure::new(format!("a process ended badly: {reason}"), "please report it"))
    }

    /// Waits until it has ended, and kills it if it takes too long.
    fn ended(&mut self) -> io::Result<ExitStatus> {
        let deadline = Instant::now() + Duration::from_secs(1);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.child.kill()?;
        self.child.wait()
    }
}

impl Drop for Process<'_> {
    fn drop(&mut self) {
        self.wanted = None;
        let _ = self.ended();
        // Its descendants see that it is gone, and their end is the end of its output.
        let deadline = Instant::now() + Process::END;
        while self.is_readable(deadline.saturating_duration_since(Instant::now()))
            && !matches!(self.output.read(&mut [0; 4096]), Ok(0) | Err(_))
        {}
    }
}
