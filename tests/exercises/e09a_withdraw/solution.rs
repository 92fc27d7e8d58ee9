//! Exercise 9a, solved.

use std::sync::{Mutex, PoisonError};

use ninestep::{Fault, Procedures};

// ANCHOR: answer
pub(crate) fn procedures() -> Procedures {
    let account = Mutex::new(100_i64);
    Procedures::new().on("withdraw", move |amount: i64| {
        let mut balance = account.lock().unwrap_or_else(PoisonError::into_inner);
        if !(0..=*balance).contains(&amount) {
            return Err(Fault::new(1, "not enough").with_data(*balance));
        }
        *balance -= amount;
        Ok(*balance)
    })
}
// ANCHOR_END: answer
