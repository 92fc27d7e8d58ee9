//! Who is better, and by how much.

use super::matrix::{places, spread};
use super::number::{list, rounded, two_digits};
use crate::compare::{Better, Experiment, Spread};

/// The strategy that the others are measured against.
const REFERENCE: &str = "thread";

/// From this ratio to the best on, a strategy is the wrong choice. A smaller one between single runs,
/// which show no spread, says nothing.
const FAR: f64 = 2.0;

/// Up to this ratio two figures are equal, as two or three runs do not show all of the spread.
const NEAR: f64 = 1.1;

/// How the strategies stand in one quantity, at the place that most of them reached.
pub(super) struct Standing<'a> {
    experiment: &'a Experiment,
    quantity: usize,
    at: f64,
    /// From the best to the worst.
    ranked: Vec<(&'a str, &'a Spread)>,
    /// How many of them are the best, because they do not differ measurably.
    best: usize,
}

impl<'a> Standing<'a> {
    /// `None` if fewer than two strategies can be compared, or if neither more nor less is better.
    pub(super) fn of(experiment: &'a Experiment, quantity: usize) -> Option<Standing<'a>> {
        let there = |at: f64| -> Vec<(&str, &Spread)> {
            let series = experiment.series.iter();
            let series =
                series.map(|series| Some((&*series.strategy, spread(series, quantity, at)?)));
            series.flatten().collect()
        };
        let at = places(experiment).into_iter().max_by_key(|at| there(*at).len())?;
        let mut ranked = there(at);
        ranked.sort_by(|(_, a), (_, b)| a.median.total_cmp(&b.median));
        match experiment.quantities.get(quantity)?.better {
            Better::More => ranked.reverse(),
            Better::Less => {}
            Better::Neither => return None,
        }
        let (_, first) = ranked.first().filter(|_| ranked.len() > 1)?;
        let best = ranked.iter().take_while(|(_, spread)| !differ(spread, first)).count();
        Some(Standing { experiment, quantity, at, ranked, best })
    }

    /// Who is best, and everybody's ratio to thread per connection.
    pub(super) fn summary(&self) -> String {
        let best: Vec<&str> = self.ranked[..self.best].iter().map(|(name, _)| *name).collect();
        let best = match best.len() == self.ranked.len() {
            true => "No difference beyond the spread".to_owned(),
            false => format!("Best within the spread{}: {}", self.place(), list(&best)),
        };
        let ratios: Vec<String> = self
            .ranked
            .iter()
            .filter(|(name, _)| *name != REFERENCE)
            .filter_map(|(name, _)| Some((name, self.times(name, REFERENCE)?)))
            .filter(|(_, times)| times.is_finite())
            .map(|(name, times)| format!("{name} {}", two_digits(times)))
            .collect();
        match ratios.is_empty() {
            true => format!("{best}."),
            false => format!("{best}. In multiples of {REFERENCE}: {}.", ratios.join(", ")),
        }
    }

    /// Whether a strategy is not measurably worse than the best, and no run of it is far from that.
    pub(super) fn is_among_best(&self, strategy: &str) -> bool {
        let best = self.ranked[0].1;
        self.find(strategy).is_some_and(|(_, own)| {
            let far = |run| ratio(run, best.median) >= FAR;
            !differ(own, best) && (std::ptr::eq(own, best) || !far(own.least) && !far(own.most))
        })
    }

    /// How much better a strategy is than thread per connection; or, where that is not measurable,
    /// than the best of those that it measurably beats.
    pub(super) fn lead(&self, strategy: &str) -> Option<String> {
        let (rank, own) = self.find(strategy)?;
        let beaten = || self.ranked[rank..].iter().filter(|(_, other)| differ(own, other));
        let (name, _) = beaten().find(|(name, _)| *name == REFERENCE).or(beaten().next())?;
        self.against(strategy, name)
    }

    /// How far a strategy is from the best, if that makes it the wrong choice: how many times worse
    /// it is, and its figure as a ratio to thread per connection, or else to the best.
    pub(super) fn lag(&self, strategy: &str) -> Option<(f64, String)> {
        let far =
            |own, other: &Spread| differ(own, other) && ratio(own.median, other.median) >= FAR;
        let (rank, own) = self.find(strategy)?;
        let (best, first) = self.ranked[0];
        let reference = self.find(REFERENCE);
        if !far(own, first) || reference.is_some_and(|(it, _)| rank < it) {
            return None;
        }
        let other = reference.filter(|(_, it)| far(own, it)).map_or(best, |_| REFERENCE);
        Some((ratio(own.median, first.median), self.against(strategy, other)?))
    }

    /// A strategy's figure, as a ratio to another's.
    fn against(&self, strategy: &str, other: &str) -> Option<String> {
        let ((_, own), (_, others)) = (self.find(strategy)?, self.find(other)?);
        let figure = match own.median == 0.0 || others.median == 0.0 {
            true => format!("{}, and {} with {other}", rounded(own.median), rounded(others.median)),
            false => format!("{} × {other}", two_digits(self.times(strategy, other)?)),
        };
        let quantity = &self.experiment.quantities[self.quantity].name;
        Some(match &*self.place() {
            "" => format!("{figure} ({quantity})"),
            place => format!("{figure} ({quantity},{place})"),
        })
    }

    /// The ratio of two strategies' figures. As a machine's speed drifts, it is the median of the
    /// ratios in each round, where the results have that.
    fn times(&self, strategy: &str, other: &str) -> Option<f64> {
        let ((_, own), (_, others)) = (self.find(strategy)?, self.find(other)?);
        let paired = || {
            let name = format!("times {other}");
            let ratios = self.experiment.quantities.iter().position(|axis| axis.name == name)?;
            let series = self.experiment.series.iter().find(|s| s.strategy == strategy)?;
            Some(spread(series, ratios, self.at)?.median)
        };
        let paired = if self.quantity == 0 { paired() } else { None };
        Some(paired.unwrap_or(own.median / others.median))
    }

    /// Where a strategy stands; 0 is the best.
    fn find(&self, strategy: &str) -> Option<(usize, &'a Spread)> {
        let rank = self.ranked.iter().position(|(name, _)| *name == strategy)?;
        Some((rank, self.ranked[rank].1))
    }

    fn place(&self) -> String {
        let axis = self.experiment.axis.as_ref();
        axis.map_or(String::new(), |axis| format!(" at {} {}", self.at, axis.name))
    }
}

/// Whether two figures are apart by more than their spreads; single runs have none.
fn differ(a: &Spread, b: &Spread) -> bool {
    let ratio = ratio(a.median, b.median);
    match a.runs.min(b.runs) {
        0 | 1 => ratio >= FAR,
        _ => ratio > NEAR && (a.least > b.most || b.least > a.most),
    }
}

/// How many times larger the larger of two figures is.
fn ratio(a: f64, b: f64) -> f64 {
    if a == b { 1.0 } else { (a / b).max(b / a) }
}
