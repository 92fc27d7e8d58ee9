//! A fixed number of threads.

use std::thread;

use crossbeam_channel::bounded;

use crate::error::Result;
use crate::server::{Incoming, Strategy};
use crate::transport::Connection;

/// Serves connections on threads that were started beforehand; each serves one connection to its
/// end, then takes the next.
///
/// It is the right choice for many connections that live for one call, and to bound what the
/// server uses. It is the wrong one for clients that stay: as many idle ones as there are threads
/// keep everybody else waiting.
#[derive(Clone, Copy, Debug)]
pub struct ThreadPool {
    /// The number of threads, at least 1: four for each core unless told otherwise.
    pub threads: usize,
}

impl Default for ThreadPool {
    fn default() -> ThreadPool {
        ThreadPool { threads: 4 * thread::available_parallelism().map_or(1, usize::from) }
    }
}

// ANCHOR: run
impl Strategy for ThreadPool {
    fn run(&self, incoming: &mut Incoming, serve: &(dyn Fn(Connection) + Sync)) -> Result<()> {
        // A channel without room: a connection is handed over or stays with the acceptor, which
        // accepts no more meanwhile. What waits, waits in the kernel, where it costs nothing.
        let (hand_over, handed) = bounded::<Connection>(0);
        incoming.at_most(self.threads.saturating_add(1));
        thread::scope(|scope| {
            let mut started = 0;
            for _ in 0..self.threads.max(1) {
                let handed = handed.clone();
                let worker = move || handed.into_iter().for_each(serve);
                match thread::Builder::new().spawn_scoped(scope, worker) {
                    Ok(_) => started += 1,
                    Err(error) => log::warn!("the pool has {started} threads, no more: {error}"),
                }
            }
            drop(handed);
            for connection in incoming {
                // Without a single thread the acceptor does the work itself.
                if let Err(refused) = hand_over.send(connection) {
                    serve(refused.into_inner());
                }
            }
            drop(hand_over);
        });
        Ok(())
    }
}
// ANCHOR_END: run
