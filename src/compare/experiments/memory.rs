//! What an idle connection costs in memory.

use std::thread;
use std::time::Duration;

use crossbeam_channel::Receiver;
use serde::{Deserialize, Serialize};

use super::{Plan, axis, less, more};
use crate::compare::Experiment;
use crate::compare::census::own_kib;
use crate::compare::lab::Lab;
use crate::compare::process::{Answer, Failure, say};
use crate::compare::server::{Contestant, ServerUnderTest, cannot};
use crate::{Channel, ClientStub, Result};

/// Connections that a strategy holds which has a process for each: more are not asked of a
/// reader's machine.
const MOST_PROCESSES: f64 = 200.0;

/// Longer than a reply takes to leave the server, and a connection to end in it.
const MOMENT: Duration = Duration::from_millis(100);

pub(super) fn plan(lab: &Lab) -> Plan {
    Plan {
        about: Experiment {
            name: "memory".to_owned(),
            title: "What does an idle connection cost in memory?".to_owned(),
            varied: format!(
                "the strategy, and the number of connections, of which a strategy with a process \
                 for each holds {MOST_PROCESSES} at most"
            ),
            held: format!(
                "clients that have made one small call and stay; memory is what the server and all \
                 its processes have of their own (PSS without files: a page that several share \
                 counts once, and the program, which all share, not at all), also what they have \
                 without any client; what the kernel keeps for a thread, a process or a socket is \
                 not seen; a connection that found no place in a pool of {} is not answered; in \
                 the end every client that was answered calls again",
                lab.pool()
            ),
            expectation: "A process takes as much memory as the program, thus megabytes for each \
                          connection."
                .to_owned(),
            meaning: "Processes of one program share what none of them has written to, so each \
                      costs only what it has of its own, which is still several times what a \
                      thread has. A pool's memory does not grow with its clients, because it does \
                      not serve more of them."
                .to_owned(),
            axis: Some(axis("connections", "")),
            quantities: vec![
                less("memory per answered connection", "KiB"),
                axis("memory in all", "MiB"),
                more("connections answered", ""),
            ],
            series: Vec::new(),
        },
        points: lab.effort.of(
            vec![10.0],
            vec![50.0, 200.0],
            vec![10.0, 50.0, 100.0, 200.0, 1_000.0],
        ),
        rounds: lab.effort.of(1, 1, 3),
        at_once: false,
        relative: None,
        measure,
    }
}

fn measure(lab: &Lab, strategy: Contestant, at: f64) -> std::result::Result<Vec<f64>, Failure> {
    if strategy.is_process_per_connection() && at > MOST_PROCESSES {
        return Ok(Vec::new());
    }
    let connections = at as usize;
    lab.needs_descriptors(connections)?;
    let role = lab.server(strategy, connections);
    let load = Load { connections, served: role.serves(connections) };
    let server = ServerUnderTest::start(lab, role)?;
    let mut clients = lab.load(&server, super::Load::Memory(load))?;
    let answered = clients.next()?[0];
    thread::sleep(MOMENT);
    let remedy = "this needs Linux, with /proc mounted and /proc/self/smaps_rollup in it";
    let memory = own_kib(server.id()).map_err(|error| Failure::new(error, remedy))?;
    clients.go_on();
    let answered_again = clients.found()?[0];
    server.end()?;
    Ok(vec![memory / answered, memory / 1024.0, answered_again])
}

/// Clients that connect, call, and stay.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::compare) struct Load {
    connections: usize,
    /// How many of them can be answered while all stay.
    served: usize,
}

impl Load {
    pub(super) fn run(&self, channel: &Channel, go_on: &Receiver<()>) -> Answer<Vec<f64>> {
        let call = |stub: &ClientStub| stub.call::<i64>("add", (10, 5)).map(drop);
        let connect = |number| {
            let stub = ClientStub::new(channel)?;
            // Nobody serves the others; they wait, connected, in the kernel.
            if number < self.served {
                call(&stub)?;
            }
            Ok(stub)
        };
        let stubs: Result<Vec<ClientStub>> = (0..self.connections).map(connect).collect();
        let stubs = stubs.map_err(|error| cannot(&error))?;
        say(&Ok(vec![self.served as f64]));
        let _ = go_on.recv();
        let again: Result<Vec<()>> = stubs[..self.served].iter().map(call).collect();
        again.map(|again| vec![again.len() as f64]).map_err(|error| cannot(&error))
    }
}
