//! Exercise 1b, solved.

use std::time::Duration;

use ninestep::{Channel, ClientStub, Result};

// ANCHOR: answer
pub(crate) fn shout(address: &str, text: &str) -> Result<String> {
    let second = Duration::from_secs(1);
    let channel = Channel::new(address).connect_timeout(second).call_timeout(second);
    ClientStub::new(&channel)?.call("shout", (text,))
}
// ANCHOR_END: answer
