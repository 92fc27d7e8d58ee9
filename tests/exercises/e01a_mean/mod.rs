//! The check of exercise 1a.

mod solution;
mod starter;

use ninestep::{Error, Procedures};

use crate::kit::{Check, Exercise, call, ensure, equal};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "1a",
    folder: "e01a_mean",
    title: "a procedure that can refuse",
    starter: || check(starter::procedures()),
    solution: || check(solution::procedures()),
};

fn check(procedures: Procedures) -> Check {
    let stub = call(procedures)?;
    equal("mean([1, 4])", stub.call::<f64>("mean", (vec![1.0, 4.0],))?, 2.5)?;
    let refused = "and should be the fault 1, \"no numbers\"";
    match stub.call::<f64>("mean", (Vec::<f64>::new(),)) {
        Ok(mean) => ensure(false, format!("mean([]) is {mean}\n{refused}"))?,
        Err(Error::Fault(fault)) => ensure(
            fault.code == 1 && fault.message == "no numbers",
            format!("mean([]) is the fault {}, {:?}\n{refused}", fault.code, fault.message),
        )?,
        Err(error) => ensure(false, format!("mean([]) fails: {error}\n{refused}"))?,
    }
    equal("mean([7]), after the refusal,", stub.call::<f64>("mean", (vec![7.0],))?, 7.0)
}
