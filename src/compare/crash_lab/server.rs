//! The server that trouble is made for: this program, started again.

use std::env;
use std::io::{self, Write, stdin, stdout};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::process::exit;
use std::time::Duration;

use super::{limits, trouble};
use crate::error::{Error, Result};
use crate::server::{
    CHILD_MARK, ForkPerConnection, Incoming, Limits, ProcessPool, Server, SingleThreaded,
    SpawnPerConnection, Strategy, ThreadPerConnection, ThreadPool,
};
use crate::transport::{Lifeline, tcp};

/// The environment variable that names the strategy to a process of the lab.
pub(super) const MARK: &str = "NINESTEP_CRASH_LAB";

/// What the server says first when it listens.
pub(super) const GREETING: &str = "listening on ";

/// The first thing in the `main` of a program that runs the lab: in a process that the lab
/// started, this is the server that trouble is made for, and ends the process; anywhere else it
/// does nothing.
pub fn serve_if_server() {
    let Ok(strategy) = env::var(MARK) else { return };
    if let Err(error) = serve(&strategy) {
        let _ = writeln!(io::stderr(), "{}", error.with_causes());
        exit(2);
    }
    exit(0);
}

/// Whether this process should have ended in [`serve_if_server`].
pub(super) fn is_server() -> bool {
    env::var_os(MARK).is_some()
}

fn serve(strategy: &str) -> Result<()> {
    limits::of_server();
    let limits = Limits { drain: Duration::from_millis(200), ..Limits::default() };
    let server = Server::new(trouble::procedures()).limits(limits);
    if env::var_os(CHILD_MARK).is_some() {
        limits::of_worker();
    }
    server.serve_if_child()?;

    let failed = |error: io::Error| Error::transport("listening", error);
    let listener = tcp::listen(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    // The lab holds the other end of standard input: it stops the server by closing it, also by
    // dying. No thread need wait for that, so the forking server can have it too.
    let lifeline = Lifeline::watching(stdin().as_fd().try_clone_to_owned().map_err(failed)?);
    let mut incoming = Incoming::from_listener(listener, lifeline, limits.drain)?;
    let _ = writeln!(stdout(), "{GREETING}{address}");
    let _ = stdout().flush();
    let forks = strategy == "process-fork";
    named(strategy).run(&mut incoming, &|connection| {
        if forks {
            limits::of_worker();
        }
        server.serve(connection);
    })
}

/// Pools have a place for everybody: who waits for a place is another experiment's question.
fn named(strategy: &str) -> Box<dyn Strategy> {
    match strategy {
        "single" => Box::new(SingleThreaded),
        "thread" => Box::new(ThreadPerConnection::default()),
        "thread-pool" => Box::new(ThreadPool { threads: super::PLACES }),
        "process-fork" => Box::new(ForkPerConnection::default()),
        "process-spawn" => Box::new(SpawnPerConnection::new()),
        _ => {
            let mut pool = ProcessPool::new();
            pool.processes = super::PLACES;
            Box::new(pool)
        }
    }
}
