//! The check of exercise 1b.

mod solution;
mod starter;

use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use ninestep::{Error, Procedures, Result, ThreadPerConnection};

use crate::kit::{Check, Exercise, Running, ensure, equal, nobody_accepts};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "1b",
    folder: "e01b_shout",
    title: "a client that does not wait for ever",
    starter: || check(starter::shout),
    solution: || check(solution::shout),
};

fn check(shout: fn(&str, &str) -> Result<String>) -> Check {
    let (be_quick, told) = channel();
    let server = Running::start(procedures(told), ThreadPerConnection::default())?;
    equal("shout(\"hello\")", shout(&server.address.to_string(), "hello")?, "HELLO".to_owned())?;

    let asked = shout(&server.address.to_string(), "take your time");
    drop(be_quick);
    ensure(
        matches!(asked, Err(Error::Timeout(_))),
        format!("an answer that takes 3 s: {asked:?}\nand should be Error::Timeout, after 1 s"),
    )?;

    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let nobody = shout(&free.to_string(), "hello");
    ensure(
        matches!(nobody, Err(Error::Connect { .. })),
        format!("nobody listens: {nobody:?}\nand should be Error::Connect"),
    )?;

    let (deaf, _waiting) = nobody_accepts()?;
    let start = Instant::now();
    let nobody = shout(&deaf.local_addr()?.to_string(), "hello");
    ensure(
        matches!(nobody, Err(Error::Connect { .. })) && start.elapsed() < Duration::from_secs(5),
        format!("nobody accepts: {nobody:?}\nand should be Error::Connect, after 1 s"),
    )
}

/// Shouts, but takes 3 s for one text, unless it is told to be quick.
fn procedures(be_quick: Receiver<()>) -> Procedures {
    let be_quick = Mutex::new(be_quick);
    Procedures::new().on("shout", move |text: String| {
        if text == "take your time"
            && let Ok(be_quick) = be_quick.lock()
        {
            let _ = be_quick.recv_timeout(Duration::from_secs(3));
        }
        text.to_uppercase()
    })
}
