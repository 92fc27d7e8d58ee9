//! How many connections a second, if each lives for one call.

use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Plan, Relative, more};
use crate::compare::Experiment;
use crate::compare::lab::Lab;
use crate::compare::process::{Answer, Failure};
use crate::compare::server::{Contestant, cannot};
use crate::{Channel, ClientStub, Result};

const CLIENTS: usize = 4;

/// Connections that one client makes. Past some 12,000 to one port in a row the kernel's search
/// for free ports is what gets measured; every turn has a new server, and so a new port.
const MOST: u32 = 2_000;

pub(super) fn plan(lab: &Lab) -> Plan {
    Plan {
        about: Experiment {
            name: "connections".to_owned(),
            title: "How many connections a second?".to_owned(),
            varied: "the strategy".to_owned(),
            held: format!(
                "{CLIENTS} clients, each of which connects, makes one small call and closes, again \
                 and again; a new server, and so a new port, every time; {}",
                lab.cores_held(),
            ),
            expectation: "A process costs far more to start than a thread, so processes are \
                          slower, and pools, which start nothing, are the fastest."
                .to_owned(),
            meaning: "The difference to a pool is what starting a thread or a process costs. It \
                      matters to clients that come for one call, and to no others."
                .to_owned(),
            axis: None,
            quantities: vec![more("connections", "connections/s")],
            series: Vec::new(),
        },
        points: vec![0.0],
        rounds: lab.effort.of(1, 3, 7),
        at_once: false,
        relative: Some(Relative::To(Contestant::Thread)),
        measure,
    }
}

fn measure(lab: &Lab, strategy: Contestant, _: f64) -> std::result::Result<Vec<f64>, Failure> {
    let load = Load { milliseconds: lab.effort.of(50, 200, 1_000) };
    lab.measure(lab.server(strategy, CLIENTS), super::Load::Connections(load))
}

/// Clients that connect, call and close.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::compare) struct Load {
    milliseconds: u64,
}

impl Load {
    pub(super) fn run(&self, channel: &Channel) -> Answer<Vec<f64>> {
        self.connect(channel).map(|rate| vec![rate]).map_err(|error| cannot(&error))
    }

    fn connect(&self, channel: &Channel) -> Result<f64> {
        let start = Instant::now();
        let end = start + Duration::from_millis(self.milliseconds);
        let client = || -> Result<u32> {
            let mut count = 0;
            while count < MOST && Instant::now() < end {
                ClientStub::new(channel)?.call::<i64>("add", (10, 5))?;
                count += 1;
            }
            Ok(count)
        };
        let counts: Result<Vec<u32>> = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            let counts = clients.into_iter().map(|client| client.join());
            counts.map(|count| count.unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        let count: u32 = counts?.iter().sum();
        Ok(f64::from(count) / start.elapsed().as_secs_f64())
    }
}
