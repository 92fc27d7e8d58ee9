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

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashMap;
    use std::io;

    use procfs::process::{Process, Stat, all_processes};
    use procfs::{ProcError, ProcResult};

    use super::Census;

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
pub(super) fn own_kib(_: u32) -> io::Result<f64> {
    Err(io::Error::new(io::ErrorKind::Unsupported, NOT_COUNTED))
}
