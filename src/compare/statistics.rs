//! Figures of figures: medians, spreads and percentiles.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::compare::Spread;

impl Spread {
    /// The spread of these figures; `None` if there are none.
    ///
    /// The median of an even number of figures is the mean of the two in the middle.
    ///
    /// ```
    /// use ninestep::compare::Spread;
    ///
    /// let spread = Spread::of(&[3.0, 1.0, 2.0, 10.0]);
    /// assert_eq!(spread, Some(Spread { median: 2.5, least: 1.0, most: 10.0, runs: 4 }));
    /// ```
    pub fn of(figures: &[f64]) -> Option<Spread> {
        let mut figures = figures.to_vec();
        figures.sort_by(f64::total_cmp);
        let (least, most) = (*figures.first()?, *figures.last()?);
        let middle = &figures[(figures.len() - 1) / 2..=figures.len() / 2];
        let median = middle.iter().sum::<f64>() / middle.len() as f64;
        Some(Spread { median, least, most, runs: figures.len() })
    }
}

/// How long calls took that were sent on a schedule, counted from when each was due.
///
/// A client that waits for a slow reply sends nothing meanwhile. Were each call counted from when
/// it was sent, the calls that should have been sent during the wait would be missing, and with
/// them most of the bad news: that is called coordinated omission.
#[derive(Debug)]
pub(super) struct Latencies(Histogram<u64>);

impl Latencies {
    /// Nanoseconds.
    const LONGEST: u64 = 3_600_000_000_000;

    pub(super) fn new() -> Result<Latencies, hdrhistogram::CreationError> {
        Ok(Latencies(Histogram::new_with_max(Latencies::LONGEST, 3)?))
    }

    pub(super) fn note(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn add(&mut self, others: &Latencies) {
        // Both have the same range.
        let _ = self.0.add(&others.0);
    }

    /// The latency, in microseconds, that so many of a hundred calls did not exceed.
    pub(super) fn percentile(&self, percent: f64) -> f64 {
        self.0.value_at_percentile(percent) as f64 / 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let median = |figures: &[f64]| Spread::of(figures).map(|spread| spread.median);
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[4.0, 2.0]), Some(3.0));
        assert_eq!(median(&[30.0, 10.0, 20.0]), Some(20.0));
        assert_eq!(median(&[10.0, -1.0, 9.0, 2.0]), Some(5.5));
    }

    #[test]
    fn percentiles_are_those_of_all_values() {
        let mut latencies = Latencies::new().unwrap();
        (1..=1000).for_each(|micros| latencies.note(Duration::from_micros(micros)));
        for (percent, micros) in [(50.0, 500.0), (99.0, 990.0), (99.9, 999.0), (100.0, 1000.0)] {
            let found = latencies.percentile(percent);
            // A value is exact to a thousandth, and the next one is another thousandth away.
            assert!((found / micros - 1.0).abs() < 0.002, "p{percent} is {found}");
        }
    }

    #[test]
    fn latencies_of_several_clients_are_one_distribution() {
        let (mut fast, mut slow) = (Latencies::new().unwrap(), Latencies::new().unwrap());
        (0..9).for_each(|_| fast.note(Duration::from_micros(10)));
        slow.note(Duration::from_millis(10));
        fast.add(&slow);
        assert!((fast.percentile(90.0) - 10.0).abs() < 0.01);
        assert!((fast.percentile(91.0) / 10_000.0 - 1.0).abs() < 0.001);
    }
}
