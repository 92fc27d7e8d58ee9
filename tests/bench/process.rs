//! The processes that the benchmark starts: this program again, with a role.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{ROLE, Result, machine};

/// A process that the benchmark started. It is killed, if need be, and waited for in the end.
pub(crate) struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Longer than anything that a process is asked to do before it prints its next line.
    const PATIENCE: Duration = Duration::from_secs(30);

    pub(crate) fn start(role: &[&str]) -> Result<Process> {
        let mut child = Command::new(machine::program()?)
            .arg(ROLE)
            .args(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("a process without output")?;
        Ok(Process { child, output: BufReader::new(output) })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that the process prints; `None` when it has closed its output, which is when
    /// it and all processes that it started have ended.
    pub(crate) fn line(&mut self) -> Result<Option<String>> {
        if self.output.buffer().is_empty() {
            let mut fds = [PollFd::new(self.output.get_ref(), PollFlags::IN)];
            if poll(&mut fds, Some(&Timespec::try_from(Process::PATIENCE)?))? == 0 {
                return Err(format!("no answer within {:?}", Process::PATIENCE).into());
            }
        }
        let mut line = String::new();
        Ok((self.output.read_line(&mut line)? > 0).then(|| line.trim_end().to_owned()))
    }

    /// As [`line`](Process::line), from a process that has something to say.
    pub(crate) fn answer(&mut self) -> Result<String> {
        Ok(self.line()?.ok_or("the process ended without an answer")?)
    }

    /// The address that a server prints, maybe behind other words and after other lines.
    pub(crate) fn address(&mut self) -> Result<String> {
        loop {
            let line = self.answer()?;
            let last = line.rsplit(' ').next().unwrap_or_default();
            if last.parse::<SocketAddr>().is_ok() {
                return Ok(last.to_owned());
            }
        }
    }

    /// Waits for the process that has closed its output.
    pub(crate) fn ended(mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that has ended already cannot be killed, and was perhaps waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
