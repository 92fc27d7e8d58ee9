//! The check of exercise 14a.

mod solution;
mod starter;

use ninestep::Procedures;

use crate::kit::{Check, Exercise, call, equal};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "14a",
    folder: "e14a_title",
    title: "an argument that old clients do not send",
    starter: || check(starter::procedures()),
    solution: || check(solution::procedures()),
};

fn check(procedures: Procedures) -> Check {
    let stub = call(procedures)?;
    let said = |outcome: ninestep::Result<String>| outcome.unwrap_or_else(|it| it.to_string());
    let new = said(stub.call("greet", ("Ada", "Dr")));
    equal("what a new client gets for greet(\"Ada\", \"Dr\")", &*new, "Hi Dr Ada!")?;
    let old = said(stub.call("greet", ("Ada",)));
    equal("what an old client gets for greet(\"Ada\")", &*old, "Hi Ada!")
}
