//! Runs experiments: every strategy in its turn, again and again.
//!
//! A machine's speed drifts while one measures. So the strategies take turns within a round, and
//! what compares two of them compares their figures of the same round.

use std::iter::zip;
use std::thread;
use std::time::Instant;

use crate::compare::experiments::{Plan, Relative};
use crate::compare::lab::Lab;
use crate::compare::process::Failure;
use crate::compare::server::Contestant;
use crate::compare::{CannotRun, Experiment, Measured, Point, Series, Spread};

/// What one strategy was measured to do.
struct Figures {
    strategy: Contestant,
    /// For each place on the axis the rounds, for each round a value for each quantity.
    places: Vec<Vec<Vec<f64>>>,
    cannot: Option<CannotRun>,
}

/// Runs an experiment, and calls `tick` after every measurement. One that is interrupted has what
/// was measured by then.
pub(super) fn run(lab: &Lab, plan: Plan, tick: &mut dyn FnMut()) -> Experiment {
    let nothing =
        |strategy| Figures { strategy, places: vec![Vec::new(); plan.points.len()], cannot: None };
    let mut all = Contestant::ALL.map(nothing);
    let turn = if plan.at_once { all.len() } else { 1 };
    for round in 0..plan.rounds {
        if round > 0 && Instant::now() > lab.last_round {
            break;
        }
        for (place, at) in plan.points.iter().enumerate() {
            for strategies in all.chunks_mut(turn) {
                measure(lab, &plan, strategies, place, *at);
                (0..turn).for_each(|_| tick());
            }
        }
        // Who begins changes, in case it matters.
        all.rotate_left(1);
    }
    conclude(plan, &all)
}

/// Measures some strategies at the same time.
fn measure(lab: &Lab, plan: &Plan, strategies: &mut [Figures], place: usize, at: f64) {
    thread::scope(|scope| {
        for figures in strategies {
            if figures.cannot.is_none() && !lab.is_interrupted() {
                scope.spawn(move || match (plan.measure)(lab, figures.strategy, at) {
                    Ok(values) if values.is_empty() => {}
                    Ok(values) => figures.places[place].push(values),
                    Err(Failure::Cannot(why)) => figures.cannot = Some(why),
                    Err(Failure::Interrupted) => {}
                });
            }
        }
    });
}

/// Puts the figures into the experiment.
fn conclude(plan: Plan, all: &[Figures]) -> Experiment {
    let mut about = plan.about;
    let series = |relative: Option<Relative>| -> Option<Vec<Series>> {
        let series = Contestant::ALL.into_iter().map(|strategy| {
            let figures = all.iter().find(|figures| figures.strategy == strategy)?;
            let measured = figures.measured(&plan.points, all, relative)?;
            Some(Series { strategy: strategy.name().to_owned(), measured })
        });
        series.collect()
    };
    // A ratio needs something to compare with, everywhere.
    match series(plan.relative) {
        Some(with_ratios) => {
            about.quantities.extend(plan.relative.map(Relative::axis));
            about.series = with_ratios;
        }
        None => about.series = series(None).unwrap_or_default(),
    }
    about
}

impl Figures {
    /// `None` if there is nothing to compare with.
    fn measured(
        &self,
        points: &[f64],
        all: &[Figures],
        relative: Option<Relative>,
    ) -> Option<Measured> {
        if let Some(why) = &self.cannot {
            return Some(Measured::CannotRun(why.clone()));
        }
        let mut measured = Vec::new();
        for (place, at) in points.iter().enumerate() {
            let rounds = &self.places[place];
            let Some(first) = rounds.first() else { continue };
            let of = |quantity: usize| rounds.iter().map(|values| values[quantity]).collect();
            let mut columns: Vec<Vec<f64>> = (0..first.len()).map(of).collect();
            if let Some(relative) = relative {
                let other = match relative {
                    Relative::ToFirst => self.places.first()?,
                    Relative::To(strategy) => {
                        let other = all.iter().find(|figures| figures.strategy == strategy)?;
                        &other.places[place]
                    }
                };
                let ratios = zip(rounds, other).map(|(ours, other)| ours[0] / other[0]);
                // Nothing is no multiple of nothing.
                columns.push(ratios.filter(|ratio| ratio.is_finite()).collect());
            }
            let values = columns.iter().map(|column| Spread::of(column)).collect::<Option<_>>()?;
            measured.push(Point { at: *at, values });
        }
        if measured.is_empty() {
            return Some(Measured::CannotRun(CannotRun::new(
                "the comparison was interrupted before",
                "run it again and let it come to its end",
            )));
        }
        Some(Measured::Points(measured))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::compare::{Effort, experiments};

    /// An experiment at places 1 and 2, with rounds for every strategy.
    fn concluded(relative: Relative, rounds: impl Fn(Contestant) -> [Vec<f64>; 2]) -> Experiment {
        let lab = Lab::new(PathBuf::new(), Effort::Glance, Arc::default());
        let mut plan = experiments::all(&lab).remove(0);
        plan.points = vec![1.0, 2.0];
        plan.relative = Some(relative);
        let figures = |strategy| Figures {
            strategy,
            places: rounds(strategy)
                .map(|place| place.into_iter().map(|it| vec![it]).collect())
                .into(),
            cannot: None,
        };
        conclude(plan, &Contestant::ALL.map(figures))
    }

    fn medians(experiment: &Experiment, strategy: &str) -> Vec<Vec<f64>> {
        let series = experiment.series.iter().find(|series| series.strategy == strategy).unwrap();
        let Measured::Points(points) = &series.measured else { panic!("{series:?}") };
        let values = points.iter().map(|point| &point.values);
        values.map(|values| values.iter().map(|spread| spread.median).collect()).collect()
    }

    #[test]
    fn a_ratio_is_the_median_of_the_ratios_of_a_round() {
        // The ratio of the medians would be 3 / 2.
        let experiment = concluded(Relative::To(Contestant::Thread), |strategy| match strategy {
            Contestant::Thread => [vec![1.0, 2.0, 10.0], vec![5.0]],
            _ => [vec![4.0, 1.0, 3.0], vec![10.0]],
        });
        assert_eq!(medians(&experiment, "single"), [[3.0, 0.5], [10.0, 2.0]]);
        assert_eq!(medians(&experiment, "thread"), [[2.0, 1.0], [5.0, 1.0]]);
        assert_eq!(experiment.quantities.last().unwrap().name, "times thread");
    }

    #[test]
    fn a_strategy_can_be_compared_with_itself() {
        let rounds = |_| [vec![2.0, 4.0], vec![4.0, 16.0]];
        let experiment = concluded(Relative::ToFirst, rounds);
        assert_eq!(medians(&experiment, "thread"), [[3.0, 1.0], [10.0, 3.0]]);
    }

    #[test]
    fn where_there_is_nothing_to_compare_with_there_is_no_ratio() {
        let experiment = concluded(Relative::To(Contestant::Thread), |strategy| match strategy {
            Contestant::Thread => [vec![], vec![5.0]],
            _ => [vec![1.0], vec![10.0]],
        });
        assert_eq!(medians(&experiment, "single"), [[1.0], [10.0]]);
        assert_eq!(experiment.quantities.len(), 1);
    }

    #[test]
    fn a_round_in_which_the_other_did_nothing_has_no_ratio() {
        let experiment = concluded(Relative::To(Contestant::Thread), |strategy| match strategy {
            Contestant::Thread => [vec![0.0, 2.0, 4.0], vec![1.0]],
            _ => [vec![5.0, 2.0, 8.0], vec![1.0]],
        });
        assert_eq!(medians(&experiment, "single"), [[5.0, 1.5], [1.0, 1.0]]);
    }

    #[test]
    fn what_was_not_measured_says_why() {
        let experiment = concluded(Relative::ToFirst, |_| [vec![], vec![]]);
        for series in experiment.series {
            let Measured::CannotRun(why) = series.measured else { panic!("{}", series.strategy) };
            assert_eq!(why.reason, "the comparison was interrupted before");
        }
    }
}
