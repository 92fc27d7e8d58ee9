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
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError, mpsc};
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
const PATIENCE: Duration = Duration::from_secs(20);

/// What the lab is to try.
#[derive(Clone, Debug)]
pub struct CrashLab {
    /// What one client does.
    pub troubles: Vec<Trouble>,
    /// The strategies' names, see [`CrashLab::STRATEGIES`].
    pub strategies: Vec<&'static str>,
    /// How many rows are run beside each other, at least 1. More than one takes less time, and
    /// makes the milliseconds larger.
    pub at_once: usize,
    /// The program that is started as a server; this one unless told otherwise. It must call
    /// [`serve_if_server`].
    pub program: Option<PathBuf>,
}

impl Default for CrashLab {
    fn default() -> CrashLab {
        CrashLab {
            troubles: Trouble::ALL.to_vec(),
            strategies: CrashLab::STRATEGIES.to_vec(),
            at_once: 1,
            program: None,
        }
    }
}

impl CrashLab {
    /// Every strategy.
    pub const STRATEGIES: [&str; 6] =
        ["single", "thread", "thread-pool", "process-fork", "process-spawn", "process-pool"];

    /// Runs every trouble under every strategy, and shows each row when it is there. After
    /// [`ControlFlow::Break`] no further row is begun. What cannot be run is a row that says why.
    pub fn run(&self, mut progress: impl FnMut(&Survived) -> ControlFlow<()>) -> Survival {
        let program = self.program.clone().or_else(|| env::current_exe().ok()).unwrap_or_default();
        let pairs = |trouble| self.strategies.iter().map(move |strategy| (trouble, *strategy));
        let rows = self.troubles.iter().copied().flat_map(pairs);
        let rows = Mutex::new(rows.enumerate().fuse());
        let (tell, told) = mpsc::channel();
        let mut survived = Vec::new();
        thread::scope(|scope| {
            for _ in 0..self.at_once.max(1) {
                let (tell, rows, program) = (tell.clone(), &rows, &program);
                let worker = move || {
                    while let Some((number, (trouble, strategy))) = next(rows) {
                        let row = experiment::run(program, strategy, trouble);
                        if tell.send((number, row)).is_err() {
                            return;
                        }
                    }
                };
                if let Err(error) = thread::Builder::new().spawn_scoped(scope, worker) {
                    log::warn!("fewer rows are run beside each other: {error}");
                }
            }
            drop(tell);
            for (number, row) in told {
                let go_on = progress(&row);
                survived.push((number, row));
                if go_on.is_break() {
                    break;
                }
            }
        });
        survived.sort_by_key(|(number, _)| *number);
        Survival { rows: survived.into_iter().map(|(_, row)| row).collect() }
    }
}

fn next<T>(rows: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    rows.lock().unwrap_or_else(PoisonError::into_inner).next()
}
