//! What the machine is, which cores there are, and what processes use of its memory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{env, fs, io};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Result;

/// The machine in one line.
pub(crate) fn description() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    format!(
        "{} cores, {model}, Linux {}, {}, load {}",
        cores().map_or(0, |cores| cores.len()),
        read("/proc/sys/kernel/osrelease").trim(),
        rustc.unwrap_or_else(|_| "rustc unknown".to_owned()),
        read("/proc/loadavg").split(' ').next().unwrap_or_default(),
    )
}

/// This program as it would be installed: a copy.
///
/// A linker writes a program piece by piece, and the pages that keep its file in memory are small
/// then. Those of a copy are large, and a process that runs it finds its code in fewer steps. A
/// forked one finds it anew for each connection.
pub(crate) fn program() -> Result<&'static Path> {
    static COPY: LazyLock<io::Result<PathBuf>> = LazyLock::new(|| {
        let this = env::current_exe()?;
        let copy = this.with_extension("copy");
        // Where an earlier one is still running, it keeps what it runs.
        let new = this.with_extension("new");
        fs::copy(this, &new)?;
        fs::rename(&new, &copy)?;
        Ok(copy)
    });
    Ok(COPY.as_ref().map_err(|error| format!("this program cannot be copied: {error}"))?)
}

/// The cores that this process may use.
pub(crate) fn cores() -> Result<Vec<usize>> {
    let allowed = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect())
}

/// Keeps this process, and the threads and processes that it starts from now on, on one core.
pub(crate) fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// Allows this process as many descriptors as it can get without privilege.
pub(crate) fn raise_descriptor_limit() -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// The resident memory of a process in KiB.
pub(crate) fn resident(process: u32) -> Result<u64> {
    kib(&fs::read_to_string(format!("/proc/{process}/status"))?, "VmRSS:")
}

/// One line of such a file.
pub(crate) fn kib(text: &str, name: &str) -> Result<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let value = value.ok_or_else(|| format!("there is no {name} for the process"))?;
    Ok(value.trim().trim_end_matches(" kB").parse()?)
}
