//! Exercise 13a, solved.

use std::time::Duration;

use ninestep::{Execution, Result};

// ANCHOR: answer
pub(crate) fn patiently<T>(
    call: &mut dyn FnMut() -> Result<T>,
    pause: &mut dyn FnMut(Duration),
) -> Result<T> {
    for ms in [10, 20, 40, 80] {
        match call() {
            Err(error) if error.execution() == Execution::No => pause(Duration::from_millis(ms)),
            outcome => return outcome,
        }
    }
    call()
}
// ANCHOR_END: answer
