//! The check of exercise 15b, and the trait that it is about.

mod solution;
mod starter;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ninestep::{Error, Fault, Result};

use crate::kit::{Check, Exercise, equal};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "15b",
    folder: "e15b_either",
    title: "the second, when the first fails",
    starter: || check(|first, second| Box::new(starter::EitherOf(first, second))),
    solution: || check(|first, second| Box::new(solution::EitherOf(first, second))),
};

ninestep::service! {
    pub(crate) trait Adder {
        fn add(&self, a: i64, b: i64) -> Result<i64>;
    }
}

/// Says the same to everybody, and counts.
struct Says {
    outcome: Result<i64>,
    calls: Arc<AtomicU32>,
}

impl Adder for Says {
    fn add(&self, _a: i64, _b: i64) -> Result<i64> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.outcome.clone()
    }
}

fn check(either_of: fn(Says, Says) -> Box<dyn Adder>) -> Check {
    let cases: [(&str, Result<i64>, &str, u32); 5] = [
        ("the first works", Ok(15), "15", 0),
        ("the first is closed", Err(Error::Closed { sent: false }), "-15", 1),
        ("the first is overloaded", Err(Fault::new(Fault::OVERLOADED, "later").into()), "-15", 1),
        (
            "the first times out (Maybe)",
            Err(Error::Timeout(Duration::from_secs(1))),
            "no reply within 1s",
            0,
        ),
        (
            "the first says that it does not fit (Yes)",
            Err(Fault::new(2, "overflow").into()),
            "overflow (fault 2)",
            0,
        ),
    ];
    for (what, outcome, wanted, asked) in cases {
        let calls = Arc::new(AtomicU32::new(0));
        let first = Says { outcome, calls: Arc::default() };
        let second = Says { outcome: Ok(-15), calls: Arc::clone(&calls) };
        let outcome = either_of(first, second).add(10, 5);
        let said = outcome.map_or_else(|error| error.to_string(), |sum| sum.to_string());
        let told = (said, calls.load(Ordering::SeqCst));
        equal(
            &format!("{what}: what comes of it, and the number of calls of the second,"),
            told,
            (wanted.into(), asked),
        )?;
    }
    Ok(())
}
