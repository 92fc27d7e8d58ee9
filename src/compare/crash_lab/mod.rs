//! The crash lab: one client makes trouble, eight others are connected meanwhile. Who survives?
//!
//! Every row is a run of its own, with a fresh server process:
//!
//! 1. Eight neighbours connect, and each has a call answered.
//! 2. One more client connects. Each neighbour has a call under way; the client makes trouble,
//!    and leaves when it has an outcome.
//! 3. A fresh connection is tried until one is answered. Each neighbour takes the reply that it
//!    waits for and calls once more; a neighbour is alive if both calls were answered.
//! 4. Everybody who is connected looks at the server from inside, and the lab from outside.
//!
//! A single-threaded server serves one at a time: there the neighbours wait in the kernel's queue
//! with their first call sent while the client makes trouble, and each leaves when it was
//! answered. Pools have a place for every client of the lab.
//!
//! Every process has limits on its address space, its descriptors and its processor time, and
//! leaves no core dump. A server ends with the lab, however the lab ends, and its children with it.

mod experiment;
mod limits;
mod process;
mod server;
mod trouble;

use std::env;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

pub use server::serve_if_server;
pub use trouble::Trouble;

use crate::compare::{Survival, Survived};

/// Clients beside the one that makes trouble.
const NEIGHBOURS: usize = 8;

/// Connections that are made afterwards, one of them in the troublemaker's place.
const FRESH: usize = 4;

/// Connections that a pool serves at once.
const PLACES: usize = NEIGHBOURS + FRESH;

/// How long anything may take that a server which is alive does sooner.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the lab is to try.
#[derive(Clone, Debug)]
pub struct CrashLab {
    /// What one client does: [`Trouble::ALL`] unless told otherwise.
    pub troubles: Vec<Trouble>,
    /// The strategies' names: [`CrashLab::STRATEGIES`] unless told otherwise.
    pub strategies: Vec<&'static str>,
    /// How many rows are run beside each other: 1 unless told otherwise. With two the lab takes
    /// half the time; the milliseconds may become larger, and nothing else changes.
    pub at_once: usize,
    /// Set it, from any thread, and no further row is begun.
    pub interrupted: Arc<AtomicBool>,
    /// What the servers run. It calls [`serve_if_server`] first thing in `main`.
    pub program: PathBuf,
}

impl CrashLab {
    /// Every strategy.
    pub const STRATEGIES: [&str; 6] =
        ["single", "thread", "thread-pool", "process-fork", "process-spawn", "process-pool"];

    /// Every trouble under every strategy, on servers that run this executable.
    ///
    /// # Errors
    /// This executable's path is not known; or this process was itself started by a lab, because
    /// the program did not call [`serve_if_server`] first thing in `main`.
    pub fn new() -> io::Result<CrashLab> {
        if server::is_server() {
            let error = "this process was started by a crash lab, but began another: call \
                         `ninestep::compare::crash_lab::serve_if_server()` first thing in `main`";
            return Err(io::Error::other(error));
        }
        Ok(CrashLab {
            troubles: Trouble::ALL.to_vec(),
            strategies: CrashLab::STRATEGIES.to_vec(),
            at_once: 1,
            interrupted: Arc::default(),
            program: env::current_exe()?,
        })
    }

    /// Runs every trouble under every strategy, and shows each row to `progress` when it is there.
    ///
    /// What cannot be run on this machine is a row too, with the reason.
    pub fn run(&self, progress: &mut dyn FnMut(&Survived)) -> Survival {
        let with_strategies = |trouble| self.strategies.iter().map(move |name| (trouble, *name));
        let pairs = self.troubles.iter().copied().flat_map(with_strategies);
        let pairs = Mutex::new(pairs.enumerate());
        let (tell, told) = mpsc::channel();
        let work = |tell: mpsc::Sender<_>| {
            while !self.interrupted.load(Ordering::Relaxed)
                && let Some((number, (trouble, strategy))) = next(&pairs)
            {
                let _ = tell.send((number, experiment::run(&self.program, strategy, trouble)));
            }
        };
        let mut rows = Vec::new();
        thread::scope(|scope| {
            let mut started = 0;
            for _ in 0..self.at_once.max(1) {
                let tell = tell.clone();
                match thread::Builder::new().spawn_scoped(scope, || work(tell)) {
                    Ok(_) => started += 1,
                    Err(error) => log::warn!("{started} rows are run at once, no more: {error}"),
                }
            }
            // Without a single thread this one does the work itself.
            if started == 0 {
                work(tell)
            } else {
                drop(tell)
            }
            for (number, row) in told {
                progress(&row);
                rows.push((number, row));
            }
        });
        rows.sort_by_key(|(number, _)| *number);
        Survival { rows: rows.into_iter().map(|(_, row)| row).collect() }
    }
}

/// The next of those that several threads share. The lock is free again when this returns.
fn next<T>(shared: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner).next()
}
