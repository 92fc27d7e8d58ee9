//! The check of exercise 7b.

mod solution;
mod starter;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ninestep::Procedures;

use crate::kit::{Check, Exercise, call, equal};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "7b",
    folder: "e07b_deposit",
    title: "a deposit that may be repeated",
    starter: || check(starter::procedures),
    solution: || check(solution::procedures),
};

fn check(procedures: fn(Arc<AtomicI64>) -> Procedures) -> Check {
    let account = Arc::new(AtomicI64::new(0));
    let stub = call(procedures(Arc::clone(&account)))?;
    let deposit = |name: &str, amount: i64| stub.call::<i64>("deposit", (name, amount));
    equal("the balance after a deposit of 10", deposit("Monday", 10)?, 10)?;
    // As far as the client knows, the reply was lost.
    equal("the balance that its repetition is told", deposit("Monday", 10)?, 10)?;
    equal("the account after the repetition", account.load(Ordering::SeqCst), 10)?;
    equal("the balance after another deposit of 10", deposit("Tuesday", 10)?, 20)?;
    equal("what a very late repetition of the first is told", deposit("Monday", 10)?, 10)?;
    equal("the account in the end", account.load(Ordering::SeqCst), 20)
}
