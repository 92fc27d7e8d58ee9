//! The check of exercise 13a.

mod solution;
mod starter;

use std::time::Duration;

use ninestep::{Error, Fault, Result};

use crate::kit::{Check, Exercise, equal};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "13a",
    folder: "e13a_patiently",
    title: "longer each time",
    starter: || check(starter::patiently),
    solution: || check(solution::patiently),
};

type Call<'a> = &'a mut dyn FnMut() -> Result<i64>;
type Pause<'a> = &'a mut dyn FnMut(Duration);

fn check(patiently: fn(Call<'_>, Pause<'_>) -> Result<i64>) -> Check {
    let no = || Err(Error::from(Fault::new(Fault::OVERLOADED, "later")));
    // How often it is called when the outcomes are these, and which pauses it makes, in ms.
    let told = |outcomes: Vec<Result<i64>>| {
        let (mut left, mut count, mut pauses) = (outcomes.into_iter(), 0, Vec::new());
        let mut call = || {
            count += 1;
            left.next().unwrap_or_else(no)
        };
        let outcome = patiently(&mut call, &mut |pause| pauses.push(pause.as_millis()));
        (count, pauses, outcome.ok())
    };
    equal("for a call that works: calls, pauses, result", told(vec![Ok(5)]), (1, vec![], Some(5)))?;
    let then_five = told(vec![no(), no(), Ok(5)]);
    equal("after two times No: calls, pauses, result", then_five, (3, vec![10, 20], Some(5)))?;
    let wanted = (5, vec![10, 20, 40, 80], None);
    equal("after nothing but No: calls, pauses, result", told(vec![]), wanted)?;
    let maybe = told(vec![Err(Error::Timeout(Duration::from_secs(1))), Ok(5)]);
    equal("after a Timeout, which is a Maybe: calls, pauses, result", maybe, (1, vec![], None))
}
