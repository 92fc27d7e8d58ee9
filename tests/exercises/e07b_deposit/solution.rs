//! Exercise 7b, solved.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ninestep::Procedures;

// ANCHOR: answer
pub(crate) fn procedures(account: Arc<AtomicI64>) -> Procedures {
    let answered = Mutex::new(HashMap::new());
    Procedures::new().on("deposit", move |name: String, amount: i64| {
        let mut answered = answered.lock().unwrap_or_else(PoisonError::into_inner);
        *answered
            .entry(name)
            .or_insert_with(|| account.fetch_add(amount, Ordering::SeqCst) + amount)
    })
}
// ANCHOR_END: answer
