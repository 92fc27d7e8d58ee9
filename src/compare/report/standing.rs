//! Who is better, and by how much.

use super::matrix::{places, spread};
use super::number::{list, rounded, two_digits};
use crate::compare::{Better, Experiment, Spread};

/// The strategy that the others are measured against.
const REFERENCE: &str = "thread";

/// From this ratio to the best on, a strategy is the wrong choice.
const FAR: f64 = 2.0;

/// How the strategies stand in one quantity, at the place that most of them reached.
pub(super) struct Standing<'a> {
    experiment: &'a Experiment,
    quantity: usize,
    at: f64,
    /// From the best to the worst.
    ranked: Vec<(&'a str, &'a Spread)>,
    /// How many of them are the best, because their spreads meet.
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
        let meets = |spread: &Spread| spread.least <= first.most && first.least <= spread.most;
        let best = ranked.iter().take_while(|(_, spread)| meets(spread)).count();
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

    /// A strategy's figure, as a ratio to thread per connection, or to the best other one.
    pub(super) fn against(&self, strategy: &str) -> Option<String> {
        let others = || self.ranked.iter().filter(|(name, _)| *name != strategy);
        let (name, _) = others().find(|(name, _)| *name == REFERENCE).or(others().next())?;
        let times = self.times(strategy, name)?;
        let (_, own) = self.find(strategy)?;
        let figure = match &*two_digits(times) {
            // Both are 0.
            "1" | "NaN" => format!("equal to {name}"),
            "inf" => format!("{}, and 0 with {name}", rounded(own.median)),
            times => format!("{times} × {name}"),
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

    /// How many times worse than the best a strategy is, if it is far from it, and worse than
    /// thread per connection too.
    pub(super) fn distance(&self, strategy: &str) -> Option<f64> {
        let (rank, own) = self.find(strategy)?;
        let reference = self.find(REFERENCE).map_or(0, |(rank, _)| rank);
        let times = own.median / self.ranked[0].1.median;
        let distance = times.max(1.0 / times);
        (rank >= self.best && rank >= reference && distance >= FAR).then_some(distance)
    }

    pub(super) fn is_best(&self, strategy: &str) -> bool {
        let differs = self.best < self.ranked.len();
        differs && self.find(strategy).is_some_and(|(rank, _)| rank < self.best)
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
