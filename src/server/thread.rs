//! A thread for each connection.

use std::thread;

use crossbeam_channel::bounded;

use crate::error::Result;
use crate::server::{Incoming, Strategy};
use crate::transport::Connection;

/// Serves each connection on a thread of its own.
///
/// It is the right choice for up to some thousand clients that come and stay. It is the wrong one
/// for procedures that may crash the process (they take every connection with them), and for very
/// many connections that live for one call.
#[derive(Clone, Copy, Debug)]
pub struct ThreadPerConnection {
    /// Connections at once: 1,024 unless told otherwise. Past it the next waits in the kernel.
    pub at_most: usize,
}

impl Default for ThreadPerConnection {
    fn default() -> ThreadPerConnection {
        ThreadPerConnection { at_most: Incoming::MOST_THREADS }
    }
}

// ANCHOR: run
impl Strategy for ThreadPerConnection {
    fn run(&self, incoming: &mut Incoming, serve: &(dyn Fn(Connection) + Sync)) -> Result<()> {
        incoming.at_most(self.at_most);
        thread::scope(|scope| {
            while let Some(connection) = incoming.next() {
                // The connection waits in a channel of one, because a thread that cannot be
                // started would take it to its grave.
                let (hand_over, handed) = bounded(1);
                let _ = hand_over.send(connection);
                let take_over = handed.clone();
                let started = thread::Builder::new()
                    .spawn_scoped(scope, move || take_over.into_iter().take(1).for_each(serve));
                if let Err(error) = started {
                    handed
                        .try_iter()
                        .for_each(|connection| serve(connection.overloaded("thread", &error)));
                    incoming.back_off();
                }
            }
        });
        Ok(())
    }
}
// ANCHOR_END: run
