//! The check of exercise 7a.

mod solution;
mod starter;

use std::time::Duration;

use ninestep::{Error, Fault, Result};

use crate::kit::{Check, Exercise, ensure, equal};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "7a",
    folder: "e07a_again",
    title: "once more, if that is safe",
    starter: || check(starter::again),
    solution: || check(solution::again),
};

fn check(again: fn(&mut dyn FnMut() -> Result<i64>) -> Result<i64>) -> Check {
    let no = || Err(Error::Closed { sent: false });
    // How often it is called when the outcomes are these, one after the other, and what comes of it.
    let calls = |outcomes: Vec<Result<i64>>| {
        let (mut left, mut count) = (outcomes.into_iter(), 0);
        let outcome = again(&mut || {
            count += 1;
            left.next().unwrap_or_else(no)
        });
        (count, outcome.map_err(|error| error.to_string()))
    };
    equal("for a call that works: calls, outcome", calls(vec![Ok(5)]), (1, Ok(5)))?;
    equal("after two times No: calls, outcome", calls(vec![no(), no(), Ok(5)]), (3, Ok(5)))?;
    let (count, outcome) = calls(vec![]);
    ensure(outcome.is_err(), "after nothing but No there is no result")?;
    equal("the number of calls after nothing but No", count, 3)?;
    let maybe = || Err(Error::Timeout(Duration::from_secs(1)));
    let (count, _) = calls(vec![maybe(), Ok(5)]);
    equal("the number of calls after a Timeout, which is a Maybe,", count, 1)?;
    let yes = Err(Error::from(Fault::new(1, "division by zero")));
    let (count, outcome) = calls(vec![yes, Ok(5)]);
    equal("the number of calls after a fault of the application, a Yes,", count, 1)?;
    equal("its outcome", outcome, Err("division by zero (fault 1)".to_owned()))?;
    let (count, _) = calls(vec![no(), maybe(), Ok(5)]);
    equal("the number of calls after No, then Maybe,", count, 2)
}
