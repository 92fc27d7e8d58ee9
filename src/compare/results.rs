//! What a comparison found: exactly what `results.json` holds.

use serde::{Deserialize, Serialize};

/// Everything that one run found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Where it was measured.
    pub machine: Machine,
    /// Whether it was the short run, whose figures are rougher.
    pub quick: bool,
    /// Whether every experiment was run; an interrupted run keeps what it has.
    pub complete: bool,
    /// The experiments, in the order in which they were run.
    pub experiments: Vec<Experiment>,
    /// What the crash lab found, if it was run.
    pub survival: Option<Survival>,
}

/// Where a comparison was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// The operating system's name and version.
    pub kernel: String,
    /// The version of this crate.
    pub ninestep: String,
    /// The compiler, where it is known.
    pub rust: Option<String>,
}

/// One question, and what every strategy answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// A short name for files and anchors, such as `connections`.
    pub name: String,
    /// The question.
    pub title: String,
    /// What is varied.
    pub varied: String,
    /// What is held.
    pub held: String,
    /// What one would expect.
    pub expectation: String,
    /// What it means, in two sentences.
    pub meaning: String,
    /// What is varied besides the strategy, if anything.
    pub axis: Option<Axis>,
    /// What is measured at each point; the first is what is charted first.
    pub quantities: Vec<Axis>,
    /// A series for each strategy.
    pub series: Vec<Series>,
}

/// What a number stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// Such as `clients`.
    pub name: String,
    /// Such as `calls/s`; empty for a bare count.
    pub unit: String,
    /// Which values are the good ones.
    #[serde(default)]
    pub better: Better,
}

/// Which values of a quantity are the good ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    /// The high ones.
    More,
    /// The low ones.
    Less,
    /// It does not say who is better.
    #[default]
    Neither,
}

/// What one strategy answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The strategy's name, as `--strategy` has it; `process-fork` and `process-spawn` are two.
    pub strategy: String,
    /// The points, or why there are none.
    pub measured: Measured,
}

/// The points of a series, or why there are none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measured {
    /// One point for each value of the axis.
    Points(Vec<Point>),
    /// It cannot be run on this machine.
    CannotRun(CannotRun),
}

/// Why something was not measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CannotRun {
    /// What stood in the way.
    pub reason: String,
    /// What the reader can do about it.
    pub remedy: String,
}

/// What was measured at one place on the axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The place; 0 if the experiment has no axis.
    pub at: f64,
    /// One value for each of the experiment's quantities.
    pub values: Vec<Spread>,
}

/// A quantity, measured several times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
    /// How often it was measured.
    pub runs: usize,
}

/// What the crash lab found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Survival {
    /// A row for each trouble under each strategy.
    pub rows: Vec<Survived>,
}

/// What one kind of trouble did under one strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Survived {
    /// Such as `abort`.
    pub trouble: String,
    /// The strategy's name, as [`Series::strategy`] has it.
    pub strategy: String,
    /// Whether the server itself still accepts connections.
    pub server_alive: bool,
    /// Clients that were connected beside the one that made trouble.
    pub neighbours: usize,
    /// Those whose connection outlived it.
    pub neighbours_alive: usize,
    /// The neighbours' calls that got no reply.
    pub calls_lost: usize,
    /// Until a fresh connection was answered, in milliseconds; `None` if none was.
    pub fresh_connection_ms: Option<f64>,
    /// What is left behind.
    pub remains: Vec<Remnant>,
    /// Why it was not tried, if it was not; then the other figures are zero.
    pub cannot_run: Option<CannotRun>,
}

/// Something that trouble left behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remnant {
    /// Such as `memory`, `descriptors`, `poisoned lock`, `directory changed`.
    pub what: String,
    /// How much of it.
    pub amount: f64,
    /// Such as `MiB`; empty for a bare count.
    pub unit: String,
}
