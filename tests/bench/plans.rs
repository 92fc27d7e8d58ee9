//! What ninestep is measured against raw TCP in, and against itself.

use std::time::Instant;

use crate::Result;
use crate::compare::{self, Plan};

/// Calls under way at once on one connection.
pub(crate) const IN_FLIGHT: usize = 128;
/// Connections of one turn. Each leaves a port in TIME_WAIT, and a server has one turn only, so
/// that the kernel's search for free ports is not what is measured.
const CONNECTIONS: usize = 500;

pub(crate) const LONE: Plan = Plan {
    work: "one call at a time",
    ours: ["serve", "thread", "lone"],
    other: ["raw-serve", "thread", "raw-lone"],
    least: 0.93,
    no_target: &[],
    units: &["calls/s"],
    turns_of_a_server: compare::SOME_TURNS,
};
/// The other is ninestep as well, with one thread.
pub(crate) const SHARED: Plan = Plan {
    work: "8 threads share a stub (against 1)",
    ours: ["serve", "thread", "shared"],
    other: ["serve", "thread", "lone"],
    least: 1.0,
    ..LONE
};
pub(crate) const MANY: Plan = Plan {
    work: "64 connections",
    ours: ["serve", "thread", "many"],
    other: ["raw-serve", "thread", "raw-many"],
    least: 0.9,
    ..LONE
};
pub(crate) const BATCH: Plan = Plan {
    work: "128 in flight, explicit batch",
    ours: ["serve", "thread", "batch"],
    other: ["raw-serve", "thread", "raw-batch"],
    least: 0.4,
    // Where raw TCP sends 128 requests at once on one core, it does next to nothing for each, and
    // has nothing to wait for.
    no_target: &[compare::ONE_CORE],
    ..LONE
};
pub(crate) const FLIGHT: Plan = Plan {
    work: "128 in flight, each sent on its own",
    ours: ["serve", "thread", "flight"],
    least: 0.05,
    ..BATCH
};
/// The raw server reads the whole message before it sends it back, as an RPC must.
pub(crate) const MIB: Plan = Plan {
    work: "1 MiB echoed",
    ours: ["serve", "thread", "mib"],
    other: ["raw-serve", "mib", "raw-mib"],
    least: 0.8,
    ..LONE
};
pub(crate) const CONNECT: Plan = Plan {
    work: "connect, call, close: thread",
    ours: ["serve", "thread", "connect"],
    other: ["raw-serve", "thread", "raw-connect"],
    least: 0.9,
    no_target: &[],
    units: &["connections/s"],
    turns_of_a_server: 1,
};
/// Neither server has a second thread.
pub(crate) const FORK: Plan = Plan {
    work: "connect, call, close: fork",
    ours: ["serve", "fork", "connect"],
    other: ["raw-serve", "fork", "raw-connect"],
    ..CONNECT
};
/// Both are ninestep.
pub(crate) const POOL_CALLS: Plan = Plan {
    work: "process pool (against thread pool)",
    ours: ["serve", "process-pool", "lone"],
    other: ["serve", "thread-pool", "lone"],
    least: 0.9,
    ..LONE
};
/// Both are ninestep.
pub(crate) const POOL_CONNECTIONS: Plan = Plan {
    work: "connect, call, close: process pool (against thread)",
    ours: ["serve", "process-pool", "connect"],
    other: ["serve", "thread", "connect"],
    least: 1.0,
    ..CONNECT
};

/// How often per second a connection is made, used and closed.
pub(crate) fn rate_of_connections(mut once: impl FnMut() -> Result<()>) -> Result<f64> {
    (0..CONNECTIONS / 10).try_for_each(|_| once())?;
    let start = Instant::now();
    (0..CONNECTIONS).try_for_each(|_| once())?;
    Ok(CONNECTIONS as f64 / start.elapsed().as_secs_f64())
}
