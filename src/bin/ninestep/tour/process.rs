//! The processes of the tour: each is started, read and ended, and each of these within a time.

use std::env;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Failure;

/// How long anything may take that should take milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// How long a process may take to end when it is asked to.
const END: Duration = Duration::from_secs(2);

/// This program in another process.
pub(crate) struct Process {
    child: Child,
    /// What it prints, on standard output as well as on standard error, until both are closed.
    lines: Receiver<String>,
    /// How a person starts the same.
    by_hand: String,
}

impl Process {
    /// Runs this program with other arguments.
    pub(crate) fn start(arguments: &[&str]) -> Result<Process, Failure> {
        let by_hand = super::by_hand(&arguments.join(" "));
        let start = || {
            let mut command = Command::new(env::current_exe()?);
            // What the user wants to see of the tour's log is not what its processes should print.
            command.args(arguments).env_remove("RUST_LOG");
            Process::spawn(command, by_hand.clone())
        };
        start().map_err(|error| Failure::new("starting a process", error, &by_hand))
    }

    fn spawn(mut command: Command, by_hand: String) -> io::Result<Process> {
        let (reader, writer) = io::pipe()?;
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let (sender, lines) = mpsc::channel();
        thread::Builder::new().spawn(move || {
            let lines = BufReader::new(reader).lines().map_while(Result::ok);
            lines.map(|line| sender.send(line)).all(|sent| sent.is_ok())
        })?;
        // The command keeps copies of the pipe's writing end. It is dropped here, or the thread
        // above would never see the end.
        Ok(Process { child: command.spawn()?, lines, by_hand })
    }

    /// Its number in the system.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The first line that it prints.
    fn first_line(&self, within: Duration) -> Result<String, String> {
        self.lines.recv_timeout(within).map_err(|error| match error {
            RecvTimeoutError::Timeout => format!("it printed nothing within {within:?}"),
            RecvTimeoutError::Disconnected => "it ended and printed nothing".to_owned(),
        })
    }

    /// Waits for its end, and returns what it printed meanwhile.
    pub(crate) fn finish(mut self, doing: &str) -> Result<Vec<String>, Failure> {
        let printed = self.read_to_end(PATIENCE);
        let failed = |why| Err(Failure::new(doing, why, &self.by_hand));
        match printed {
            Err(_) => failed(format!("it did not end within {PATIENCE:?}")),
            Ok(printed) => match self.child.wait() {
                Ok(status) if status.success() => Ok(printed),
                Ok(status) => failed(format!("{status}, after {:?}", printed.join("\n"))),
                Err(error) => failed(error.to_string()),
            },
        }
    }

    /// Reads on until it and its own children have closed their output. If that takes too long,
    /// the error is what came until then.
    fn read_to_end(&self, within: Duration) -> Result<Vec<String>, Vec<String>> {
        let deadline = Instant::now() + within;
        let mut printed = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => printed.push(line),
                Err(RecvTimeoutError::Disconnected) => return Ok(printed),
                Err(RecvTimeoutError::Timeout) => return Err(printed),
            }
        }
    }

    /// Asks it to end, and kills it if it does not; returns what it printed meanwhile.
    fn end(&mut self) -> io::Result<(Vec<String>, ExitStatus)> {
        if self.child.try_wait()?.is_none() {
            kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        }
        let printed = self.read_to_end(END).or_else(|printed| {
            self.child.kill()?;
            io::Result::Ok(printed)
        })?;
        Ok((printed, self.child.wait()?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Only a process that is not ours any more cannot be ended.
        let _ = self.end();
    }
}

/// A process that serves the demo services.
pub(crate) struct ServerProcess {
    pub(crate) process: Process,
    /// Where it listens.
    pub(crate) address: String,
}

impl ServerProcess {
    /// Runs `ninestep serve` with these options, on a port that the system chooses.
    pub(crate) fn start(options: &[&str]) -> Result<ServerProcess, Failure> {
        let process = Process::start(&[&["serve", "--listen", "127.0.0.1:0"], options].concat())?;
        let address = process.first_line(PATIENCE).and_then(|line| {
            let address = line.strip_prefix("listening on ");
            address.map(str::to_owned).ok_or_else(|| format!("it did not listen, but said: {line}"))
        });
        match address {
            Ok(address) => Ok(ServerProcess { process, address }),
            Err(why) => Err(Failure::new("starting a server", why, &process.by_hand)),
        }
    }

    /// A failure of something that was done with this server.
    pub(crate) fn failure(&self, doing: &str, why: impl ToString) -> Failure {
        Failure::new(doing, why, &self.process.by_hand)
    }

    /// Stops it, and returns the lines that it printed since it listens.
    pub(crate) fn stop(mut self) -> Result<Vec<String>, Failure> {
        let ended = self.process.end();
        let failed = |why: String| Err(self.failure("stopping a server", why));
        match ended {
            Ok((printed, status)) if status.success() => Ok(printed),
            Ok((printed, status)) => failed(format!("{status}, after {:?}", printed.join("\n"))),
            Err(error) => failed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn shell(script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::spawn(command, script.to_owned()).unwrap()
    }

    #[test]
    fn a_silent_process_is_an_error_in_time() {
        let process = shell("exec sleep 60");
        let error = process.first_line(Duration::from_millis(50)).unwrap_err();
        assert_eq!(error, "it printed nothing within 50ms");
    }

    #[test]
    fn a_process_that_ends_silently_is_an_error_at_once() {
        let error = shell("exit 0").first_line(PATIENCE).unwrap_err();
        assert_eq!(error, "it ended and printed nothing");
    }

    #[test]
    fn both_streams_are_read() {
        let printed = shell("echo one; echo two >&2").finish("testing").unwrap();
        assert_eq!(printed, ["one", "two"]);
    }

    #[test]
    fn a_failure_says_what_was_printed_and_what_to_run() {
        let failure = shell("echo no room >&2; exit 3").finish("testing").unwrap_err();
        let text = format!("{failure}; {}", failure.tip());
        for part in ["while testing: exit status: 3", "no room", "run: echo no room >&2; exit 3"] {
            assert!(text.contains(part), "{text:?} has no {part:?}");
        }
    }

    #[test]
    fn a_process_is_asked_to_end() {
        let mut process = shell("trap 'echo bye; exit 7' TERM; echo up; while :; do :; done");
        assert_eq!(process.first_line(PATIENCE), Ok("up".to_owned()));
        let (printed, status) = process.end().unwrap();
        assert_eq!((printed.as_slice(), status.code()), (&["bye".to_owned()][..], Some(7)));
    }

    #[test]
    fn a_process_that_does_not_end_is_killed() {
        let mut process = shell("trap '' TERM; echo up; exec sleep 60");
        assert_eq!(process.first_line(PATIENCE), Ok("up".to_owned()));
        let (_, status) = process.end().unwrap();
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()));
    }
}
