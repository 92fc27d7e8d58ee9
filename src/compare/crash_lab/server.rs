//! The server that trouble is made for.

use std::env;
use std::time::Duration;

use super::{PLACES, limits, trouble};
use crate::compare::process::Answer;
use crate::compare::server::{Contestant, cannot, listen};
use crate::error::{Error, Result};
use crate::server::{CHILD_MARK, Limits, Server};

/// The child's side: serves until it is not wanted any more, or until the trouble is too much.
pub(in crate::compare) fn play(strategy: Contestant) -> Answer<()> {
    serve(strategy).map_err(|error| cannot(&error))
}

fn serve(strategy: Contestant) -> Result<()> {
    limits::of_server();
    let limits = Limits { drain: Duration::from_millis(200), ..Limits::default() };
    let server = Server::new(trouble::procedures()).limits(limits);
    if env::var_os(CHILD_MARK).is_some() {
        limits::of_worker();
    }
    server.serve_if_child()?;
    // It must be another one than that to which trouble changes.
    env::set_current_dir(env::temp_dir())
        .map_err(|error| Error::transport("changing the directory", error))?;
    let mut incoming = listen(limits.drain)?;
    let forks = strategy == Contestant::ProcessFork;
    // Only a pool can be full: who waits for a place is another experiment's question.
    let strategy = strategy.strategy(4 * PLACES, PLACES);
    strategy.run(&mut incoming, &|connection| {
        if forks {
            limits::of_worker();
        }
        server.serve(connection);
    })
}
