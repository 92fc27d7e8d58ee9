//! The check of exercise 15a.

mod solution;
mod starter;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ninestep::{ClientStub, Error, Fault, Procedures, Result, demo};

use crate::kit::{Check, Exercise, call, equal};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "15a",
    folder: "e15a_relay",
    title: "a relay that counts",
    starter: || check(starter::relay),
    solution: || check(solution::relay),
};

fn check(relay: fn(ClientStub, &[&str], Arc<AtomicU64>) -> Procedures) -> Check {
    let names = ["add", "divide", "ping", "sayHi"];
    let count = Arc::new(AtomicU64::new(0));
    let stub = call(relay(call(demo::procedures())?, &names, Arc::clone(&count)))?;
    equal("add(10, 5) through the relay", stub.call("add", (10, 5))?, 15)?;
    let said = |outcome: Result<String>| outcome.map_err(|error| error.to_string());
    equal("ping() through it", said(stub.call("ping", ())), Ok("pong".to_owned()))?;
    equal("sayHi(\"Ada\")", said(stub.call("sayHi", ("Ada",))), Ok("Hi Ada!".to_owned()))?;
    let outcome = stub.call::<f64>("divide", (1.0, 0.0)).map_err(|error| error.to_string());
    equal("divide(1, 0)", outcome, Err("division by zero (fault 1)".to_owned()))?;
    equal("the count after four calls", count.load(Ordering::SeqCst), 4)?;
    let missing = stub.call::<String>("sayBye", ("Ada",)).map_err(|error| match error {
        Error::Fault(fault) => fault.code,
        _ => 0,
    });
    equal("sayBye, which the relay does not pass on,", missing, Err(Fault::NO_SUCH_PROCEDURE))
}
