//! How our clients make calls.

use ninestep::{ClientStub, PendingCall};

use crate::Result;
use crate::compare::LONE_CALLS;

pub(crate) fn one_at_a_time(stub: ClientStub) -> impl FnMut() -> Result<()> {
    move || {
        for _ in 0..LONE_CALLS {
            let sum: i64 = stub.call("add", (10_i64, 5_i64))?;
            check(sum == 15)?;
        }
        Ok(())
    }
}

/// Sends all calls before it waits for the first.
pub(crate) fn all_at_once(
    calls: impl Iterator<Item = ninestep::Result<PendingCall<i64>>>,
) -> Result<()> {
    let calls = calls.collect::<ninestep::Result<Vec<_>>>()?;
    calls.into_iter().try_for_each(|call| check(call.wait()? == 15))
}

pub(crate) fn check(right: bool) -> Result<()> {
    if right { Ok(()) } else { Err("a wrong result".into()) }
}
