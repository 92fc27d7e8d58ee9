//! Exercise 13a. This client is impatient, and careless. Let it repeat a call only after a *No*, five
//! calls at most, and pause for 10, 20, 40 and 80 ms in between: double each time.

use std::time::Duration;

use ninestep::Result;

/// Calls until it works. `pause` waits for so long; the check only notes for how long.
pub(crate) fn patiently<T>(
    call: &mut dyn FnMut() -> Result<T>,
    pause: &mut dyn FnMut(Duration),
) -> Result<T> {
    for _ in 0..4 {
        if let Ok(result) = call() {
            return Ok(result);
        }
        pause(Duration::from_millis(10));
    }
    call()
}
