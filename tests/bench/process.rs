//! The processes that the benchmark starts: this program again, with a role.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use crate::{ROLE, Result, machine, ours, raw, stops};

/// What a process of this benchmark does, as its arguments say it: `serve WHAT CORE`,
/// `raw-serve WHAT CORE`, `client WORK CORE ADDRESS` or `stoppable STRATEGY FILE`.
pub(crate) fn play(role: &[&str]) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    machine::raise_descriptor_limit()?;
    match *role {
        ["serve", what, core] => {
            machine::pin(core.parse()?)?;
            ours::serve(what)
        }
        ["raw-serve", what, core] => {
            machine::pin(core.parse()?)?;
            raw::serve(what)
        }
        ["client", work, core, address] => {
            machine::pin(core.parse()?)?;
            match work.strip_prefix("raw-") {
                Some(work) => raw::client(work, address.parse()?),
                None => ours::client(work, address),
            }
        }
        ["stoppable", strategy, file] => stops::serve(strategy, file),
        _ => Err("no such role".into()),
    }
}

/// A process that the benchmark started. It is killed, if need be, and waited for in the end.
pub(crate) struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Longer than anything that a process is asked to do before it prints its next line.
    const PATIENCE: Duration = Duration::from_secs(30);

    pub(crate) fn start(role: &[&str]) -> Result<Process> {
        let mut child = Command::new(env::current_exe()?)
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

    pub(crate) fn terminate(&self) -> Result<()> {
        let id = Pid::from_raw(i32::try_from(self.id())?).ok_or("a process without an id")?;
        Ok(kill_process(id, Signal::TERM)?)
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
