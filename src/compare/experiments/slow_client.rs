//! Clients that send one byte a second, and who is held up by them.

use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Plan, axis, less};
use crate::compare::lab::Lab;
use crate::compare::process::{Answer, Failure};
use crate::compare::server::{Contestant, cannot};
use crate::compare::{Experiment, Spread};
use crate::{Channel, ClientStub, Connection, Result};

/// Members of a pool.
const POOL: usize = 4;
/// Clients that are not slow.
const FAST: u32 = 2;
/// How often each of them connects.
const EVERY: Duration = Duration::from_millis(25);
/// A call that takes longer was held up.
const HELD_UP: Duration = Duration::from_millis(100);
/// What a slow client sends: the greeting of the native wire, and the beginning of a call.
const BYTES: &[u8] = b"9ST\x01\0\0\x01\0C\0\0\0\x01\0\0\0\0";

pub(super) fn plan(lab: &Lab) -> Plan {
    Plan {
        about: Experiment {
            name: "slow-client".to_owned(),
            title: "Who waits for a slow client?".to_owned(),
            varied: "the strategy, and the number of slow clients".to_owned(),
            held: format!(
                "slow clients that send one byte a second for {:.1} s, unless the server cuts them \
                 off, which it does after 10 s without a whole message, and 2 s for them to take \
                 leave; {FAST} other clients that every {} ms are due to connect, call and close, \
                 and count from then; a pool has {POOL} members; all strategies at the same time, \
                 because it is waiting that is measured, and all on the same cores",
                time(lab) as f64 / 1e3,
                EVERY.as_millis(),
            ),
            expectation: "A client that does nothing costs nothing.".to_owned(),
            meaning:
                "A slow client holds up whoever shares its thread: everybody, if there is but \
                      one; nobody, if each has its own; and with a pool nobody until there are as \
                      many slow clients as members. What ends it is the server's limit on the \
                      time for a message, without which a handful of such clients stops a pool \
                      for good."
                    .to_owned(),
            axis: Some(axis("slow clients", "")),
            quantities: vec![
                less("longest wait", "ms"),
                less("median wait", "ms"),
                less("calls held up", "%"),
            ],
            series: Vec::new(),
        },
        points: vec![1.0, POOL as f64],
        rounds: lab.effort.of(1, 1, 2),
        at_once: true,
        relative: None,
        measure,
    }
}

/// Milliseconds for which the slow clients are there.
fn time(lab: &Lab) -> u64 {
    lab.effort.of(300, 1_500, 14_000)
}

fn measure(lab: &Lab, strategy: Contestant, slow: f64) -> std::result::Result<Vec<f64>, Failure> {
    let load = Load { slow: slow as usize, milliseconds: time(lab) };
    let mut server = lab.server(strategy, load.slow + FAST as usize);
    server.pool = POOL;
    lab.measure(server, super::Load::SlowClient(load))
}

/// Slow clients, and others.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::compare) struct Load {
    slow: usize,
    milliseconds: u64,
}

impl Load {
    pub(super) fn run(&self, channel: &Channel) -> Answer<Vec<f64>> {
        self.wait(channel).map_err(|error| cannot(&error))
    }

    fn wait(&self, channel: &Channel) -> Result<Vec<f64>> {
        let slow = (0..self.slow).map(|_| channel.connect()).collect::<Result<Vec<_>>>()?;
        let start = Instant::now();
        let end = start + Duration::from_millis(self.milliseconds);
        let waits: Result<Vec<Vec<f64>>> = thread::scope(|scope| {
            scope.spawn(move || send_slowly(slow, end));
            let fast =
                |number| scope.spawn(move || fast(channel, start + EVERY * number / FAST, end));
            let clients: Vec<_> = (0..FAST).map(fast).collect();
            let waits = clients.into_iter().map(|client| client.join());
            waits.map(|waits| waits.unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        let waits = waits?.concat();
        let held_up = waits.iter().filter(|wait| **wait > HELD_UP.as_secs_f64() * 1e3).count();
        let spread = Spread::of(&waits);
        let (longest, median) = spread.map_or((0.0, 0.0), |spread| (spread.most, spread.median));
        Ok(vec![longest, median, 100.0 * held_up as f64 / waits.len().max(1) as f64])
    }
}

/// Sends a byte a second on each of the connections, until the end.
fn send_slowly(connections: Vec<Connection>, end: Instant) {
    for byte in BYTES {
        for connection in &connections {
            // A server that has cut it off need not hear more.
            let _ = connection.send(&[*byte]);
        }
        let left = end.saturating_duration_since(Instant::now());
        thread::sleep(left.min(Duration::from_secs(1)));
    }
}

/// For each time that a client was due to call, the milliseconds until it had its reply.
fn fast(channel: &Channel, first: Instant, end: Instant) -> Result<Vec<f64>> {
    let due = (0..).map(|number| first + EVERY * number).take_while(|due| *due < end);
    let wait = |due: Instant| {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // Too late for an answer before the end: only the waiting counts.
        if Instant::now() < end {
            ClientStub::new(channel)?.call::<i64>("add", (10, 5))?;
        }
        Ok(due.elapsed().as_secs_f64() * 1e3)
    };
    due.map(wait).collect()
}
