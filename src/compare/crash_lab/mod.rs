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
mod server;
mod trouble;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

pub(super) use server::play;
pub use trouble::Trouble;

use crate::compare::process::{self, Failure};
use crate::compare::server::Contestant;
use crate::compare::{Survival, Survived};

/// Clients beside the one that makes trouble.
const NEIGHBOURS: usize = 8;

/// Connections that are made afterwards, one of them in the troublemaker's place.
const FRESH: usize = 4;

/// Connections that a pool serves at once.
const PLACES: usize = NEIGHBOURS + FRESH;

/// How long anything may take that a server which is alive does sooner.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the lab is to try.
#[derive(Clone, Debug)]
pub struct CrashLab {
    /// What one client does: [`Trouble::ALL`] unless told otherwise.
    pub troubles: Vec<Trouble>,
    /// The strategies' names, as [`Survived::strategy`] has them: all unless told otherwise.
    pub strategies: Vec<String>,
    /// How many rows are run beside each other: 1 unless told otherwise. With two the lab takes
    /// half the time; the milliseconds may become larger, and nothing else changes.
    pub at_once: usize,
    /// Set it, from any thread, and the lab ends its processes and returns the rows that it has.
    pub interrupted: Arc<AtomicBool>,
    /// What the servers run. It calls [`run_if_child`](crate::compare::run_if_child) first thing
    /// in `main`.
    pub program: PathBuf,
}

impl CrashLab {
    /// Every trouble under every strategy, on servers that run this executable.
    ///
    /// # Errors
    /// This executable's path is not known; or this process was itself started by a lab, because
    /// the program did not call [`run_if_child`](crate::compare::run_if_child) first thing in
    /// `main`.
    pub fn new() -> io::Result<CrashLab> {
        Ok(CrashLab {
            troubles: Trouble::ALL.to_vec(),
            strategies: Contestant::ALL.map(|strategy| strategy.name().to_owned()).to_vec(),
            at_once: 1,
            interrupted: Arc::default(),
            program: process::own_program()?,
        })
    }

    /// Runs every trouble under every strategy, and shows each row to `progress` when it is there.
    ///
    /// What cannot be run on this machine is a row too, with the reason.
    pub fn run(&self, progress: &mut dyn FnMut(&Survived)) -> Survival {
        let with_strategies = |trouble| self.strategies.iter().map(move |name| (trouble, &**name));
        let pairs = self.troubles.iter().copied().flat_map(with_strategies);
        let pairs = Mutex::new(pairs.enumerate());
        let (tell, told) = mpsc::channel();
        let work = |tell: mpsc::Sender<_>| {
            while !self.interrupted.load(Ordering::Relaxed)
                && let Some((number, (trouble, strategy))) = next(&pairs)
            {
                if let Some(row) = self.row(trouble, strategy) {
                    let _ = tell.send((number, row));
                }
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
            match started {
                0 => work(tell),
                _ => drop(tell),
            }
            for (number, row) in told {
                progress(&row);
                rows.push((number, row));
            }
        });
        rows.sort_by_key(|(number, _)| *number);
        Survival { rows: rows.into_iter().map(|(_, row)| row).collect() }
    }

    /// One row; `None` if the lab was interrupted.
    fn row(&self, trouble: Trouble, strategy: &str) -> Option<Survived> {
        let contestant = Contestant::ALL.into_iter().find(|it| it.name() == strategy);
        let survived = match contestant {
            Some(contestant) => experiment::run(self, contestant, trouble),
            None => Err(Failure::new("there is no such strategy", "`CrashLab::new` has all names")),
        };
        let cannot_run = match survived {
            Ok(survived) => return Some(survived),
            Err(Failure::Interrupted) => return None,
            Err(Failure::Cannot(why)) => Some(why),
        };
        Some(Survived {
            trouble: trouble.to_string(),
            strategy: strategy.to_owned(),
            server_alive: false,
            neighbours: 0,
            neighbours_alive: 0,
            calls_lost: 0,
            fresh_connection_ms: None,
            remains: Vec::new(),
            cannot_run,
        })
    }
}

/// The next of those that several threads share. The lock is free again when this returns.
fn next<T>(shared: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner).next()
}
