//! Exercise 8a. This is a single-threaded server. Let it serve three connections at a time, and take
//! no fourth before all three have ended.

use ninestep::{Connection, Incoming, Result, Strategy};

pub(crate) struct Threes;

impl Strategy for Threes {
    fn run(&self, incoming: &mut Incoming, serve: &(dyn Fn(Connection) + Sync)) -> Result<()> {
        incoming.for_each(serve);
        Ok(())
    }
}
