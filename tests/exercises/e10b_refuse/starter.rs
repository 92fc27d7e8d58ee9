//! Exercise 10b. A pool of four threads, which lets the fifth client wait. Let it refuse him at once:
//! `serve` a `Connection::refused` with the fault `Fault::OVERLOADED`.

use ninestep::{Connection, Incoming, Result, Strategy, ThreadPool};

pub(crate) struct Refusing;

impl Strategy for Refusing {
    fn run(&self, incoming: &mut Incoming, serve: &(dyn Fn(Connection) + Sync)) -> Result<()> {
        ThreadPool { threads: 4 }.run(incoming, serve)
    }
}
