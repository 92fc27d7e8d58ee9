//! The experiments, one in a file: what it asks, what its clients do, and what is measured.

mod clients;
mod compute;
mod connections;
mod large_messages;
mod memory;
mod shared_state;
mod slow_client;
mod wait;

use crossbeam_channel::Receiver;
use serde::{Deserialize, Serialize};

use crate::Channel;
use crate::compare::lab::Lab;
use crate::compare::process::{Answer, Failure};
use crate::compare::server::Contestant;
use crate::compare::{Axis, Better, Experiment};

/// The names of all experiments, in the order in which they are run.
pub const EXPERIMENTS: [&str; 8] = [
    "connections",
    "clients",
    "compute",
    "wait",
    "memory",
    "large-messages",
    "shared-state",
    "slow-client",
];

/// All experiments, in the order in which they are run.
pub(super) fn all(lab: &Lab) -> Vec<Plan> {
    vec![
        connections::plan(lab),
        clients::plan(lab),
        compute::plan(lab),
        wait::plan(lab),
        memory::plan(lab),
        large_messages::plan(lab),
        shared_state::plan(lab),
        slow_client::plan(lab),
    ]
}

/// What clients can be told to do, by the experiment that tells them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Load {
    Clients(clients::Load),
    Compute(compute::Load),
    Connections(connections::Load),
    LargeMessages(large_messages::Load),
    Memory(memory::Load),
    SharedState(shared_state::Load),
    SlowClient(slow_client::Load),
    Wait(wait::Load),
}

impl Load {
    /// Does it, and answers with the figures that the experiment expects. Who has to wait in
    /// between waits for the word to go on.
    pub(super) fn run(&self, channel: &Channel, go_on: &Receiver<()>) -> Answer<Vec<f64>> {
        match self {
            Load::Clients(load) => load.run(channel),
            Load::Compute(load) => load.run(channel),
            Load::Connections(load) => load.run(channel),
            Load::LargeMessages(load) => load.run(channel),
            Load::Memory(load) => load.run(channel, go_on),
            Load::SharedState(load) => load.run(channel),
            Load::SlowClient(load) => load.run(channel),
            Load::Wait(load) => load.run(channel),
        }
    }
}

/// An experiment, and how it is done.
pub(super) struct Plan {
    /// What the report says about it; its quantities are what `measure` measures.
    pub(super) about: Experiment,
    /// The places on its axis.
    pub(super) points: Vec<f64>,
    /// How often everything is measured.
    pub(super) rounds: usize,
    /// Whether all strategies are measured at the same time: for waits, which do not disturb each
    /// other.
    pub(super) at_once: bool,
    /// What its first quantity is a multiple of, within a round.
    pub(super) relative: Option<Relative>,
    pub(super) measure: Measure,
}

impl Plan {
    /// How many measurements it takes.
    pub(super) fn measurements(&self) -> usize {
        self.rounds * self.points.len() * Contestant::ALL.len()
    }
}

/// Measures a strategy at a place on the axis: a value for each quantity, or none at all where
/// the place is not for this strategy.
pub(super) type Measure = fn(&Lab, Contestant, f64) -> Result<Vec<f64>, Failure>;

/// What a figure is compared with.
#[derive(Clone, Copy)]
pub(super) enum Relative {
    /// The same strategy's figure at the first place on the axis.
    ToFirst,
    /// This strategy's figure at the same place.
    To(Contestant),
}

impl Relative {
    pub(super) fn axis(self) -> Axis {
        match self {
            Relative::ToFirst => axis("times the first", "×"),
            Relative::To(contestant) => axis(&format!("times {}", contestant.name()), "×"),
        }
    }
}

/// What is varied, or what does not say who is better.
fn axis(name: &str, unit: &str) -> Axis {
    Axis { name: name.to_owned(), unit: unit.to_owned(), better: Better::Neither }
}

/// What is to be high.
fn more(name: &str, unit: &str) -> Axis {
    Axis { better: Better::More, ..axis(name, unit) }
}

/// What is to be low.
fn less(name: &str, unit: &str) -> Axis {
    Axis { better: Better::Less, ..axis(name, unit) }
}
