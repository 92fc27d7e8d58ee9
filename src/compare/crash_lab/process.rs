//! A server process as the lab sees it: started, watched through `/proc`, and ended.

use std::io::{self, ErrorKind, PipeReader, Read};
use std::iter::Sum;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use rustix::event::PollFlags;

use super::PATIENCE;
use super::server::{GREETING, MARK};
use crate::compare::CannotRun;
use crate::transport::{Wake, wait_for};

/// How long a server may take to stop before it is killed.
const STOP: Duration = Duration::from_secs(1);

/// A server process, which is ended and reaped, with all that it started, when this is dropped.
pub(super) struct ServerProcess {
    child: Child,
    /// What it and its children print. They all hold the other end, so its end is theirs.
    output: PipeReader,
    printed: Vec<u8>,
}

impl ServerProcess {
    /// Starts a server under this strategy, and waits until it says where it listens.
    pub(super) fn start(
        program: &Path,
        strategy: &str,
    ) -> Result<(ServerProcess, SocketAddr), CannotRun> {
        let process = ServerProcess::spawn(program, strategy);
        let mut process = process.map_err(|error| CannotRun {
            reason: format!("the server cannot be started: {error}"),
            remedy: match error.kind() {
                ErrorKind::NotFound | ErrorKind::PermissionDenied => "name a program that can run",
                _ => "raise the limits on descriptors and processes: `ulimit -n`, `ulimit -u`",
            }
            .to_owned(),
        })?;
        match process.greeting() {
            Some(address) => Ok((process, address)),
            None => Err(process.why()),
        }
    }

    fn spawn(program: &Path, strategy: &str) -> io::Result<ServerProcess> {
        let (output, theirs) = io::pipe()?;
        let child = Command::new(program)
            .env(MARK, strategy)
            .env_remove("RUST_BACKTRACE")
            .current_dir(env::temp_dir())
            .stdin(Stdio::piped())
            .stdout(theirs.try_clone()?)
            .stderr(theirs)
            // Ctrl-C at a terminal is the lab's, which then stops the server.
            .process_group(0)
            .spawn()?;
        Ok(ServerProcess { child, output, printed: Vec::new() })
    }

    fn greeting(&mut self) -> Option<SocketAddr> {
        let deadline = Instant::now() + PATIENCE;
        while self.read(deadline) {
            let printed = String::from_utf8_lossy(&self.printed);
            if let Some((_, address)) = printed.split_once(GREETING)
                && let Some((address, _)) = address.split_once('\n')
            {
                return address.parse().ok();
            }
        }
        None
    }

    /// Reads what comes next; `false` at the end, or when nothing comes in time.
    fn read(&mut self, deadline: Instant) -> bool {
        if !matches!(wait_for(&self.output, PollFlags::IN, Some(deadline)), Ok(Wake::Ready)) {
            return false;
        }
        let mut some = [0; 4096];
        let count = self.output.read(&mut some).unwrap_or(0);
        self.printed.extend_from_slice(&some[..count]);
        count > 0
    }

    /// Why it cannot be used, in its own words.
    pub(super) fn why(mut self) -> CannotRun {
        self.end();
        let printed = String::from_utf8_lossy(&self.printed);
        let said = printed.lines().rfind(|line| !line.is_empty() && !line.starts_with(GREETING));
        match said {
            Some(said) => CannotRun {
                reason: said.to_owned(),
                remedy: "give it more descriptors or processes (`ulimit -n`, `ulimit -u`), or do \
                         without this strategy"
                    .to_owned(),
            },
            None => CannotRun {
                reason: "the server ended and said nothing".to_owned(),
                remedy: "call `crash_lab::serve_if_server()` first thing in `main`".to_owned(),
            },
        }
    }

    /// Whether its process runs.
    pub(super) fn is_alive(&self) -> bool {
        Stat::of(self.child.id()).is_ok_and(|stat| stat.state != 'Z')
    }

    /// What it and its children hold now.
    pub(super) fn held(&self) -> io::Result<Held> {
        Ok(self.family()?.iter().map(Held::of).sum())
    }

    /// What it and its children have done until now.
    pub(super) fn work(&self) -> io::Result<Work> {
        let family = self.family()?;
        Ok(Work {
            seconds: family.iter().map(|stat| stat.seconds + stat.children_seconds).sum(),
            longest: family.iter().map(|stat| stat.seconds).fold(0.0, f64::max),
            running: family.iter().any(Stat::has_running_thread),
        })
    }

    /// Its process and those that it has started, the ended ones that it has not waited for
    /// included.
    fn family(&self) -> io::Result<Vec<Stat>> {
        let server = self.child.id();
        let entries = fs::read_dir("/proc")?.flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        // A process can end while it is looked at.
        let stats = pids.filter_map(|pid| Stat::of(pid).ok());
        Ok(stats.filter(|stat| stat.pid == server || stat.parent == server).collect())
    }

    /// Stops it, or kills it if it does not stop, and waits until its children have ended too.
    fn end(&mut self) {
        drop(self.child.stdin.take());
        let stopped = Instant::now() + STOP;
        while self.read(stopped) {}
        // It may have ended long ago, as one that has stopped has.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Its children see its end. The slowest is one that spins until its limit.
        let gone = Instant::now() + PATIENCE;
        while self.read(gone) {}
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.end();
    }
}

/// What processes hold.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    /// Processes, the ended ones that nobody has waited for included.
    pub(super) processes: usize,
    /// Memory that no file backs, in MiB; a page that several share counts once.
    pub(super) memory_mib: f64,
    /// Open descriptors.
    pub(super) descriptors: usize,
}

impl Held {
    fn of(stat: &Stat) -> Held {
        let folder = format!("/proc/{}", stat.pid);
        let rollup = fs::read_to_string(format!("{folder}/smaps_rollup")).unwrap_or_default();
        let anonymous = rollup.lines().find_map(|line| line.strip_prefix("Pss_Anon:"));
        let kib = anonymous.and_then(|kib| kib.trim().trim_end_matches(" kB").parse().ok());
        Held {
            processes: 1,
            memory_mib: kib.unwrap_or(0.0) / 1024.0,
            descriptors: fs::read_dir(format!("{folder}/fd")).map_or(0, Iterator::count),
        }
    }
}

impl Sum for Held {
    fn sum<I: Iterator<Item = Held>>(held: I) -> Held {
        held.fold(Held::default(), |sum, one| Held {
            processes: sum.processes + one.processes,
            memory_mib: sum.memory_mib + one.memory_mib,
            descriptors: sum.descriptors + one.descriptors,
        })
    }
}

/// What processes have done.
pub(super) struct Work {
    /// Seconds of processor time, those of children that have ended included.
    pub(super) seconds: f64,
    /// Those of the process that has used most and still lives.
    pub(super) longest: f64,
    /// Whether a thread runs, or would if there were a processor for it.
    pub(super) running: bool,
}

/// The fields that are used of `/proc/PID/stat`, see proc_pid_stat(5).
struct Stat {
    pid: u32,
    state: char,
    parent: u32,
    /// Processor time.
    seconds: f64,
    /// That of the children that it has waited for.
    children_seconds: f64,
}

impl Stat {
    fn of(pid: u32) -> io::Result<Stat> {
        Stat::read(Path::new(&format!("/proc/{pid}")))
    }

    fn read(folder: &Path) -> io::Result<Stat> {
        let text = fs::read_to_string(folder.join("stat"))?;
        Stat::parse(&text).ok_or_else(|| io::Error::other(format!("not understood: {text}")))
    }

    fn parse(text: &str) -> Option<Stat> {
        // The name stands in brackets and may hold anything, so fields count from its end.
        let (pid, rest) = text.split_once(' ')?;
        let fields: Vec<&str> = rest.rsplit_once(')')?.1.split_whitespace().collect();
        let seconds = |index: usize| {
            let ticks: f64 = fields.get(index)?.parse().ok()?;
            Some(ticks / rustix::param::clock_ticks_per_second() as f64)
        };
        Some(Stat {
            pid: pid.parse().ok()?,
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            seconds: seconds(11)? + seconds(12)?,
            children_seconds: seconds(13)? + seconds(14)?,
        })
    }

    fn has_running_thread(&self) -> bool {
        let tasks =
            fs::read_dir(format!("/proc/{}/task", self.pid)).into_iter().flatten().flatten();
        tasks.filter_map(|task| Stat::read(&task.path()).ok()).any(|task| task.state == 'R')
    }
}
