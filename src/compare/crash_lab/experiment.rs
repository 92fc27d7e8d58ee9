//! One trouble under one strategy: a fresh server, eight neighbours, and one client that makes
//! trouble.

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::trouble::{Seen, Trouble};
use super::{CrashLab, FRESH, NEIGHBOURS, PATIENCE, limits};
use crate::channel::Channel;
use crate::client_stub::{ClientStub, PendingCall};
use crate::compare::census::{Census, Work, own_kib};
use crate::compare::process::{Failure, Process, Role};
use crate::compare::server::{Contestant, cannot};
use crate::compare::{Remnant, Survived};
use crate::error::{Error, Result};

/// How long a neighbour's call takes that is under way when trouble comes, in milliseconds.
const UNDER_WAY: u64 = 50;

/// How long what was held may take to be given back.
const GRACE: Duration = Duration::from_millis(500);

/// How long the lab waits between two looks at what no event tells of.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Makes trouble once, and reports.
pub(super) fn run(
    lab: &CrashLab,
    strategy: Contestant,
    trouble: Trouble,
) -> Result<Survived, Failure> {
    let mut server = Process::start(&lab.program, &lab.interrupted, &Role::Troubled(strategy))?;
    let address = server.answer(PATIENCE)?;
    let mut experiment = Experiment { server, address, strategy, trouble };
    experiment.run().map_err(|obstacle| match obstacle {
        Obstacle::Proc(error) => Failure::new(
            format!("what a server holds cannot be counted: {error}"),
            "run the lab on Linux, with /proc mounted",
        ),
        // A strategy that cannot run here has said why.
        Obstacle::Call(error) => {
            experiment.server.complaint().unwrap_or_else(|| cannot(&error)).into()
        }
    })
}

/// What can stand in the way before there is any trouble.
enum Obstacle {
    Proc(io::Error),
    Call(Error),
}

impl From<io::Error> for Obstacle {
    fn from(error: io::Error) -> Obstacle {
        Obstacle::Proc(error)
    }
}

impl From<Error> for Obstacle {
    fn from(error: Error) -> Obstacle {
        Obstacle::Call(error)
    }
}

struct Experiment<'a> {
    server: Process<'a>,
    address: SocketAddr,
    strategy: Contestant,
    trouble: Trouble,
}

/// What the server and its children hold.
struct Held {
    census: Census,
    memory_kib: f64,
}

impl Experiment<'_> {
    fn run(&mut self) -> Result<Survived, Obstacle> {
        // A single-threaded server serves whoever came first: here the client that makes trouble,
        // while the neighbours wait with their calls sent. Each then leaves to let the next in.
        let in_turns = self.strategy == Contestant::Single;
        let (settled, others) = if in_turns { (0, 1) } else { (NEIGHBOURS, FRESH) };
        let mut neighbours = self.answered_clients(settled)?;
        let mut others = self.answered_clients(others)?;
        // As many clients are connected now as will be in the end.
        let before = self.settled()?;
        let work = Work::of(self.server.id())?;
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

        let last_hope = limits::last_hope(self.strategy);
        let began = Instant::now();
        let trouble = troublemaker.send::<()>("trouble", (self.trouble, last_hope + 0.75))?;
        // Whatever comes of it, its client leaves.
        let _ = trouble.wait_timeout(self.trouble.patience());
        drop(troublemaker);

        // Who comes to a single thread now has all neighbours before it in the queue.
        let fresh = if in_turns { None } else { self.fresh_client(began) };
        let busy = self.trouble == Trouble::Spin && self.is_still_busy(&work, last_hope)?;
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
            remains.extend(what_was_seen(&seen, &home));
            remain(&mut remains, "busy core", f64::from(u8::from(busy)), "");
            remains.extend(self.what_is_held(&before)?);
        }
        Ok(Survived {
            trouble: self.trouble.to_string(),
            strategy: self.strategy.name().to_owned(),
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
    fn fresh_client(&mut self, began: Instant) -> Option<(ClientStub, f64)> {
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

    /// What the server and its children hold.
    fn held(&self) -> io::Result<Held> {
        let server = self.server.id();
        Ok(Held { census: Census::of(server)?, memory_kib: own_kib(server)? })
    }

    /// The same, as soon as two looks in a row find as much: a client can have its answer a moment
    /// before the server has put everything in its place.
    fn settled(&self) -> io::Result<Held> {
        let deadline = Instant::now() + GRACE;
        let mut held = self.held()?;
        loop {
            thread::sleep(LOOK_AGAIN);
            let before = std::mem::replace(&mut held, self.held()?);
            if before.census == held.census || Instant::now() > deadline {
                return Ok(held);
            }
        }
    }

    /// Whether a procedure still runs when a limit, if it has one, should have ended it.
    fn is_still_busy(&mut self, before: &Work, last_hope: f64) -> io::Result<bool> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let now = Work::of(self.server.id())?;
            if now.longest > last_hope {
                return Ok(true);
            }
            let has_begun = now.seconds > before.seconds + 0.1;
            if (has_begun && !now.running) || !self.server.is_alive() {
                return Ok(false);
            }
            thread::sleep(5 * LOOK_AGAIN);
        }
        Ok(true)
    }

    /// What the server and its children hold beyond what they held before. Processes end, and
    /// descriptors are closed, a moment after their client has left.
    fn what_is_held(&self, before: &Held) -> io::Result<Vec<Remnant>> {
        let began = Instant::now();
        loop {
            let now = self.held()?;
            let more = now.census.more_than(&before.census);
            let memory_mib = ((now.memory_kib - before.memory_kib) / 1024.0).round();
            let mut remains = Vec::new();
            remain(&mut remains, "memory", memory_mib, "MiB");
            remain(&mut remains, "descriptors", more.descriptors as f64, "");
            remain(&mut remains, "threads", more.threads as f64, "");
            remain(&mut remains, "processes", more.processes as f64, "");
            remain(&mut remains, "zombies", more.zombies as f64, "");
            let patience = if more.processes > 0 { PATIENCE } else { GRACE };
            if remains.is_empty() || began.elapsed() > patience {
                return Ok(remains);
            }
            thread::sleep(LOOK_AGAIN);
        }
    }
}

/// What the trouble has changed for those who are connected.
fn what_was_seen(seen: &[Seen], home: &str) -> Vec<Remnant> {
    let mut remains = Vec::new();
    let poisoned = seen.iter().filter(|seen| seen.poisoned).count();
    let moved = seen.iter().filter(|seen| seen.directory != home).count();
    let unit = format!("of {} connections", seen.len());
    remain(&mut remains, "poisoned lock", poisoned as f64, &unit);
    remain(&mut remains, "directory changed", moved as f64, &unit);
    remains
}

fn look(client: &ClientStub) -> Result<Seen> {
    client.call("look", (0,))
}

fn remain(remains: &mut Vec<Remnant>, what: &str, amount: f64, unit: &str) {
    if amount >= 1.0 {
        remains.push(Remnant { what: what.to_owned(), amount, unit: unit.to_owned() });
    }
}
