//! Exercise 12a, solved.

use super::Ratio;

// ANCHOR: answer
pub(crate) fn ratio(first: &[f64], second: &[f64]) -> Ratio {
    let mut ratios: Vec<f64> = first.iter().zip(second).map(|(a, b)| b / a).collect();
    ratios.sort_by(f64::total_cmp);
    let (middle, last) = (ratios.len() / 2, ratios.len() - 1);
    // Of an even number of rounds it is half-way between the two in the middle.
    let median = f64::midpoint(ratios[last - middle], ratios[middle]);
    Ratio { median, least: ratios[0], most: ratios[last] }
}

/// Whether the second one is faster; `None` if the figures do not say.
pub(crate) fn is_faster(ratio: Ratio) -> Option<bool> {
    match ratio {
        Ratio { least, .. } if least > 1.0 => Some(true),
        Ratio { most, .. } if most < 1.0 => Some(false),
        _ => None,
    }
}
// ANCHOR_END: answer
