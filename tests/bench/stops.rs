//! Servers that are stopped under load, and what becomes of the calls.
//!
//! A call may have its reply; or the server said that it did not execute it; or it was never sent,
//! because the client knew by then. Everything else is a lost reply. As a cross-check every
//! executed call leaves a byte in a file: there must be as many as replies.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::iter::Sum;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use ninestep::{
    Channel, ClientStub, Error, Fault, ForkPerConnection, PendingCall, Procedures, ProcessPool,
    Server, SingleThreaded, SpawnPerConnection, Strategy, ThreadPerConnection, ThreadPool,
};
use rustix::process::{Pid, Signal, kill_process};

use crate::process::Process;
use crate::table::Row;
use crate::{Result, Size};

const STRATEGIES: [&str; 6] = ["single", "thread", "thread-pool", "spawn", "fork", "process-pool"];
/// Calls that each client keeps under way.
const WINDOW: usize = 64;

pub(crate) fn rows(size: Size) -> Vec<Row> {
    STRATEGIES.iter().map(|strategy| row(strategy, size)).collect()
}

fn row(strategy: &str, size: Size) -> Row {
    let work = format!("{} stops under load: {strategy}", size.stops);
    match (0..size.stops).map(|round| stop(strategy, round)).sum::<Result<Tally>>() {
        Ok(tally) => Row::new(
            work,
            format!("{} lost", tally.lost.max(tally.executed.abs_diff(tally.replied))),
            "0 lost",
            tally.lost == 0 && tally.executed == tally.replied,
            format!(
                "{} executed, {} replies, {} not executed and told so, {} not sent, {} lost; \
                 the longest stop took {:.0} ms{}",
                tally.executed,
                tally.replied,
                tally.refused,
                tally.unsent,
                tally.lost,
                tally.longest.as_secs_f64() * 1e3,
                tally.loss.map(|loss| format!("; for instance: {loss}")).unwrap_or_default(),
            ),
        ),
        Err(error) => Row::failed(work, error.to_string()),
    }
}

/// What became of the calls of some stops.
#[derive(Default)]
struct Tally {
    executed: u64,
    replied: u64,
    /// The server said that it did not execute them.
    refused: u64,
    /// The connection was closed by then.
    unsent: u64,
    lost: u64,
    /// Why the first lost one was lost.
    loss: Option<String>,
    longest: Duration,
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Tally>>(tallies: I) -> Tally {
        tallies.fold(Tally::default(), |sum, tally| Tally {
            executed: sum.executed + tally.executed,
            replied: sum.replied + tally.replied,
            refused: sum.refused + tally.refused,
            unsent: sum.unsent + tally.unsent,
            lost: sum.lost + tally.lost,
            loss: sum.loss.or(tally.loss),
            longest: sum.longest.max(tally.longest),
        })
    }
}

impl Tally {
    /// Notes the outcome of a call; whether the next one may go on.
    fn note(&mut self, outcome: ninestep::Result<i64>) -> bool {
        match outcome {
            Ok(_) => self.replied += 1,
            Err(Error::Fault(fault)) if fault.code == Fault::STOPPING => self.refused += 1,
            Err(Error::Closed { sent: false }) => self.unsent += 1,
            Err(other) => {
                self.lost += 1;
                self.loss.get_or_insert_with(|| other.with_causes());
            }
        }
        self.refused + self.unsent + self.lost == 0
    }
}

/// The server: it counts executed calls in a file, and a signal stops it.
pub(crate) fn serve(strategy: &str, file: &str) -> Result<()> {
    let executed = OpenOptions::new().append(true).open(file)?;
    let procedures = Procedures::new().on("add", move |a: i64, b: i64| {
        let noted = (&executed).write_all(b"+");
        noted.map(|()| a + b).map_err(|error| Fault::new(1, error.to_string()))
    });
    let server = Server::new(procedures);
    server.serve_if_child()?;
    let server = server.bind("127.0.0.1:0")?;
    let stop = server.stop_handle();
    ctrlc::set_handler(move || stop.stop())?;
    println!("{}", server.local_addr());
    let strategy: &dyn Strategy = match strategy {
        "single" => &SingleThreaded,
        "thread" => &ThreadPerConnection::default(),
        "thread-pool" => &ThreadPool::default(),
        "spawn" => &SpawnPerConnection::new(),
        "fork" => &ForkPerConnection::default(),
        "process-pool" => &ProcessPool::new(),
        _ => return Err("no such strategy".into()),
    };
    Ok(server.run(strategy)?)
}

fn terminate(server: &Process) -> Result<()> {
    let id = Pid::from_raw(i32::try_from(server.id())?).ok_or("a process without an id")?;
    Ok(kill_process(id, Signal::TERM)?)
}

/// Starts a server, loads it, stops it.
fn stop(strategy: &str, round: usize) -> Result<Tally> {
    let executed = Executed::new()?;
    let mut server = Process::start(&["stoppable", strategy, executed.path()?])?;
    let address = server.answer()?;
    // A connection that was never accepted is refused when the server goes, so there are no more
    // clients than the strategy serves at once, and each has had a reply before the stop.
    let clients = if strategy == "single" { 1 } else { 4 };
    // The stop comes at another point of the load each time.
    let replies_before = 1 + (round as u64 * 197) % 1_500;
    let (ready, readies) = channel();
    let tally = thread::scope(|scope| -> Result<Tally> {
        let load = |number: usize, ready: Sender<()>| {
            let batched = number % 2 == 1;
            let address = &address;
            scope.spawn(move || load(address, batched, replies_before, ready))
        };
        let loads: Vec<_> = (0..clients).map(|number| load(number, ready.clone())).collect();
        drop(ready);
        let under_load = readies.iter().take(clients).count() == clients;
        let start = Instant::now();
        terminate(&server)?;
        let ended = server.line();
        let longest = start.elapsed();
        let tallies = loads
            .into_iter()
            .map(|load| load.join().unwrap_or_else(|_| Err("a client panicked".into())));
        let tally = tallies.sum::<Result<Tally>>()?;
        ended.map_err(|error| format!("the server did not stop: {error}"))?;
        if !under_load {
            return Err(tally.loss.unwrap_or_else(|| "a client gave up".to_owned()).into());
        }
        Ok(Tally { longest, ..tally })
    })?;
    let status = server.ended()?;
    if !status.success() {
        return Err(format!("the server ended with {status}").into());
    }
    Ok(Tally { executed: executed.count()?, ..tally })
}

/// Keeps calls under way until the server is stopped.
fn load(address: &str, batched: bool, replies_before: u64, ready: Sender<()>) -> Result<Tally> {
    // Far longer than any call takes; a call that is never answered is lost.
    const PATIENCE: Duration = Duration::from_secs(20);
    let stub = ClientStub::new(&Channel::new(address))?;
    let mut tally = Tally::default();
    let mut window: VecDeque<PendingCall<i64>> = VecDeque::new();
    let (mut going, mut ready) = (true, Some(ready));
    while going {
        let mut batch = stub.batch();
        while going && window.len() < WINDOW {
            let sent = match batched {
                true => batch.send("add", (10_i64, 5_i64)),
                false => stub.send("add", (10_i64, 5_i64)),
            };
            match sent {
                Ok(call) => window.push_back(call),
                Err(error) => going = tally.note(Err(error)),
            }
        }
        // What a failed batch means for its calls is said by each of them.
        let _ = batch.flush();
        let next = if batched { WINDOW / 2 } else { 1 };
        for call in window.drain(..next.min(window.len())) {
            going &= tally.note(call.wait_timeout(PATIENCE));
            if tally.replied >= replies_before
                && let Some(ready) = ready.take()
            {
                // Nobody listens any more if another client failed.
                let _ = ready.send(());
            }
        }
    }
    for call in window {
        tally.note(call.wait_timeout(PATIENCE));
    }
    Ok(tally)
}

/// The file in which every executed call leaves a byte.
struct Executed(PathBuf);

impl Executed {
    fn new() -> Result<Executed> {
        let name = format!("executed-{}", process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        File::create(&path)?;
        Ok(Executed(path))
    }

    fn path(&self) -> Result<&str> {
        Ok(self.0.to_str().ok_or("a path that is not UTF-8")?)
    }

    fn count(&self) -> Result<u64> {
        Ok(fs::metadata(&self.0)?.len())
    }
}

impl Drop for Executed {
    fn drop(&mut self) {
        // It is overwritten the next time if it cannot be removed.
        let _ = fs::remove_file(&self.0);
    }
}
