//! Exercise 15b, solved.

use ninestep::{Execution, Result};

use super::Adder;

pub(crate) struct EitherOf<A, B>(pub(crate) A, pub(crate) B);

// ANCHOR: answer
impl<A: Adder, B: Adder> Adder for EitherOf<A, B> {
    fn add(&self, a: i64, b: i64) -> Result<i64> {
        match self.0.add(a, b) {
            Err(error) if error.execution() == Execution::No => self.1.add(a, b),
            outcome => outcome,
        }
    }
}
// ANCHOR_END: answer
