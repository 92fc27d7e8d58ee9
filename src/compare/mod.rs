//! Threads or processes? The comparison, measured on the reader's own machine.
//!
//! Tutorials put a threaded server beside one of many processes and say which is faster. This
//! module lets the reader find out, and about more than speed: what a connection costs in memory,
//! who waits for whom, what is shared and what is not. The crash lab says what is left when
//! something goes wrong.
//!
//! Every strategy serves in a process of its own, and its clients are in another; both are this
//! program, started anew, and end with it. What must be the same is the same: the procedures, the
//! clients, the cores. The strategies take turns, because the speed of a machine drifts, and
//! everything is repeated, because one figure is none.
//!
//! ```no_run
//! use ninestep::compare::{self, Comparison, Effort};
//!
//! fn main() -> std::io::Result<()> {
//!     compare::run_if_child();
//!     let comparison = Comparison { effort: Effort::Quick, ..Comparison::new()? };
//!     let results = comparison.run(&mut |progress| eprintln!("{}", progress.experiment));
//!     println!("{results:#?}");
//!     Ok(())
//! }
//! ```

pub mod crash_lab;
pub mod report;
mod results;

mod experiments;
mod lab;
mod runner;
mod statistics;

mod load;
mod process;
mod server;

mod census;
mod machine;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use experiments::EXPERIMENTS;
pub use process::run_if_child;
pub use results::{
    Axis, Better, CannotRun, Experiment, Machine, Measured, Point, Remnant, Results, Series,
    Spread, Survival, Survived,
};

use lab::Lab;

/// What to compare, and how thoroughly.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// How much is measured.
    pub effort: Effort,
    /// The names of the experiments to run: [`EXPERIMENTS`] unless told otherwise.
    pub experiments: Vec<String>,
    /// Set it, from any thread, and the comparison ends its processes and returns what it has.
    pub interrupted: Arc<AtomicBool>,
    /// What the processes run. It calls [`run_if_child`] first thing in `main`.
    pub program: PathBuf,
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Some seconds: enough to see that everything works, not enough to believe a figure.
    Glance,
    /// Less than a minute: the figures are rough, their order is not.
    Quick,
    /// Some minutes.
    Full,
}

impl Effort {
    fn of<T>(self, glance: T, quick: T, full: T) -> T {
        match self {
            Effort::Glance => glance,
            Effort::Quick => quick,
            Effort::Full => full,
        }
    }
}

/// How far a comparison is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The title of the experiment that is being run.
    pub experiment: &'a str,
    /// Measurements that are done, in all experiments.
    pub done: usize,
    /// Measurements that there are.
    pub of: usize,
}

impl Comparison {
    /// All experiments, in full, in processes that run this executable.
    ///
    /// # Errors
    /// This executable's path is not known; or this process was itself started by a comparison,
    /// because the program did not call [`run_if_child`] first thing in `main`.
    pub fn new() -> io::Result<Comparison> {
        Ok(Comparison {
            effort: Effort::Full,
            experiments: EXPERIMENTS.map(str::to_owned).to_vec(),
            interrupted: Arc::default(),
            program: process::own_program()?,
        })
    }

    /// Runs the experiments. `progress` is called at the start of each and after every
    /// measurement.
    ///
    /// What cannot be measured on this machine is in the results too, with the reason.
    pub fn run(&self, progress: &mut dyn FnMut(Progress<'_>)) -> Results {
        let interrupted = Arc::clone(&self.interrupted);
        let lab = Lab::new(self.program.clone(), self.effort, interrupted);
        let mut plans = experiments::all(&lab);
        plans.retain(|plan| self.experiments.contains(&plan.about.name));
        let of = plans.iter().map(|plan| plan.measurements()).sum();
        let mut done = 0;
        let mut experiments = Vec::new();
        for plan in plans {
            if lab.is_interrupted() {
                break;
            }
            let title = plan.about.title.clone();
            progress(Progress { experiment: &title, done, of });
            experiments.push(runner::run(&lab, plan, &mut || {
                done += 1;
                progress(Progress { experiment: &title, done, of });
            }));
        }
        Results {
            machine: Machine::here(),
            quick: self.effort != Effort::Full,
            complete: !self.interrupted.load(Ordering::Relaxed),
            experiments,
            survival: None,
        }
    }
}
