//! What the lab's processes may use, so that whatever happens in one the machine is safe.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::compare::server::Contestant;

/// The address space of each process, in bytes.
pub(super) const ADDRESS_SPACE: u64 = 2 << 30;

/// Seconds of processor time for a process that serves one connection at a time. Threads have no
/// limits of their own: this one would end all of them.
const WORKER_SECONDS: u64 = 1;

/// Seconds of processor time after which nothing will end a procedure that spins. The kernel
/// counts for its limit how often its tick meets the process: where many processes take turns
/// between two ticks, a limit of one second has been seen to strike after more than two.
pub(super) fn last_hope(strategy: Contestant) -> f64 {
    match strategy {
        Contestant::Single | Contestant::Thread | Contestant::ThreadPool => 1.25,
        Contestant::ProcessFork | Contestant::ProcessSpawn | Contestant::ProcessPool => 10.0,
    }
}

/// For a server and every process that it starts.
pub(super) fn of_server() {
    set(Resource::As, ADDRESS_SPACE);
    set(Resource::Cpu, 30);
    set(Resource::Core, 0);
    set(Resource::Nofile, 1024);
    set(Resource::Stack, 8 << 20);
}

/// For a process that was started to serve a connection.
pub(super) fn of_worker() {
    set(Resource::Cpu, WORKER_SECONDS);
}

/// Lowers a limit. Where the system does not know the limit, the troubles' own bounds remain.
fn set(resource: Resource, most: u64) {
    let mut limit = getrlimit(resource);
    let most = Some(limit.maximum.map_or(most, |maximum| maximum.min(most)));
    (limit.current, limit.maximum) = (most, most);
    if let Err(error) = setrlimit(resource, limit) {
        log::warn!("{resource:?} stays without a limit: {error}");
    }
}
