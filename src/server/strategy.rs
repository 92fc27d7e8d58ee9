//! The one place in which servers differ.

use crate::error::Result;
use crate::server::Incoming;
use crate::transport::Connection;

/// Which thread or process serves a connection.
///
/// `run` takes connections from `incoming` until there are no more, which is when the server is
/// told to stop, and calls `serve` once for each, wherever it likes. It returns when every `serve`
/// has returned: then the server has drained.
///
/// ```
/// use ninestep::{Connection, Incoming, Result, Strategy};
///
/// /// Serves three connections at a time: the next three wait until all of these have ended.
/// struct Threes;
///
/// impl Strategy for Threes {
///     fn run(&self, incoming: &mut Incoming, serve: &(dyn Fn(Connection) + Sync)) -> Result<()> {
///         loop {
///             let three: Vec<Connection> = incoming.take(3).collect();
///             if three.is_empty() {
///                 return Ok(());
///             }
///             std::thread::scope(|scope| {
///                 for connection in three {
///                     scope.spawn(|| serve(connection));
///                 }
///             });
///         }
///     }
/// }
/// ```
// ANCHOR: strategy
pub trait Strategy: Send + Sync {
    /// Serves every incoming connection.
    ///
    /// `serve` blocks until the connection's end and never panics. A connection that cannot be
    /// served is passed to it as [`Connection::refused`], which tells the client why.
    ///
    /// # Errors
    /// The strategy cannot run in this process at all.
    fn run(&self, incoming: &mut Incoming, serve: &(dyn Fn(Connection) + Sync)) -> Result<()>;
}
// ANCHOR_END: strategy
