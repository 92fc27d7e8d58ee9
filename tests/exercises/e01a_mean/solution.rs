//! Exercise 1a, solved.

use ninestep::{Fault, Procedures};

// ANCHOR: answer
pub(crate) fn procedures() -> Procedures {
    Procedures::new().on("mean", |numbers: Vec<f64>| {
        if numbers.is_empty() {
            return Err(Fault::new(1, "no numbers"));
        }
        Ok(numbers.iter().sum::<f64>() / numbers.len() as f64)
    })
}
// ANCHOR_END: answer
