//! The check of exercise 9b.

mod solution;
mod starter;

use ninestep::{ClientStub, Procedures, ThreadPerConnection};

use crate::kit::{Check, Exercise, Running, equal};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "9b",
    folder: "e09b_count",
    title: "a count for each connection",
    starter: || check(starter::procedures()),
    solution: || check(solution::procedures()),
};

fn check(procedures: Procedures) -> Check {
    let server = Running::start(procedures, ThreadPerConnection::default())?;
    let count = |stub: &ClientStub| stub.call::<u64>("count", ());
    let (ann, bob) = (server.connect()?, server.connect()?);
    equal("Ann's first count", count(&ann)?, 1)?;
    equal("Ann's second count", count(&ann)?, 2)?;
    equal("Bob's first count", count(&bob)?, 1)?;
    equal("Ann's third count", count(&ann)?, 3)?;
    equal("a newcomer's first count", count(&server.connect()?)?, 1)
}
