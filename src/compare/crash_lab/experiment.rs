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

/// How long what was held may take to be given back.
const GRACE: Duration = Duration::from_millis(500);

/// How long the lab waits between two looks at what no event tells of.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Makes trouble once, and reports.
pub(super) fn run(program: &Path, strategy: &str, trouble: Trouble) -> Survived {
    let started = ServerProcess::start(program, strategy);
    let survived = started.and_then(|(server, address)| {
        let experiment = Experiment { server: &server, address, strategy, trouble };
        match experiment.run() {
            Ok(survived) => Ok(survived),
            Err(Obstacle::Proc(error)) => Err(CannotRun {
                reason: format!("what a server holds cannot be read in /proc: {error}"),
                remedy: "run the lab on Linux, with /proc mounted".to_owned(),
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

impl From<crate::Error> for Obstacle {
    fn from(_: crate::Error) -> Obstacle {
        Obstacle::Call
    }
}

struct Experiment<'a> {
    server: &'a ServerProcess,
    address: SocketAddr,
    strategy: &'a str,
    trouble: Trouble,
}

impl Experiment<'_> {
    fn run(&self) -> Result<Survived, Obstacle> {
        // A single-threaded server serves whoever came first: here the client that makes trouble,
        // while the neighbours wait with their calls sent. Each then leaves to let the next in.
        let in_turns = self.strategy == "single";
        let (settled, others) = if in_turns { (0, 1) } else { (NEIGHBOURS, FRESH) };
        let mut neighbours = self.answered_clients(settled)?;
        let mut others = self.answered_clients(others)?;
        // As many clients are connected now as will be in the end.
        let before = self.settled().map_err(Obstacle::Proc)?;
        let work = self.server.work().map_err(Obstacle::Proc)?;
        let troublemaker = others.swap_remove(0);
        let home = look(&troublemaker)?.directory;
        let fresh_ones = 1 + others.len();
        drop(others);
        while neighbours.len() < NEIGHBOURS {
            neighbours.push(self.connect()?);
        }
        let under_way = |neighbour: &ClientStub| neighbour.send("look", (UNDER_WAY,));
        let calls = neighbours.iter().map(under_way);
        let calls: Vec<PendingCall<Seen>> = calls.collect::<Result<_>>()?;

        let began = Instant::now();
        let trouble = troublemaker.send::<()>("trouble", (self.trouble,))?;
        // Whatever comes of it, its client leaves.
        let _ = trouble.wait_timeout(self.trouble.patience());
        drop(troublemaker);

        // Who comes to a single thread now has all neighbours before it in the queue.
        let fresh = if in_turns { None } else { self.fresh_client(began) };
        let busy = self.trouble == Trouble::Spin && self.is_still_busy(&work);
        let mut seen = Vec::new();
        for (neighbour, call) in std::mem::take(&mut neighbours).into_iter().zip(calls) {
            let Ok(now) = call.wait().and_then(|_| look(&neighbour)) else { continue };
            seen.push(now);
            if !in_turns {
                neighbours.push(neighbour);
            }
        }
        let fresh = fresh.or_else(|| self.fresh_client(began));
        let neighbours_alive = seen.len();
        let fresh_connection_ms = fresh.as_ref().map(|(_, milliseconds)| *milliseconds);
        let mut connected = Vec::from_iter(fresh.map(|(client, _)| client));
        if fresh_connection_ms.is_some() {
            let more = (1..fresh_ones).filter_map(|_| self.answered_client().ok());
            connected.extend(more);
        }
        seen.extend(connected.iter().filter_map(|client| look(client).ok()));

        let mut remains = Vec::new();
        if self.server.is_alive() {
            let poisoned = seen.iter().filter(|seen| seen.poisoned).count();
            let moved = seen.iter().filter(|seen| seen.directory != home).count();
            let unit = format!("of {} connections", seen.len());
            remain(&mut remains, "poisoned lock", poisoned as f64, &unit);
            remain(&mut remains, "directory changed", moved as f64, &unit);
            remain(&mut remains, "busy core", f64::from(u8::from(busy)), "");
            remains.extend(self.what_is_held(&before));
        }
        Ok(Survived {
            trouble: self.trouble.to_string(),
            strategy: self.strategy.to_owned(),
            server_alive: fresh_connection_ms.is_some(),
            neighbours: NEIGHBOURS,
            neighbours_alive,
            // Whose call is lost has lost the connection with it, and makes no more calls.
            calls_lost: NEIGHBOURS - neighbours_alive,
            fresh_connection_ms,
            remains,
            cannot_run: None,
        })
    }

    fn connect(&self) -> Result<ClientStub> {
        let channel = Channel::new(self.address);
        ClientStub::new(&channel.connect_timeout(PATIENCE).call_timeout(PATIENCE))
    }

    /// A client that has had an answer, so it is known to be served.
    fn answered_client(&self) -> Result<ClientStub> {
        let client = self.connect()?;
        look(&client)?;
        Ok(client)
    }

    fn answered_clients(&self, count: usize) -> Result<Vec<ClientStub>> {
        (0..count).map(|_| self.answered_client()).collect()
    }

    /// The first client that is answered after the trouble began, and how many milliseconds later.
    fn fresh_client(&self, began: Instant) -> Option<(ClientStub, f64)> {
        while began.elapsed() < PATIENCE {
            if let Ok(client) = self.answered_client() {
                return Some((client, began.elapsed().as_secs_f64() * 1000.0));
            }
            if !self.server.is_alive() {
                return None;
            }
            thread::sleep(Duration::from_millis(1));
        }
        None
    }

    /// What the server and its children hold, as soon as two looks in a row see the same: a client
    /// can have its answer a moment before the server has put everything in its place.
    fn settled(&self) -> std::io::Result<Held> {
        let deadline = Instant::now() + GRACE;
        let mut held = self.server.held()?;
        loop {
            thread::sleep(LOOK_AGAIN);
            let before = std::mem::replace(&mut held, self.server.held()?);
            let counts = |held: &Held| (held.processes, held.descriptors);
            if counts(&before) == counts(&held) || Instant::now() > deadline {
                return Ok(held);
            }
        }
    }

    /// Whether a procedure still runs when a process of its own would have met its limit.
    fn is_still_busy(&self, before: &Work) -> bool {
        let deadline = Instant::now() + PATIENCE;
        // The kernel looks at the limit now and then, and later on a machine that is busy.
        let longest = limits::WORKER_SECONDS as f64 + 0.75;
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
    fn what_is_held(&self, before: &Held) -> Vec<Remnant> {
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

fn look(client: &ClientStub) -> Result<Seen> {
    client.call("look", (0,))
}

fn remain(remains: &mut Vec<Remnant>, what: &str, amount: f64, unit: &str) {
    if amount >= 1.0 {
        remains.push(Remnant { what: what.to_owned(), amount, unit: unit.to_owned() });
    }
}
