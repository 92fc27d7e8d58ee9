//! The check of exercise 8a.

mod solution;
mod starter;

use std::time::Duration;

use ninestep::{ClientStub, Error, Procedures, Result, Strategy};

use crate::kit::{Check, Exercise, Running, ensure};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "8a",
    folder: "e08a_threes",
    title: "three at a time",
    starter: || check(starter::Threes),
    solution: || check(solution::Threes),
};

/// Long enough for whoever is served, and short for whoever is not.
const MOMENT: Duration = Duration::from_secs(2);

fn check(threes: impl Strategy + 'static) -> Check {
    let server = Running::start(Procedures::new().on("hello", || ()), threes)?;
    let connect = || (0..3).map(|_| server.connect()).collect::<Result<Vec<_>>>();
    let hello = |stub: &ClientStub, within| stub.call_timeout(within).call::<()>("hello", ());
    let (mut first, then) = (connect()?, connect()?);
    for (number, stub) in (1..).zip(&first) {
        let outcome = hello(stub, MOMENT);
        ensure(outcome.is_ok(), format!("client {number} of three is not served: {outcome:?}"))?;
    }
    while let Some(stub) = first.pop() {
        let early = hello(&then[0], Duration::from_millis(100));
        ensure(
            matches!(early, Err(Error::Timeout(_))),
            format!("client 4, while {} of the first three are there: {early:?}", first.len() + 1),
        )?;
        drop(stub);
    }
    for (number, stub) in (4..).zip(&then) {
        let outcome = hello(stub, 5 * MOMENT);
        ensure(
            outcome.is_ok(),
            format!("client {number} is not served when the first three have left: {outcome:?}"),
        )?;
    }
    Ok(())
}
