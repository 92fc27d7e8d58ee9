//! A procedure that computes, against the number of cores.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Plan, Relative, axis, more};
use crate::Channel;
use crate::compare::Experiment;
use crate::compare::lab::Lab;
use crate::compare::load::{Together, until_the_end};
use crate::compare::machine::spread_out;
use crate::compare::process::{Answer, Failure};
use crate::compare::server::Contestant;

pub(super) fn plan(lab: &Lab) -> Plan {
    let all = lab.cores.len();
    let mut cores: Vec<usize> = (0..).map(|power| 1 << power).take_while(|n| *n < all).collect();
    cores.push(all);
    if lab.effort.of(true, true, false) {
        cores = vec![1, all];
        cores.dedup();
    }
    Plan {
        about: Experiment {
            name: "compute".to_owned(),
            title: "Do threads use all cores?".to_owned(),
            varied: "the strategy, and the number of cores that the server may use".to_owned(),
            held: format!(
                "a procedure that takes a core about 100 µs; {} clients that connect, stay, and \
                 call as fast as they are answered, and have the cores that the server does not \
                 have, or share all with it if it has all; a pool has {} members",
                lab.pool(),
                lab.pool(),
            ),
            expectation: "Threads take turns, so to use several cores one needs processes: that \
                          is the lesson in Python, whose interpreter has one lock for all threads."
                .to_owned(),
            meaning: "There is no such lock in Rust: threads use as many cores as processes do. \
                      Who wants all cores need not choose processes for it."
                .to_owned(),
            axis: Some(axis("cores", "")),
            quantities: vec![more("calls", "calls/s")],
            series: Vec::new(),
        },
        points: cores.into_iter().map(|cores| cores as f64).collect(),
        rounds: lab.effort.of(1, 2, 5),
        at_once: false,
        relative: Some(Relative::ToFirst),
        measure,
    }
}

fn measure(lab: &Lab, strategy: Contestant, cores: f64) -> Result<Vec<f64>, Failure> {
    let clients = lab.pool();
    let mut server = lab.server(strategy, clients);
    server.cores = spread_out(lab.cores.clone());
    server.cores.truncate(cores as usize);
    let load = Load {
        clients,
        served: server.serves(clients),
        milliseconds: lab.effort.of(50, 150, 500),
        rounds: lab.hundred_micros,
    };
    lab.measure(server, super::Load::Compute(load))
}

/// Clients that let the server compute.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::compare) struct Load {
    clients: usize,
    served: usize,
    milliseconds: u64,
    rounds: u64,
}

impl Load {
    pub(super) fn run(&self, channel: &Channel) -> Answer<Vec<f64>> {
        let (clients, served) = (self.clients, self.served);
        let time = Duration::from_millis(self.milliseconds);
        let rounds = self.rounds;
        let counts = Together { channel, clients, served, time }.run(move |_, stub, window| {
            until_the_end(window, || stub.call::<u64>("compute", (rounds,)).map(drop))
        })?;
        Ok(vec![counts.iter().sum::<u64>() as f64 / time.as_secs_f64()])
    }
}
