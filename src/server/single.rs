//! One at a time.

use crate::error::Result;
use crate::server::{Incoming, Strategy};
use crate::transport::Connection;

/// Serves one connection after the other on the thread that runs the server.
///
/// It needs nothing and shares nothing. It is the wrong choice as soon as there are two clients:
/// one that is connected and idle blocks all others until it leaves, or until the idle limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct SingleThreaded;

// ANCHOR: run
impl Strategy for SingleThreaded {
    fn run(&self, incoming: &mut Incoming, serve: &(dyn Fn(Connection) + Sync)) -> Result<()> {
        for connection in incoming {
            serve(connection);
        }
        Ok(())
    }
}
// ANCHOR_END: run
