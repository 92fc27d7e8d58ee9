//! The check of exercise 9a.

mod solution;
mod starter;

use std::thread;

use ninestep::{ClientStub, Error, Fault, Procedures, ThreadPerConnection};

use crate::kit::{Check, Exercise, Red, Running, ensure, equal};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "9a",
    folder: "e09a_withdraw",
    title: "one call for what must not be divided",
    starter: || check(starter::procedures()),
    solution: || check(solution::procedures()),
};

fn check(procedures: Procedures) -> Check {
    let server = Running::start(procedures, ThreadPerConnection::default())?;
    let withdraw = |stub: &ClientStub, amount: i64| stub.call::<i64>("withdraw", (amount,));
    let (ann, bob) = (server.connect()?, server.connect()?);
    match withdraw(&ann, 30) {
        Err(Error::Fault(fault)) if fault.code == Fault::NO_SUCH_PROCEDURE => {
            return Err(Red(format!("Ann's withdraw(30): {fault}")));
        }
        outcome => equal("Ann's withdraw(30)", outcome?, 70)?,
    }
    equal("Bob's withdraw(30)", withdraw(&bob, 30)?, 40)?;
    let refused = withdraw(&ann, 41);
    ensure(
        matches!(&refused, Err(Error::Fault(fault)) if fault.code == 1),
        format!("withdraw(41) of 40 is {refused:?}\nand should be fault 1"),
    )?;
    let negative = withdraw(&ann, -1);
    ensure(negative.is_err(), format!("withdraw(-1) is {negative:?}\nand should be a fault"))?;
    equal("what is left, by withdraw(0),", withdraw(&bob, 0)?, 40)?;

    // Two clients take all of it, one by one, at the same time.
    let one_by_one = |stub: &ClientStub| (0..40).filter(|_| withdraw(stub, 1).is_ok()).count();
    let taken = thread::scope(|scope| {
        let ann = scope.spawn(|| one_by_one(&ann));
        one_by_one(&bob) + ann.join().unwrap_or_default()
    });
    equal("what two clients could take of 40, one by one,", taken, 40)
}
