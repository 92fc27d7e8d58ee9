//! A counter that every connection increments: what is shared, and what is not.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{Plan, axis, more};
use crate::compare::Experiment;
use crate::compare::lab::Lab;
use crate::compare::process::{Answer, Failure};
use crate::compare::server::{Contestant, cannot};
use crate::{Channel, ClientStub, Result};

pub(super) fn plan(lab: &Lab) -> Plan {
    Plan {
        about: Experiment {
            name: "shared-state".to_owned(),
            title: "Whose counter is it?".to_owned(),
            varied: "the strategy".to_owned(),
            held: format!(
                "{} connections, one after another, each of which increments a global variable of \
                 the server once; a pool has {} members",
                connections(lab),
                lab.pool(),
            ),
            expectation: "The counter ends at the number of connections.".to_owned(),
            meaning:
                "Threads share the memory of their process, and each process has a counter of \
                      its own, which dies with it. What connections share under processes must be \
                      kept elsewhere: in a file, in shared memory, or in another server."
                    .to_owned(),
            axis: None,
            quantities: vec![more("highest count", ""), axis("processes that counted", "")],
            series: Vec::new(),
        },
        points: vec![0.0],
        rounds: lab.effort.of(1, 1, 3),
        at_once: false,
        relative: None,
        measure,
    }
}

fn connections(lab: &Lab) -> u32 {
    lab.effort.of(20, 50, 200)
}

fn measure(lab: &Lab, strategy: Contestant, _: f64) -> std::result::Result<Vec<f64>, Failure> {
    let load = Load { connections: connections(lab) };
    lab.measure(lab.server(strategy, 1), super::Load::SharedState(load))
}

/// Clients that count.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::compare) struct Load {
    connections: u32,
}

impl Load {
    pub(super) fn run(&self, channel: &Channel) -> Answer<Vec<f64>> {
        let count = |_| ClientStub::new(channel)?.call::<(u32, u32)>("count", ());
        let counts: Result<Vec<(u32, u32)>> = (0..self.connections).map(count).collect();
        let counts = counts.map_err(|error| cannot(&error))?;
        let highest = counts.iter().map(|(count, _)| *count).max().unwrap_or_default();
        let processes: HashSet<u32> = counts.iter().map(|(_, process)| *process).collect();
        Ok(vec![f64::from(highest), processes.len() as f64])
    }
}
