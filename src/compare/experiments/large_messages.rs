//! Messages of 1 MiB.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Plan, Relative, axis, more};
use crate::compare::Experiment;
use crate::compare::lab::Lab;
use crate::compare::load::{Together, until_the_end};
use crate::compare::process::{Answer, Failure};
use crate::compare::server::Contestant;
use crate::{Channel, Value};

pub(super) fn plan(lab: &Lab) -> Plan {
    Plan {
        about: Experiment {
            name: "large-messages".to_owned(),
            title: "How many MiB a second?".to_owned(),
            varied: "the strategy, and the number of clients".to_owned(),
            held: format!(
                "a call with 1 MiB of bytes that come back; each MiB counts once in each \
                 direction; clients that connect, stay, and call as fast as they are answered; a \
                 pool has {} members; {}",
                lab.pool(),
                lab.cores_held(),
            ),
            expectation: "Processes are slower, because data must be copied from one to the other."
                .to_owned(),
            meaning: "The process that serves a connection reads and writes its socket itself, so \
                      nothing is copied between processes. What limits large messages is the memory \
                      of the machine and the kernel, which are the same for all strategies."
                .to_owned(),
            axis: Some(axis("clients", "")),
            quantities: vec![more("throughput", "MiB/s")],
            series: Vec::new(),
        },
        points: lab.effort.of(vec![1.0], vec![1.0, 4.0], vec![1.0, 4.0, 16.0]),
        rounds: lab.effort.of(1, 2, 5),
        at_once: false,
        relative: Some(Relative::To(Contestant::Thread)),
        measure,
    }
}

fn measure(lab: &Lab, strategy: Contestant, clients: f64) -> Result<Vec<f64>, Failure> {
    let clients = clients as usize;
    let server = lab.server(strategy, clients);
    let served = server.serves(clients);
    let load = Load { clients, served, milliseconds: lab.effort.of(50, 100, 500) };
    lab.measure(server, super::Load::LargeMessages(load))
}

/// Clients that have a MiB echoed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::compare) struct Load {
    clients: usize,
    served: usize,
    milliseconds: u64,
}

impl Load {
    pub(super) fn run(&self, channel: &Channel) -> Answer<Vec<f64>> {
        let (clients, served) = (self.clients, self.served);
        let time = Duration::from_millis(self.milliseconds);
        let mib = Arc::new(Value::Bytes(vec![b'9'; 1 << 20]));
        let counts = Together { channel, clients, served, time }.run(move |_, stub, window| {
            until_the_end(window, || stub.call::<Value>("echo", (&*mib,)).map(drop))
        })?;
        Ok(vec![2.0 * counts.iter().sum::<u64>() as f64 / time.as_secs_f64()])
    }
}
