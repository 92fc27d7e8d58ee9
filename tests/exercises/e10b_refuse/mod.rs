//! The check of exercise 10b.

mod solution;
mod starter;

use std::time::{Duration, Instant};

use ninestep::{ClientStub, Error, Fault, Procedures, Result, Strategy};

use crate::kit::{Check, Exercise, Running, ensure};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "10b",
    folder: "e10b_refuse",
    title: "a pool that refuses at once",
    starter: || check(starter::Refusing),
    solution: || check(solution::Refusing),
};

const MOMENT: Duration = Duration::from_secs(2);

fn check(refusing: impl Strategy + 'static) -> Check {
    let server = Running::start(Procedures::new().on("hello", || ()), refusing)?;
    let hello = |stub: &ClientStub| stub.call_timeout(MOMENT).call::<()>("hello", ());
    let mut four = (0..4).map(|_| server.connect()).collect::<Result<Vec<_>>>()?;
    for (number, stub) in (1..).zip(&four) {
        let outcome = hello(stub);
        ensure(outcome.is_ok(), format!("client {number} of four is not served: {outcome:?}"))?;
    }
    let overloaded = |outcome: &Result<()>| matches!(outcome, Err(Error::Fault(fault)) if fault.code == Fault::OVERLOADED);
    for number in [5, 6] {
        let outcome = hello(&server.connect()?);
        ensure(
            overloaded(&outcome),
            format!(
                "client {number} is told {outcome:?}\nand should be refused: Fault::OVERLOADED"
            ),
        )?;
    }

    // One of the four leaves. Its thread is free when the server has seen that.
    four.pop();
    let end = Instant::now() + 5 * MOMENT;
    let mut newcomer = hello(&server.connect()?);
    while overloaded(&newcomer) && Instant::now() < end {
        newcomer = hello(&server.connect()?);
    }
    ensure(
        newcomer.is_ok(),
        format!("when one of four has left, a newcomer is told {newcomer:?}"),
    )?;
    let outcome = hello(&four[0]);
    ensure(outcome.is_ok(), format!("client 1, later, is told {outcome:?}"))
}
