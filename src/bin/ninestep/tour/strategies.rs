//! The second part of the tour: the strategies side by side.

use std::collections::HashSet;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anstyle::Style;
use comfy_table::{CellAlignment, Table, presets};
use ninestep::{Channel, ClientStub, Error, Step};

use super::process::{PATIENCE, ServerProcess};
use super::{Failure, TITLE, go_on};
use crate::json_lines;

/// Each strategy and the options of `ninestep serve` that choose it.
const STRATEGIES: [(&str, &[&str]); 6] = [
    ("single-threaded", &["--strategy", "single"]),
    ("thread per connection", &["--strategy", "thread"]),
    ("thread pool", &["--strategy", "thread-pool"]),
    ("process per connection, by fork", &["--strategy", "process", "--start", "fork"]),
    ("process per connection, by spawn", &["--strategy", "process", "--start", "spawn"]),
    ("process pool", &["--strategy", "process-pool"]),
];

/// Each figure is measured this often, in turns, and the median counts: what else the machine does
/// changes from one moment to the next.
const TURNS: u32 = 5;

/// How long a turn takes for one strategy, where a machine is not so slow that it takes longer.
const TURN: Duration = Duration::from_millis(100);

/// When no further turn begins.
const LAST_TURN: Duration = Duration::from_secs(4);

/// Connections in a turn. Past some 12,000 to one port in a row the kernel's search for free ports
/// is what gets measured.
const MOST_CONNECTIONS: u32 = 1_500;

/// Connections that are made, one after another, to see who serves them.
const VISITS: usize = 12;

/// Measures each strategy, and prints the table.
pub(super) fn show(out: &mut impl Write) -> Result<(), Failure> {
    let progress = Progress::show("  counting processes and threads …");
    let served_by = STRATEGIES.iter().map(|(_, options)| served_by(options));
    let served_by: Vec<String> = served_by.collect::<Result<_, _>>()?;
    // The servers below inherit this. Whether client and server share a core makes a difference of
    // a factor of three, so it must not be chance.
    let pinned = use_one_core();
    drop(progress);
    let progress = Progress::show("  measuring calls and connections …");
    let (calls, connections) = rates()?;
    drop(progress);

    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    let visits = format!("{VISITS} connections served by");
    table.set_header(["strategy", "calls/s", "connections/s", &visits]);
    for (number, (name, _)) in STRATEGIES.into_iter().enumerate() {
        let (calls, connections) = (rounded(calls[number]), rounded(connections[number]));
        table.add_row([name, &calls, &connections, &served_by[number]]);
    }
    for column in table.column_iter_mut().skip(1).take(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for (number, line) in table.lines().enumerate() {
        // The header is the line after the upper border.
        let style = if number == 1 { TITLE } else { Style::new() };
        writeln!(out, "  {style}{line}{style:#}")?;
    }
    let mut notes = vec![
        "A strategy decides who serves a connection: what a connection costs, and what a crash ends.",
        "calls/s: one after another on one connection, with nobody told of the steps",
        "connections/s: connect, one call, close, one after another",
    ];
    if pinned {
        notes.push("Client and server share one core; each figure is the median of several turns.");
    }
    super::quietly(out, &notes)
}

/// For each strategy, calls per second on one connection, and connections per second.
fn rates() -> Result<(Vec<f64>, Vec<f64>), Failure> {
    let servers = STRATEGIES.iter().map(|(_, options)| ServerProcess::start(options));
    let servers: Vec<ServerProcess> = servers.collect::<Result<_, _>>()?;
    let connect = |number: usize| ClientStub::new(&channel(&servers[number]));
    let stubs: Vec<_> = (0..servers.len()).map(connect).collect();
    let calls =
        medians(&servers, u32::MAX, |number| add(stubs[number].as_ref().map_err(Error::clone)?))?;
    // The single-threaded server serves nobody else while its connection is open.
    drop(stubs);
    let connections = medians(&servers, MOST_CONNECTIONS, |number| add(&connect(number)?))?;
    servers.into_iter().try_for_each(|server| server.stop().map(drop))?;
    Ok((calls, connections))
}

/// How often a second something can be done with each server, which it is given the number of.
fn medians(
    servers: &[ServerProcess],
    at_most: u32,
    once: impl Fn(usize) -> ninestep::Result<()>,
) -> Result<Vec<f64>, Failure> {
    let mut rates = vec![Vec::new(); servers.len()];
    let start = Instant::now();
    for _ in (0..TURNS).take_while(|turn| *turn == 0 || start.elapsed() < LAST_TURN) {
        for (number, server) in servers.iter().enumerate() {
            let rate = rate(at_most, || once(number));
            let failed = |error: Error| server.failure("measuring calls", error.with_causes());
            rates[number].push(rate.map_err(failed)?);
            go_on()?;
        }
    }
    let median = |mut rates: Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    Ok(rates.into_iter().map(median).collect())
}

/// How often a second something can be done.
fn rate(at_most: u32, once: impl Fn() -> ninestep::Result<()>) -> ninestep::Result<f64> {
    let start = Instant::now();
    let mut count = 0;
    while count < at_most && start.elapsed() < TURN {
        once()?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

/// Which processes and threads serve some connections.
fn served_by(options: &[&str]) -> Result<String, Failure> {
    let server = ServerProcess::start(&[options, &["--trace"]].concat())?;
    let channel = channel(&server);
    for _ in 0..VISITS {
        let called = ClientStub::new(&channel).and_then(|stub| add(&stub));
        called.map_err(|error| server.failure("calling", error.with_causes()))?;
    }
    go_on()?;
    let steps = server.stop()?;
    let steps = steps.iter().filter_map(|line| json_lines::read(line));
    let unpacked = steps.filter(|step| step.step == Step::Unpack);
    let threads: HashSet<(u32, u64)> = unpacked.map(|step| (step.process, step.thread)).collect();
    let processes: HashSet<u32> = threads.iter().map(|(process, _)| *process).collect();
    Ok(match (processes.len(), threads.len()) {
        (1, 1) => "1 process, 1 thread".to_owned(),
        (1, threads) => format!("1 process, {threads} threads"),
        (processes, threads) => format!("{processes} processes, {threads} threads"),
    })
}

/// Keeps this thread, and the processes that it starts from now on, on the core that it runs on.
#[cfg(target_os = "linux")]
fn use_one_core() -> bool {
    use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
    let mut core = CpuSet::new();
    core.set(sched_getcpu());
    sched_setaffinity(None, &core).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn use_one_core() -> bool {
    false
}

fn channel(server: &ServerProcess) -> Channel {
    Channel::new(&server.address).connect_timeout(PATIENCE).call_timeout(PATIENCE)
}

fn add(stub: &ClientStub) -> ninestep::Result<()> {
    stub.call::<i64>("add", (10, 5)).map(drop)
}

/// A rate with the two digits that another run would show as well, and commas.
fn rounded(rate: f64) -> String {
    let unit = 10_f64.powf(rate.max(10.0).log10().floor() - 1.0);
    let mut digits = format!("{:.0}", (rate / unit).round() * unit);
    let mut comma = digits.len();
    while comma > 3 {
        comma -= 3;
        digits.insert(comma, ',');
    }
    digits
}

/// A line on a terminal that is gone when it is dropped.
struct Progress {
    width: usize,
}

impl Progress {
    fn show(text: &str) -> Progress {
        let progress = Progress { width: text.chars().count() };
        progress.print(text);
        progress
    }

    fn print(&self, text: &str) {
        if io::stderr().is_terminal() {
            let _ = write!(io::stderr(), "\r{text}\r");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.print(&" ".repeat(self.width));
    }
}

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn rates_have_two_digits_and_commas() {
        for (rate, text) in [
            (0.0, "0"),
            (7.4, "7"),
            (98.6, "99"),
            (647.3, "650"),
            (996.0, "1,000"),
            (4_949.0, "4,900"),
            (138_400.0, "140,000"),
            (1_234_567.0, "1,200,000"),
        ] {
            assert_eq!(rounded(rate), text);
        }
    }
}
