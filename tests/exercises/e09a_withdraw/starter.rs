//! Exercise 9a. A balance to read and to write, so that an update can be lost in between. Write a
//! `withdraw(amount)` instead. It returns what is left, or the fault 1 if there is not enough.

use std::sync::{Arc, Mutex, PoisonError};

use ninestep::Procedures;

pub(crate) fn procedures() -> Procedures {
    let account = Arc::new(Mutex::new(100_i64));
    let written = Arc::clone(&account);
    Procedures::new()
        .on("balance", move || *account.lock().unwrap_or_else(PoisonError::into_inner))
        .on("set_balance", move |to: i64| {
            *written.lock().unwrap_or_else(PoisonError::into_inner) = to;
        })
}
