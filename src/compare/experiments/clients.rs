//! Calls a second, and how long each takes, against the number of clients that come and stay.

use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Plan, Relative, axis, less, more};
use crate::compare::lab::Lab;
use crate::compare::load::{Together, Window, until_the_end};
use crate::compare::process::{Answer, Failure};
use crate::compare::server::{Contestant, ServerUnderTest};
use crate::compare::statistics::Latencies;
use crate::compare::{CannotRun, Experiment};
use crate::{Channel, ClientStub};

/// The share of a strategy's calls a second at which latencies are measured. A server that is
/// asked for all it can do has a queue, and its length is what one would measure.
const SHARE: f64 = 0.5;

pub(super) fn plan(lab: &Lab) -> Plan {
    Plan {
        about: Experiment {
            name: "clients".to_owned(),
            title: "How many calls a second, and how long does each take?".to_owned(),
            varied: "the strategy, and the number of clients".to_owned(),
            held: format!(
                "a small call; clients that connect, stay, and call one at a time. Calls a second: \
                 each client calls as fast as it is answered. Latencies: calls are due on a \
                 schedule, at {:.0} % of the calls a second just measured, and count from when \
                 they were due; one that had no reply when the measurement ended counts as if it \
                 had come then. A pool has {} members; {}",
                SHARE * 100.0,
                lab.pool(),
                lab.cores_held(),
            ),
            expectation: "Threads are faster than processes, and a pool is faster than what \
                          starts something for every client."
                .to_owned(),
            meaning: "Once it has begun, a thread and a process serve a connection with the same \
                      code, and the kernel switches between either. A client that finds no place \
                      in a pool is not served slowly but not at all, until somebody leaves."
                .to_owned(),
            axis: Some(axis("clients", "")),
            quantities: vec![
                more("calls", "calls/s"),
                less("p50", "µs"),
                less("p99", "µs"),
                less("p99.9", "µs"),
                more("clients answered", ""),
            ],
            series: Vec::new(),
        },
        points: lab
            .effort
            .of(&[1.0, 12.0][..], &[1.0, 16.0, 256.0], &[1.0, 4.0, 16.0, 64.0, 256.0])
            .to_vec(),
        rounds: lab.effort.of(1, 2, 3),
        at_once: false,
        relative: Some(Relative::To(Contestant::ThreadPool)),
        measure,
    }
}

fn measure(lab: &Lab, strategy: Contestant, clients: f64) -> Result<Vec<f64>, Failure> {
    let clients = clients as usize;
    lab.needs_descriptors(clients)?;
    let role = lab.server(strategy, clients);
    let served = role.serves(clients);
    let server = ServerUnderTest::start(lab, role)?;
    let load = |milliseconds, rate| {
        let load = Load { clients, served, milliseconds, rate };
        lab.load(&server, super::Load::Clients(load))?.found()
    };
    let mut found = load(lab.effort.of(50, 80, 500), None)?;
    let rate = found[0] * SHARE;
    let latencies = load(lab.effort.of(50, 150, 800), Some(rate))?;
    server.end()?;
    found.splice(1..1, latencies);
    Ok(found)
}

/// Clients that stay.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::compare) struct Load {
    clients: usize,
    served: usize,
    milliseconds: u64,
    /// Calls a second of all clients together; `None` is as fast as possible.
    rate: Option<f64>,
}

impl Load {
    pub(super) fn run(&self, channel: &Channel) -> Answer<Vec<f64>> {
        let time = Duration::from_millis(self.milliseconds);
        let together = Together { channel, clients: self.clients, served: self.served, time };
        match self.rate {
            None => {
                let clients = together.run(|_, stub, window| {
                    let calls =
                        until_the_end(window, || stub.call::<i64>("add", (10, 5)).map(drop))?;
                    Ok((calls, window.in_time))
                })?;
                let calls: u64 = clients.iter().map(|(calls, _)| *calls).sum();
                let answered = clients.iter().filter(|(_, in_time)| *in_time).count();
                Ok(vec![calls as f64 / time.as_secs_f64(), answered as f64])
            }
            Some(rate) => {
                // A server that did nothing in its time is asked for something all the same.
                let between = self.clients as f64 / rate.max(1.0);
                let schedule = Schedule { between, clients: self.clients };
                let of_clients = together
                    .run(move |number, stub, window| schedule.keep(number, stub, window))?;
                let mut all = Latencies::new().map_err(unknown)?;
                for latencies in of_clients {
                    all.add(&latencies.map_err(unknown)?);
                }
                Ok([50.0, 99.0, 99.9].map(|percent| all.percentile(percent)).to_vec())
            }
        }
    }
}

fn unknown(error: hdrhistogram::CreationError) -> CannotRun {
    CannotRun::new(error, "please report it")
}

/// When calls are due.
#[derive(Clone, Copy)]
struct Schedule {
    /// Seconds between two calls of one client.
    between: f64,
    clients: usize,
}

impl Schedule {
    /// One client's calls, and how long after it was due each was answered.
    fn keep(
        self,
        number: usize,
        stub: &ClientStub,
        window: Window,
    ) -> crate::Result<Result<Latencies, hdrhistogram::CreationError>> {
        let mut latencies = match Latencies::new() {
            Ok(latencies) => latencies,
            Err(error) => return Ok(Err(error)),
        };
        // The clients' first calls are spread over the time between two calls of one.
        let first = self.between * number as f64 / self.clients as f64;
        let due = |call: u32| {
            window.start + Duration::from_secs_f64(first + self.between * f64::from(call))
        };
        for due in (0..).map(due).take_while(|due| *due < window.end) {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            // Too late for an answer within the window: only the waiting counts.
            if Instant::now() < window.end {
                stub.call::<i64>("add", (10, 5))?;
            }
            latencies.note(due.elapsed());
        }
        // Whoever leaves early makes room in a pool.
        thread::sleep(window.end.saturating_duration_since(Instant::now()));
        Ok(Ok(latencies))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::{Procedures, Server};

    #[test]
    fn calls_that_were_due_while_one_was_slow_count_as_slow() {
        const SLOW: Duration = Duration::from_millis(300);
        let first = AtomicBool::new(true);
        let add = move |a: i64, b: i64| {
            if first.swap(false, Ordering::Relaxed) {
                thread::sleep(SLOW);
            }
            a + b
        };
        let server = Server::new(Procedures::new().on("add", add));
        let (channel, connection) = Channel::in_memory().unwrap();
        thread::spawn(move || server.serve(connection));
        let stub = ClientStub::new(&channel).unwrap();

        let start = Instant::now();
        let window = Window { start, end: start + Duration::from_millis(400), in_time: true };
        let schedule = Schedule { between: 0.01, clients: 1 };
        let latencies = schedule.keep(0, &stub, window).unwrap().unwrap();
        // 30 of 40 calls were due while the first was under way, the middle one for 100 ms.
        let median = latencies.percentile(50.0) / 1e3;
        assert!((50.0..350.0).contains(&median), "{median} ms");
    }

    #[test]
    fn a_server_that_did_nothing_is_asked_for_one_call_a_second() {
        let server = Server::new(crate::demo::procedures()).bind("127.0.0.1:0").unwrap();
        let (address, stop) = (server.local_addr(), server.stop_handle());
        let serving = thread::spawn(move || server.run(&crate::ThreadPerConnection::default()));
        let load = Load { clients: 2, served: 2, milliseconds: 20, rate: Some(0.0) };
        let found = load.run(&Channel::new(address)).unwrap();
        assert!(found.len() == 3 && found.iter().all(|it| (1.0..1e6).contains(it)), "{found:?}");
        stop.stop();
        serving.join().unwrap().unwrap();
    }

    #[test]
    fn calls_that_nobody_answered_count_until_the_end() {
        let (channel, _silent) = Channel::in_memory().unwrap();
        let stub = ClientStub::new(&channel).unwrap();
        let end = Instant::now();
        let start = end - Duration::from_millis(100);
        let window = Window { start, end, in_time: false };
        let latencies = Schedule { between: 0.01, clients: 1 }.keep(0, &stub, window);
        let latencies = latencies.unwrap().unwrap();
        let (first, last) = (latencies.percentile(100.0), latencies.percentile(0.0));
        assert!(first >= 100_000.0, "due at the start: {first} µs");
        assert!((10_000.0..first).contains(&last), "due 10 ms before the end: {last} µs");
    }
}
