//! The check of exercise 4b.

mod solution;
mod starter;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use ninestep::{Connection, Error, Result};

use crate::kit::{Check, Exercise, ensure, equal, nobody_accepts};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "4b",
    folder: "e04b_connect_any",
    title: "one deadline for several servers",
    starter: || check(starter::connect_any),
    solution: || check(solution::connect_any),
};

fn check(connect_any: fn(&[&str], Duration) -> Result<Connection>) -> Check {
    let second = Duration::from_secs(1);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (here, other) = (listener.local_addr()?, TcpListener::bind("127.0.0.1:0")?);
    let (nowhere, there) = (TcpListener::bind("127.0.0.1:0")?.local_addr()?, other.local_addr()?);
    let [nowhere, here, there] = [nowhere, here, there].map(|address| address.to_string());
    let found = connect_any(&[&nowhere, &here, &there], second)?;
    equal("of three, where the second answers, it", found.peer(), listener.local_addr().ok())?;

    let (deaf, _waiting) = nobody_accepts()?;
    let deaf = deaf.local_addr()?.to_string();
    let start = Instant::now();
    let outcome = connect_any(&[&deaf, &deaf, &deaf], second);
    let in_time = start.elapsed() < 2 * second;
    ensure(
        matches!(outcome, Err(Error::Connect { .. })),
        format!("where nobody accepts it is {outcome:?}\nand should be Error::Connect"),
    )?;
    ensure(in_time, "three servers do not accept, and 1 s was for all: it took more than 2 s")?;
    let none = connect_any(&[], second);
    ensure(none.is_err(), format!("without an address it is {none:?}\nand should be an error"))
}
