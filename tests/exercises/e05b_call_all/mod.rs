//! The check of exercise 5b.

mod solution;
mod starter;

use std::sync::Arc;
use std::thread;

use ninestep::{Channel, ClientStub, Fault, Procedures, Recorder, Result, Server, Step};

use crate::kit::{Check, Exercise, equal};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "5b",
    folder: "e05b_call_all",
    title: "many calls in one write",
    starter: || check(starter::call_all),
    solution: || check(solution::call_all),
};

type CallAll = fn(&ClientStub, &str, &[(i64, i64)]) -> Vec<Result<i64>>;

fn check(call_all: CallAll) -> Check {
    let divide = |a: i64, b: i64| a.checked_div(b).ok_or_else(|| Fault::new(1, "division by zero"));
    let server = Server::new(Procedures::new().on("divide", divide));
    let (channel, connection) = Channel::in_memory()?;
    thread::spawn(move || server.serve(connection));
    let steps = Arc::new(Recorder::default());
    let stub = ClientStub::new(&channel.observer(steps.clone()))?;

    let outcomes = call_all(&stub, "divide", &[(10, 2), (1, 0), (9, 3)]);
    let told = outcomes.iter().map(|outcome| match outcome {
        Ok(quotient) => quotient.to_string(),
        Err(error) => error.to_string(),
    });
    let told: Vec<String> = told.collect();
    equal(
        "10/2, 1/0, 9/3",
        told,
        vec!["5".into(), "division by zero (fault 1)".into(), "3".into()],
    )?;
    let sent = steps.take().iter().filter(|event| event.step == Step::Send).count();
    equal("the number of steps 3 for three calls", sent, 1)
}
