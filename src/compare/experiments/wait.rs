//! A procedure that waits, and what a pool does to the client that is one too many.

use std::panic::resume_unwind;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Plan, axis, less, more};
use crate::compare::Experiment;
use crate::compare::lab::Lab;
use crate::compare::process::{Answer, Failure};
use crate::compare::server::{Contestant, cannot};
use crate::{Channel, ClientStub, Result};

/// Members of a pool.
const POOL: usize = 4;
/// How long the procedure waits, in milliseconds.
const WAIT: u64 = 10;

pub(super) fn plan(lab: &Lab) -> Plan {
    Plan {
        about: Experiment {
            name: "wait".to_owned(),
            title: format!("What does a pool of {POOL} do to client number {}?", POOL + 1),
            varied: "the strategy, and the number of clients that come at once".to_owned(),
            held: format!(
                "a procedure that waits {WAIT} ms, as for a disk or another server; each client \
                 calls it {} times and leaves; a pool has {POOL} members; {}",
                calls(lab),
                lab.cores_held(),
            ),
            expectation: format!(
                "A pool of {POOL} does {POOL} calls at a time, so {} clients wait a little longer \
                 each.",
                POOL + 1
            ),
            meaning: "A member of a pool belongs to its client until that client leaves: the \
                      others are as fast as ever, and the one too many waits for all their calls, \
                      not for one. Where clients stay, a pool must be as large as their number, \
                      or the strategy must have no bound."
                .to_owned(),
            axis: Some(axis("clients", "")),
            quantities: vec![
                less("until the last client's first reply", "ms"),
                more("calls", "calls/s"),
            ],
            series: Vec::new(),
        },
        points: lab.effort.of(vec![5.0], vec![4.0, 5.0, 8.0], vec![1.0, 2.0, 4.0, 5.0, 8.0, 16.0]),
        rounds: lab.effort.of(1, 2, 3),
        at_once: false,
        relative: None,
        measure,
    }
}

/// How many calls a client makes.
fn calls(lab: &Lab) -> u32 {
    lab.effort.of(2, 3, 20)
}

fn measure(
    lab: &Lab,
    strategy: Contestant,
    clients: f64,
) -> std::result::Result<Vec<f64>, Failure> {
    let load = Load { clients: clients as usize, calls: calls(lab) };
    let mut server = lab.server(strategy, load.clients);
    server.pool = POOL;
    lab.measure(server, super::Load::Wait(load))
}

/// Clients that come at the same moment, make some calls, and leave.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::compare) struct Load {
    clients: usize,
    calls: u32,
}

impl Load {
    pub(super) fn run(&self, channel: &Channel) -> Answer<Vec<f64>> {
        self.wait(channel).map_err(|error| cannot(&error))
    }

    fn wait(&self, channel: &Channel) -> Result<Vec<f64>> {
        let stubs = (0..self.clients).map(|_| ClientStub::new(channel));
        let stubs = stubs.collect::<Result<Vec<_>>>()?;
        let begin = Barrier::new(self.clients + 1);
        thread::scope(|scope| {
            let client = |stub: ClientStub| {
                let begin = &begin;
                move || {
                    begin.wait();
                    let start = Instant::now();
                    let mut first = None;
                    for _ in 0..self.calls {
                        stub.call::<()>("sleep", (WAIT,))?;
                        first.get_or_insert_with(|| start.elapsed());
                    }
                    Ok(first.unwrap_or_default())
                }
            };
            let clients: Vec<_> = stubs.into_iter().map(|stub| scope.spawn(client(stub))).collect();
            begin.wait();
            let start = Instant::now();
            let firsts = clients.into_iter().map(|client| client.join());
            let firsts: Result<Vec<Duration>> =
                firsts.map(|first| first.unwrap_or_else(|panic| resume_unwind(panic))).collect();
            let last = firsts?.into_iter().max().unwrap_or_default();
            let calls = self.clients as f64 * f64::from(self.calls);
            Ok(vec![last.as_secs_f64() * 1e3, calls / start.elapsed().as_secs_f64()])
        })
    }
}
