//! One trouble under one strategy: a fresh server, eight neighbours, and one client that makes
//! trouble.

use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::process::{Held, ServerProcess, Work};
use super::trouble::{Seen, Trouble};
use super::{FRESH, NEIGHBOURS, PATIENCE, limits};
use crate::channel::Channel;
use crate::client_stub::{ClientStub, PendingCall};
use crate::compare::{CannotRun, Remnant, Survived};
use crate::error::Result;

/// How long a neighbour's call takes that is under way when trouble comes, in milliseconds.
const UNDER_WAY: u64 = 50;

/// How long what was used may take to be given back.
const GRACE: Duration = Duration::from_millis(500);

/// How long the lab waits between two looks at what no event tells of.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Makes trouble once, and reports.
pub(super) fn run(program: &Path, strategy: &str, trouble: Trouble) -> Survived {
    let started = ServerProcess::start(program, strategy);
    let survived = started.and_then(|(server, address)| {
        let experiment = Experiment { server: &server, address, strategy, trouble };
        match experiment.run() {
            Ok(survived) => Ok(survived),
            Err(Obstacle::Proc(error)) => Err(CannotRun {
                reason: format!("what a server uses cannot be read in /proc: {error}"),
                remedy: "run the lab on Linux, where /proc is mounted".to_owned(),
            }),
            Err(Obstacle::Call) => Err(server.why()),
        }
    });
    survived.unwrap_or_else(|cannot_run| Survived {
        trouble: trouble.to_string(),
        strategy: strategy.to_owned(),
        server_alive: false,
        neighbours: 0,
        neighbours_alive: 0,
        calls_lost: 0,
        fresh_connection_ms: None,
        remains: Vec::new(),
        cannot_run: Some(cannot_run),
    })
}

/// What can stand in the way before there is any trouble.
enum Obstacle {
    Proc(std::io::Error),
    /// A call failed; the server knows why.
    Call,
}

struct Experiment<'a> {
    server: &'a ServerProcess,
    address: SocketAddr,
    strategy: &'a str,
    trouble: Trouble,
}

impl Experiment<'_> {
    fn run(&self) -> Result<Survived, Obstacle> {
        let failed = |_| Obstacle::Call;
        // A single-threaded server serves whoever came first, here the client that makes trouble,
        // while the neighbours wait with their calls sent. Each then leaves to let the next in.
        let in_turns = self.strategy == "single";
        let mut neighbours = Vec::new();
        if !in_turns {
            neighbours = self.neighbours().map_err(failed)?;
            for neighbour in &neighbours {
                look(neighbour, 0).map_err(failed)?;
            }
        }
        let before = self.server.held().map_err(Obstacle::Proc)?;
        let work = self.server.work().map_err(Obstacle::Proc)?;
        let troublemaker = self.connect().map_err(failed)?;
        let home = look(&troublemaker, 0).map_err(failed)?.directory;
        if in_turns {
            neighbours = self.neighbours().map_err(failed)?;
        }
        let under_way = |neighbour: &ClientStub| neighbour.send("look", (UNDER_WAY,));
        let calls: Vec<PendingCall<Seen>> =
            neighbours.iter().map(under_way).collect::<Result<_>>().map_err(failed)?;

        let began = Instant::now();
        let trouble = troublemaker.send::<()>("trouble", (self.trouble,)).map_err(failed)?;
        // Whatever came of it, its client leaves.
        let _ = trouble.wait_timeout(self.trouble.patience());
        drop(troublemaker);

        let mut seen = Vec::new();
        let mut busy = false;
        let fresh = thread::scope(|scope| {
            let fresh = thread::Builder::new().spawn_scoped(scope, || self.fresh_connection(began));
            busy = self.trouble == Trouble::Spin && self.is_still_busy(&work);
            for (neighbour, call) in std::mem::take(&mut neighbours).into_iter().zip(calls) {
                if let Ok(now) = call.wait().and_then(|_| look(&neighbour, 0)) {
                    seen.push(now);
                    if !in_turns {
                        neighbours.push(neighbour);
                    }
                }
            }
            fresh.ok().and_then(|fresh| fresh.join().ok().flatten())
        });
        let alive = seen.len();
        let mut fresh_connection_ms = None;
        if let Some((milliseconds, first, stub)) = fresh {
            fresh_connection_ms = Some(milliseconds);
            seen.push(first);
            let mut connected = vec![stub];
            for _ in 1..FRESH {
                if in_turns {
                    connected.clear();
                }
                if let Ok(stub) = self.connect()
                    && let Ok(now) = look(&stub, 0)
                {
                    seen.push(now);
                    connected.push(stub);
                }
            }
        }

        let mut remains = Vec::new();
        if self.server.is_alive() {
            let asked = seen.len();
            let mut saw = |what: &str, count: usize| {
                remain(&mut remains, what, count as f64, &format!("of {asked} connections"));
            };
            saw("poisoned lock", seen.iter().filter(|seen| seen.poisoned).count());
            saw("directory changed", seen.iter().filter(|seen| seen.directory != home).count());
            remain(&mut remains, "busy core", f64::from(u8::from(busy)), "");
            remains.extend(self.what_remains(&before));
        }
        Ok(Survived {
            trouble: self.trouble.to_string(),
            strategy: self.strategy.to_owned(),
            server_alive: fresh_connection_ms.is_some(),
            neighbours: NEIGHBOURS,
            neighbours_alive: alive,
            // A neighbour whose call is lost has lost its connection, and makes no more.
            calls_lost: NEIGHBOURS - alive,
            fresh_connection_ms,
            remains,
            cannot_run: None,
        })
    }

    fn connect(&self) -> Result<ClientStub> {
        let channel = Channel::new(self.address);
        ClientStub::new(&channel.connect_timeout(PATIENCE).call_timeout(PATIENCE))
    }

    fn neighbours(&self) -> Result<Vec<ClientStub>> {
        (0..NEIGHBOURS).map(|_| self.connect()).collect()
    }

    /// The first connection that is answered after the trouble: after how many milliseconds, and
    /// what it sees.
    fn fresh_connection(&self, began: Instant) -> Option<(f64, Seen, ClientStub)> {
        while began.elapsed() < PATIENCE {
            let answer = self.connect().and_then(|stub| Ok((look(&stub, 0)?, stub)));
            if let Ok((seen, stub)) = answer {
                return Some((began.elapsed().as_secs_f64() * 1000.0, seen, stub));
            }
            if !self.server.is_alive() {
                return None;
            }
            thread::sleep(Duration::from_millis(1));
        }
        None
    }

    /// Whether a procedure still runs when a process of its own would have met its limit.
    fn is_still_busy(&self, before: &Work) -> bool {
        let deadline = Instant::now() + PATIENCE;
        let longest = limits::WORKER_SECONDS as f64 + 0.2;
        while Instant::now() < deadline {
            let Ok(now) = self.server.work() else { return false };
            if now.longest > longest {
                return true;
            }
            let has_begun = now.seconds > before.seconds + 0.1;
            if has_begun && !now.running {
                return false;
            }
            thread::sleep(LOOK_AGAIN);
        }
        true
    }

    /// What the server and its children hold beyond what they held before. Processes end, and
    /// descriptors are closed, a moment after their client has left.
    fn what_remains(&self, before: &Held) -> Vec<Remnant> {
        let began = Instant::now();
        loop {
            let Ok(now) = self.server.held() else { return Vec::new() };
            let mut remains = Vec::new();
            let more = |now: usize, before: usize| now.saturating_sub(before) as f64;
            let processes = more(now.processes, before.processes);
            remain(&mut remains, "memory", (now.memory_mib - before.memory_mib).round(), "MiB");
            remain(&mut remains, "descriptors", more(now.descriptors, before.descriptors), "");
            remain(&mut remains, "processes", processes, "");
            let patience = if processes > 0.0 { PATIENCE } else { GRACE };
            if remains.is_empty() || began.elapsed() > patience {
                return remains;
            }
            thread::sleep(LOOK_AGAIN);
        }
    }
}

fn look(stub: &ClientStub, milliseconds: u64) -> Result<Seen> {
    stub.call("look", (milliseconds,))
}

fn remain(remains: &mut Vec<Remnant>, what: &str, amount: f64, unit: &str) {
    if amount >= 1.0 {
        remains.push(Remnant { what: what.to_owned(), amount, unit: unit.to_owned() });
    }
}
