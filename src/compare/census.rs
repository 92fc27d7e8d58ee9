//! What a process and all processes that descend from it hold, as the kernel counts it.

use std::fmt;
#[cfg(not(target_os = "linux"))]
use std::io;

/// Everything that a server could leave behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    pub(super) processes: usize,
    /// Processes that have ended and that nobody has asked about.
    pub(super) zombies: usize,
    pub(super) threads: usize,
    pub(super) descriptors: usize,
}

impl Census {
    /// What is more than it was before.
    pub(super) fn more_than(&self, before: &Census) -> Census {
        Census {
            processes: self.processes.saturating_sub(before.processes),
            zombies: self.zombies.saturating_sub(before.zombies),
            threads: self.threads.saturating_sub(before.threads),
            descriptors: self.descriptors.saturating_sub(before.descriptors),
        }
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Census { processes, zombies, threads, descriptors } = self;
        write!(
            f,
            "{processes} processes, {zombies} zombies, {threads} threads, {descriptors} descriptors"
        )
    }
}

/// How a process and its descendants use the processors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    /// Seconds of processor time, those of descendants that have ended included.
    pub(super) seconds: f64,
    /// Those of the process that has used most, of those that live.
    pub(super) longest: f64,
    /// Whether a thread runs, or would if there were a processor for it.
    pub(super) running: bool,
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashMap;
    use std::io;

    use procfs::process::{Process, Stat, all_processes};
    use procfs::{ProcError, ProcResult};

    use super::{Census, Work};

    /// A process, and every process that descends from it.
    fn family(of: u32) -> ProcResult<Vec<Stat>> {
        let mut children: HashMap<i32, Vec<Stat>> = HashMap::new();
        let mut family = Vec::new();
        // A process that ends meanwhile has no part in it.
        for stat in all_processes()?.filter_map(|process| process.ok()?.stat().ok()) {
            match u32::try_from(stat.pid) == Ok(of) {
                true => family.push(stat),
                false => children.entry(stat.ppid).or_default().push(stat),
            }
        }
        let mut next = 0;
        while let Some(member) = family.get(next) {
            family.extend(children.remove(&member.pid).unwrap_or_default());
            next += 1;
        }
        Ok(family)
    }

    impl Census {
        /// Counts a process with all its descendants.
        pub(in crate::compare) fn of(process: u32) -> io::Result<Census> {
            let mut census = Census::default();
            for member in family(process).map_err(io::Error::other)? {
                census.processes += 1;
                match member.state {
                    'Z' => census.zombies += 1,
                    _ => census.threads += usize::try_from(member.num_threads).unwrap_or_default(),
                }
                // Those of a process that ends meanwhile are closed.
                let process = Process::new(member.pid);
                census.descriptors += process.and_then(|process| process.fd_count()).unwrap_or(0);
            }
            Ok(census)
        }
    }

    impl Work {
        /// Looks at a process with all its descendants.
        pub(in crate::compare) fn of(process: u32) -> io::Result<Work> {
            let family = family(process).map_err(io::Error::other)?;
            let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
            let own = |stat: &Stat| seconds(stat.utime + stat.stime);
            let ended = |stat: &Stat| seconds((stat.cutime + stat.cstime).cast_unsigned());
            let is_running = |stat: &Stat| {
                let tasks = Process::new(stat.pid).and_then(|process| process.tasks());
                let stats = tasks.into_iter().flatten().filter_map(|task| task.ok()?.stat().ok());
                stats.into_iter().any(|task| task.state == 'R')
            };
            Ok(Work {
                seconds: family.iter().map(|stat| own(stat) + ended(stat)).sum(),
                longest: family.iter().map(own).fold(0.0, f64::max),
                running: family.iter().any(is_running),
            })
        }
    }

    /// The memory, in KiB, that a process and all its descendants have of their own: what no file
    /// backs. A page that several share is divided between them, so it is counted once. The
    /// program itself is not counted: it is in memory once, however many processes run it.
    pub(in crate::compare) fn own_kib(process: u32) -> io::Result<f64> {
        let of_one = |pid: i32| -> ProcResult<u64> {
            let rollup = Process::new(pid)?.smaps_rollup()?.memory_map_rollup;
            let sizes = rollup.iter().filter_map(|map| map.extension.map.get("Pss_Anon"));
            Ok(sizes.sum())
        };
        let mut bytes = 0;
        for member in family(process).map_err(io::Error::other)? {
            match of_one(member.pid) {
                Ok(size) => bytes += size,
                Err(ProcError::NotFound(_)) => {}
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(bytes as f64 / 1024.0)
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::own_kib;

#[cfg(not(target_os = "linux"))]
const NOT_COUNTED: &str = "processes are counted through /proc, which this system does not have";

#[cfg(not(target_os = "linux"))]
impl Census {
    pub(super) fn of(_: u32) -> io::Result<Census> {
        Err(io::Error::new(io::ErrorKind::Unsupported, NOT_COUNTED))
    }
}

#[cfg(not(target_os = "linux"))]
impl Work {
    pub(super) fn of(_: u32) -> io::Result<Work> {
        Err(io::Error::new(io::ErrorKind::Unsupported, NOT_COUNTED))
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn own_kib(_: u32) -> io::Result<f64> {
    Err(io::Error::new(io::ErrorKind::Unsupported, NOT_COUNTED))
}
