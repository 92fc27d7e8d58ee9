//! Exercise 8a, solved.

use std::thread;

use ninestep::{Connection, Incoming, Result, Strategy};

pub(crate) struct Threes;

// ANCHOR: answer
impl Strategy for Threes {
    fn run(&self, incoming: &mut Incoming, serve: &(dyn Fn(Connection) + Sync)) -> Result<()> {
        while let Some(first) = incoming.next() {
            thread::scope(|scope| {
                scope.spawn(|| serve(first));
                for connection in incoming.take(2) {
                    scope.spawn(|| serve(connection));
                }
            });
        }
        Ok(())
    }
}
// ANCHOR_END: answer
