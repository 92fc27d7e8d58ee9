//! Exercise 4b, solved.

use std::io::{Error as IoError, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ninestep::{Channel, Connection, Error, Result};

// ANCHOR: answer
pub(crate) fn connect_any(addresses: &[&str], within: Duration) -> Result<Connection> {
    let start = Instant::now();
    let source = Arc::new(IoError::from(ErrorKind::InvalidInput));
    let mut last = Error::Connect { address: "no address".to_owned(), source };
    for address in addresses {
        let left = within.saturating_sub(start.elapsed());
        match Channel::new(address).connect_timeout(left).connect() {
            Ok(connection) => return Ok(connection),
            Err(error) => last = error,
        }
    }
    Err(last)
}
// ANCHOR_END: answer
