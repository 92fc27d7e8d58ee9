//! Exercise 1b. This client waits as long as it takes. Let it give up connecting after a second, and
//! waiting for the answer after another: a `Channel` can be told both.

use ninestep::{Channel, ClientStub, Result};

pub(crate) fn shout(address: &str, text: &str) -> Result<String> {
    let channel = Channel::new(address);
    ClientStub::new(&channel)?.call("shout", (text,))
}
