//! Exercise 12a. Two strategies were measured in turns: the first figure of each is from the first
//! round, the second from the second, and so on. This compares their means, and names a winner in
//! any case. Compare the figures of one round with each other, and name a winner only if all
//! rounds agree.

use super::Ratio;

pub(crate) fn ratio(first: &[f64], second: &[f64]) -> Ratio {
    let mean = |figures: &[f64]| figures.iter().sum::<f64>() / figures.len() as f64;
    let ratio = mean(second) / mean(first);
    Ratio { median: ratio, least: ratio, most: ratio }
}

/// Whether the second one is faster; `None` if the figures do not say.
pub(crate) fn is_faster(ratio: Ratio) -> Option<bool> {
    Some(ratio.median > 1.0)
}
