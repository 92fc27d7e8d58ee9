//! Two kinds of client that take turns, and the ratio of their rates.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::Process;
use crate::table::{Row, Verdict};
use crate::{Result, machine};

/// Calls between two looks at the clock, for those that make one call at a time.
pub(crate) const LONE_CALLS: usize = 16;
/// How long one turn takes. Many short ones tell more than a few long ones: a machine has slower and
/// faster seconds, and neighbouring turns lie in the same.
pub(crate) const TURN: Duration = Duration::from_millis(60);
/// Turns of one server. Where its memory happens to lie makes a process faster or slower for all its
/// life.
pub(crate) const SOME_TURNS: usize = 10;
/// What a client does before it measures.
pub(crate) const WARM_UP: Duration = Duration::from_millis(30);
/// Client and server share a core.
pub(crate) const ONE_CORE: &str = "one core";
pub(crate) const A_CORE_EACH: &str = "a core each";

/// Something to compare.
pub(crate) struct Plan {
    pub(crate) work: &'static str,
    /// The role of the server, and the work of the client.
    pub(crate) ours: [&'static str; 3],
    pub(crate) other: [&'static str; 3],
    pub(crate) least: f64,
    /// Where the target is not meant for: names of [`Cores`].
    pub(crate) no_target: &'static [&'static str],
    /// What the figures are that a client measures. The first is compared.
    pub(crate) units: &'static [&'static str],
    /// After so many turns a new server takes the place of the old one.
    pub(crate) turns_of_a_server: usize,
}

/// Where the processes run.
#[derive(Clone, Copy)]
struct Cores {
    name: &'static str,
    client: usize,
    server: usize,
}

impl Cores {
    fn choices() -> Result<Vec<Cores>> {
        let cores = machine::cores()?;
        let first = *cores.first().ok_or("no core")?;
        let mut choices = vec![Cores { name: ONE_CORE, client: first, server: first }];
        if let Some(&second) = cores.get(1) {
            choices.push(Cores { name: A_CORE_EACH, client: first, server: second });
        }
        Ok(choices)
    }
}

/// Client and server on one core, and on one each.
pub(crate) fn rows(plan: &Plan, rounds: usize) -> Vec<Row> {
    match Cores::choices() {
        Ok(choices) => choices.into_iter().map(|cores| plan.row(cores, rounds)).collect(),
        Err(error) => vec![Row::failed(plan.work, error.to_string())],
    }
}

impl Plan {
    fn row(&self, cores: Cores, rounds: usize) -> Row {
        let work = format!("{}, {}", self.work, cores.name);
        match self.compare(cores, rounds) {
            Ok(Comparison { ratio, figures }) => {
                let Spread { median, between: [low, high] } = ratio;
                let measured = format!("{median:.3} ({low:.3}..{high:.3})");
                if self.no_target.contains(&cores.name) {
                    return Row::without_target(work, measured, figures);
                }
                let verdict = match self.least {
                    least if median >= least => Verdict::Ok,
                    least if high >= least => Verdict::Close,
                    _ => Verdict::Below,
                };
                Row::with_verdict(work, measured, self.least.to_string(), verdict, figures)
            }
            Err(error) => Row::failed(work, error.to_string()),
        }
    }

    fn compare(&self, cores: Cores, rounds: usize) -> Result<Comparison> {
        let mut ours = Contestant::new(self.ours, cores, self.turns_of_a_server);
        let mut other = Contestant::new(self.other, cores, self.turns_of_a_server);
        let (mut our_turns, mut other_turns) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            // Who begins changes, in case it matters.
            if round % 2 == 0 {
                our_turns.push(ours.turn()?);
                other_turns.push(other.turn()?);
            } else {
                other_turns.push(other.turn()?);
                our_turns.push(ours.turn()?);
            }
        }
        let [ours, other] = [&our_turns, &other_turns].map(|turns| column(turns, 0));
        let ratios = ours?.iter().zip(other?).map(|(ours, other)| ours / other).collect();
        let figures = self.units.iter().enumerate().map(|(at, unit)| {
            let ours = Spread::of(column(&our_turns, at)?)?.median;
            let other = Spread::of(column(&other_turns, at)?)?.median;
            Ok(format!("{ours:.0} against {other:.0} {unit}"))
        });
        let figures = figures.collect::<Result<Vec<_>>>()?.join(", ");
        Ok(Comparison { ratio: Spread::of(ratios)?, figures })
    }
}

struct Comparison {
    ratio: Spread,
    figures: String,
}

/// The same figure of all turns.
fn column(turns: &[Vec<f64>], at: usize) -> Result<Vec<f64>> {
    let figures = turns.iter().map(|turn| turn.get(at).copied());
    Ok(figures.collect::<Option<_>>().ok_or("a client left a figure out")?)
}

/// Figures of the same thing.
pub(crate) struct Spread {
    pub(crate) median: f64,
    /// Where the median of ever more figures would lie, in 19 of 20 cases: each figure is as likely
    /// above it as below, so how many are above is that of tossed coins.
    between: [f64; 2],
}

impl Spread {
    pub(crate) fn of(mut figures: Vec<f64>) -> Result<Spread> {
        figures.sort_by(f64::total_cmp);
        let last = figures.len().checked_sub(1).ok_or("nothing was measured")?;
        let middle = figures.len() / 2;
        let likely = (figures.len() as f64).sqrt().ceil() as usize;
        let [low, high] = [middle.saturating_sub(likely), last.min(middle + likely)];
        Ok(Spread { median: figures[middle], between: [figures[low], figures[high]] })
    }
}

/// A server and its clients.
struct Contestant {
    role: [&'static str; 3],
    cores: Cores,
    turns_of_a_server: usize,
    turns: usize,
    server: Option<(Process, String)>,
}

impl Contestant {
    fn new(role: [&'static str; 3], cores: Cores, turns_of_a_server: usize) -> Contestant {
        Contestant { role, cores, turns_of_a_server, turns: 0, server: None }
    }

    /// What the client measures.
    fn turn(&mut self) -> Result<Vec<f64>> {
        let [serve, what, work] = self.role;
        if self.turns.is_multiple_of(self.turns_of_a_server) {
            self.server = None;
        }
        self.turns += 1;
        let address = match &self.server {
            Some((_, address)) => address,
            None => {
                let mut server = Process::start(&[serve, what, &self.cores.server.to_string()])?;
                let address = server.address()?;
                &self.server.insert((server, address)).1
            }
        };
        client_figures(work, self.cores.client, address)
    }
}

/// What a client process measures: one figure, most often.
pub(crate) fn client_figures(work: &str, core: usize, address: &str) -> Result<Vec<f64>> {
    let mut client = Process::start(&["client", work, &core.to_string(), address])?;
    let figures = client.answer()?.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    client.line()?;
    client.ended()?;
    Ok(figures)
}

/// How often per second `once` does `calls` calls, counted by the call.
pub(crate) fn rate(calls: usize, mut once: impl FnMut() -> Result<()>) -> Result<f64> {
    repeat(WARM_UP, &mut once)?;
    let (times, time) = repeat(TURN, &mut once)?;
    Ok((times * calls) as f64 / time.as_secs_f64())
}

fn repeat(time: Duration, once: &mut impl FnMut() -> Result<()>) -> Result<(usize, Duration)> {
    let start = Instant::now();
    let mut times = 0;
    loop {
        once()?;
        times += 1;
        let passed = start.elapsed();
        if passed >= time {
            return Ok((times, passed));
        }
    }
}

/// How many calls per second threads make together, each with a call of its own from `prepare`.
///
/// All are counted in the same time, which begins when each has made a call: a thread that is
/// counted while the others have not begun, or have ended, has the core for itself.
pub(crate) fn rate_of_threads<F: FnMut() -> Result<()>>(
    threads: usize,
    prepare: impl Fn() -> Result<F> + Sync,
) -> Result<f64> {
    let begun = Barrier::new(threads + 1);
    let (calls, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let one = || -> Result<()> {
        let first = prepare().and_then(|mut once| once().map(|()| once));
        // A thread that cannot begin must not leave the others waiting for it.
        begun.wait();
        let mut once = first?;
        while !is_over.load(Ordering::Relaxed) {
            once()?;
            calls.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        begun.wait();
        thread::sleep(WARM_UP);
        let (start, before) = (Instant::now(), calls.load(Ordering::Relaxed));
        thread::sleep(TURN);
        let (time, after) = (start.elapsed(), calls.load(Ordering::Relaxed));
        is_over.store(true, Ordering::Relaxed);
        for thread in started {
            thread.join().unwrap_or_else(|_| Err("a client thread panicked".into()))?;
        }
        Ok((after - before) as f64 / time.as_secs_f64())
    })
}
