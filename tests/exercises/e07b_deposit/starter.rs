//! Exercise 7b. Each deposit has a name now, chosen by the caller. Let the bank remember the names
//! and what it answered, so that a repetition gets the first one's answer and deposits nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ninestep::Procedures;

pub(crate) fn procedures(account: Arc<AtomicI64>) -> Procedures {
    Procedures::new().on("deposit", move |_name: String, amount: i64| {
        account.fetch_add(amount, Ordering::SeqCst) + amount
    })
}
