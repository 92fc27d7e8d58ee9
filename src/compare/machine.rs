//! The machine: what it is, and which of its cores a process may use.

use std::fs;
use std::io;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::system::uname;

use crate::compare::Machine;

impl Machine {
    /// This machine.
    pub fn here() -> Machine {
        let kernel = uname();
        let name = |name: &std::ffi::CStr| name.to_string_lossy().into_owned();
        let rustc = Command::new("rustc").arg("--version").output().ok();
        let rustc = rustc.filter(|output| output.status.success());
        let (processor, memory_mib) = processor_and_memory();
        Machine {
            processor: processor.unwrap_or_else(|| name(kernel.machine())),
            cores: cores().len(),
            memory_mib,
            kernel: format!("{} {}", name(kernel.sysname()), name(kernel.release())),
            ninestep: env!("CARGO_PKG_VERSION").to_owned(),
            rust: rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        }
    }
}

#[cfg(target_os = "linux")]
fn processor_and_memory() -> (Option<String>, u64) {
    use procfs::{CpuInfo, Current, Meminfo};
    let processor = CpuInfo::current().ok();
    let processor = processor.and_then(|cpus| cpus.model_name(0).map(str::to_owned));
    (processor, Meminfo::current().map_or(0, |memory| memory.mem_total >> 20))
}

#[cfg(not(target_os = "linux"))]
fn processor_and_memory() -> (Option<String>, u64) {
    (None, 0)
}

/// The cores that this process may use. Those that are one physical core stand side by side.
#[cfg(target_os = "linux")]
pub(super) fn cores() -> Vec<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    let Ok(allowed) = sched_getaffinity(None) else { return vec![0] };
    let mut cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
    cores.sort_by_cached_key(|core| (siblings(*core).first().copied(), *core));
    cores
}

#[cfg(not(target_os = "linux"))]
pub(super) fn cores() -> Vec<usize> {
    (0..std::thread::available_parallelism().map_or(1, usize::from)).collect()
}

/// The same cores, such that the first so many of them share as few physical cores as possible.
pub(super) fn spread_out(mut cores: Vec<usize>) -> Vec<usize> {
    cores.sort_by_cached_key(|core| siblings(*core).iter().position(|sibling| sibling == core));
    cores
}

/// All that are the same physical core as this one, itself too, as `0-1` or `0,4`.
fn siblings(core: usize) -> Vec<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    let list = fs::read_to_string(path).unwrap_or_default();
    let range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    let ranges: Option<Vec<_>> = list.trim().split(',').map(range).collect();
    ranges.map_or_else(|| vec![core], |ranges| ranges.into_iter().flatten().collect())
}

/// Keeps this process, and the threads and processes that it starts from now on, on these cores.
#[cfg(target_os = "linux")]
pub(super) fn pin(cores: &[usize]) -> io::Result<()> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    Ok(sched_setaffinity(None, &set)?)
}

/// There is no way to do it on this system that is worth its code; the report says so.
#[cfg(not(target_os = "linux"))]
pub(super) fn pin(_: &[usize]) -> io::Result<()> {
    Ok(())
}

/// How many descriptors a process can have here if it asks for them.
pub(super) fn most_descriptors() -> u64 {
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

/// Allows this process as many descriptors as it can get without privilege.
pub(super) fn raise_descriptor_limit() -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// Wakes this thread, and those that it starts, when they asked to be woken, and not up to 50 µs
/// later so that several can be woken at once.
pub(super) fn wake_exactly() {
    #[cfg(target_os = "linux")]
    // Without it a schedule is met a little later.
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}
