//! What to choose: rules that turn results into advice, so that it says what this machine measured.

use std::fmt;

use super::matrix::{places, spread, unique};
use super::number::{remnant, rounded};
use crate::compare::{Axis, Better, Experiment, Measured, Results, Series, Spread, Survived};

/// The strategy that the others are measured against.
const REFERENCE: &str = "thread";

/// From this ratio to the best on, a strategy is the wrong choice.
const FAR: f64 = 2.0;

/// What the results say about one strategy.
pub(super) struct Advice<'a> {
    pub(super) strategy: &'a str,
    /// What it was best for.
    pub(super) choose: Vec<Reason>,
    /// When it is the wrong choice.
    pub(super) wrong: Vec<Reason>,
}

/// A situation, and what was measured in it.
pub(super) struct Reason {
    pub(super) when: String,
    pub(super) because: String,
    /// The section of the report that shows it.
    pub(super) section: String,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.when, self.because)
    }
}

/// Advice on every strategy that was measured or tried.
pub(super) fn advice(results: &Results) -> Vec<Advice<'_>> {
    strategies(results)
        .into_iter()
        .map(|strategy| {
            let (mut choose, mut wrong) = (Vec::new(), Vec::new());
            for experiment in &results.experiments {
                measured(experiment, strategy, &mut choose, &mut wrong);
            }
            let rows = results.survival.iter().flat_map(|survival| &survival.rows);
            let rows = rows.filter(|row| row.strategy == strategy && row.cannot_run.is_none());
            survived(&rows.collect::<Vec<_>>(), &mut choose, &mut wrong);
            Advice { strategy, choose, wrong }
        })
        .collect()
}

/// Every strategy's name, in the order in which they first come.
pub(super) fn strategies(results: &Results) -> Vec<&str> {
    let series = results.experiments.iter().flat_map(|experiment| &experiment.series);
    let rows = results.survival.iter().flat_map(|survival| &survival.rows);
    let rows = rows.map(|row| &*row.strategy);
    unique(series.map(|series| &*series.strategy).chain(rows))
}

/// How the strategies stand in one quantity, at the place that most of them reached.
pub(super) struct Standing<'a> {
    quantity: &'a Axis,
    /// The place, in words; empty if the experiment has no axis.
    place: String,
    /// From the best to the worst.
    ranked: Vec<(&'a str, &'a Spread)>,
    /// How many of them are the best, because their spreads meet.
    best: usize,
}

impl<'a> Standing<'a> {
    /// `None` if fewer than two strategies can be compared.
    pub(super) fn of(experiment: &'a Experiment, quantity: usize) -> Option<Standing<'a>> {
        let at = |series: &'a Series, at| Some((&*series.strategy, spread(series, quantity, at)?));
        let there = |place| -> Vec<_> {
            let series = experiment.series.iter();
            series.filter_map(|series| at(series, place)).collect()
        };
        let place = places(experiment).into_iter().max_by_key(|place| there(*place).len())?;
        let mut ranked = there(place);
        let quantity = experiment.quantities.get(quantity)?;
        if quantity.better == Better::Neither {
            return None;
        }
        ranked.sort_by(|(_, a), (_, b)| a.median.total_cmp(&b.median));
        if quantity.better == Better::More {
            ranked.reverse();
        }
        if ranked.len() < 2 {
            return None;
        }
        let first = ranked[0].1;
        let meets = |spread: &Spread| spread.least <= first.most && first.least <= spread.most;
        let best = ranked.iter().take_while(|(_, spread)| meets(spread)).count();
        let place = match &experiment.axis {
            Some(axis) => format!(" at {place} {}", axis.name),
            None => String::new(),
        };
        Some(Standing { quantity, place, ranked, best })
    }

    /// Who is best, and everybody's ratio to thread per connection.
    pub(super) fn summary(&self) -> String {
        let best: Vec<&str> = self.ranked[..self.best].iter().map(|(name, _)| *name).collect();
        let best = match best.len() == self.ranked.len() {
            true => "no difference beyond the spread".to_owned(),
            false => format!("best within the spread: {}", list(&best)),
        };
        let ratios: Vec<String> = self
            .ranked
            .iter()
            .filter_map(|(name, _)| Some(format!("{name} {}", self.against(name)?)))
            .collect();
        format!("{}{}: {best}. {}.", self.quantity.name, self.place, capital(&list(&ratios)))
    }

    fn of_strategy(&self, strategy: &str) -> Option<(usize, &'a Spread)> {
        let rank = self.ranked.iter().position(|(name, _)| *name == strategy)?;
        Some((rank, self.ranked[rank].1))
    }

    /// A strategy's ratio to thread per connection, or to the best other one.
    fn against(&self, strategy: &str) -> Option<String> {
        let reference = self.ranked.iter().find(|(name, _)| *name == REFERENCE);
        let reference = reference.filter(|_| strategy != REFERENCE);
        let other = || self.ranked.iter().find(|(name, _)| *name != strategy);
        let (name, reference) = reference.or_else(other)?;
        let (_, own) = self.of_strategy(strategy)?;
        Some(match reference.median == 0.0 {
            true => format!("{} where {name} has 0", rounded(own.median)),
            false => format!("{} × {name}", ratio(own.median / reference.median)),
        })
    }

    /// How many times worse than the best.
    fn distance(&self, spread: &Spread) -> f64 {
        let (own, best) = (spread.median, self.ranked[0].1.median);
        if own == best { 1.0 } else { (own / best).max(best / own) }
    }
}

/// What an experiment says for and against a strategy.
fn measured(
    experiment: &Experiment,
    strategy: &str,
    choose: &mut Vec<Reason>,
    wrong: &mut Vec<Reason>,
) {
    let reason = |because: String| Reason {
        when: situation(experiment),
        because,
        section: experiment.name.clone(),
    };
    let (mut gains, mut losses) = (Vec::new(), Vec::new());
    for number in 0..experiment.quantities.len() {
        let Some(standing) = Standing::of(experiment, number) else { continue };
        let Some((rank, spread)) = standing.of_strategy(strategy) else { continue };
        let ratio = standing.against(strategy).unwrap_or_default();
        let text = format!("{}{} {ratio}", standing.quantity.name, standing.place);
        if rank < standing.best && standing.best < standing.ranked.len() {
            gains.push(text);
        } else if rank >= standing.best && standing.distance(spread) >= FAR {
            losses.push(text);
        }
    }
    if let Some(Measured::CannotRun(why)) = experiment
        .series
        .iter()
        .find(|series| series.strategy == strategy)
        .map(|series| &series.measured)
    {
        losses.push(format!("it cannot run here, {}", why.reason));
    }
    choose.extend((!gains.is_empty()).then(|| reason(gains.join("; "))));
    wrong.extend((!losses.is_empty()).then(|| reason(losses.join("; "))));
}

/// What the crash lab says for and against the strategy that these rows are of.
fn survived(rows: &[&Survived], choose: &mut Vec<Reason>, wrong: &mut Vec<Reason>) {
    let reason = |when: &str, because: String| Reason {
        when: when.to_owned(),
        because,
        section: "crash-lab".to_owned(),
    };
    let those = |wanted: &dyn Fn(&Survived) -> bool| -> Vec<&Survived> {
        rows.iter().copied().filter(|row| wanted(row)).collect()
    };
    let crash = "procedures that may crash";
    let dead = those(&|row| !row.server_alive);
    let harmed = those(&|row| row.server_alive && row.neighbours_alive < row.neighbours);
    let unanswered = those(&|row| {
        row.server_alive && row.neighbours_alive == row.neighbours && row.calls_lost > 0
    });
    for (rows, what) in [(&dead, "ended the server and"), (&harmed, "took")] {
        let taken = |row: &&Survived| row.neighbours - row.neighbours_alive;
        let all: usize = rows.iter().map(|row| row.neighbours).sum();
        let taken: usize = rows.iter().map(taken).sum();
        let because =
            || format!("{} {what} {taken} of {all} neighbours' connections", troubles(rows));
        wrong.extend((!rows.is_empty()).then(|| reason(crash, because())));
    }
    if !unanswered.is_empty() {
        let lost: usize = unanswered.iter().map(|row| row.calls_lost).sum();
        let because = format!("{} cost the neighbours {lost} calls", troubles(&unanswered));
        wrong.push(reason("procedures that never return", because));
    }
    let remains: Vec<String> = rows
        .iter()
        .filter(|row| !row.remains.is_empty())
        .map(|row| {
            let left: Vec<String> = row.remains.iter().map(remnant).collect();
            format!("{} left {}", row.trouble, list(&left))
        })
        .collect();
    if !remains.is_empty() {
        wrong.push(reason("procedures that leak", remains.join("; ")));
    }
    if rows.is_empty() || !dead.is_empty() || !harmed.is_empty() {
        return;
    }
    if unanswered.is_empty() {
        let because = format!("none of {} troubles cost a neighbour anything", rows.len());
        choose.push(reason(crash, because));
    }
    if remains.is_empty() {
        choose.push(reason("procedures that leak", "no trouble left anything behind".to_owned()));
    }
}

fn troubles(rows: &[&Survived]) -> String {
    list(&rows.iter().map(|row| &*row.trouble).collect::<Vec<_>>())
}

/// When an experiment matters.
fn situation(experiment: &Experiment) -> String {
    let situation = match &*experiment.name {
        "connections" => "many short connections",
        "clients" => "many clients at once",
        "compute" => "procedures that compute",
        "wait" => "procedures that wait",
        "memory" => "many idle connections",
        "large-messages" => "large messages",
        "shared-state" => "state that all connections share",
        "slow-client" => "clients that may be slow",
        _ => &experiment.title,
    };
    situation.to_owned()
}

/// Two digits are what another run would show as well.
fn ratio(ratio: f64) -> String {
    if !ratio.is_finite() || ratio <= 0.0 {
        return rounded(ratio);
    }
    let unit = 10_f64.powi(ratio.log10().floor() as i32 - 1);
    rounded((ratio / unit).round() * unit)
}

/// `a, b and c`.
fn list(items: &[impl AsRef<str>]) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    match items.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => items.concat(),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
