//! How our clients make calls.

use ninestep::ClientStub;

use crate::Result;

/// Makes so many calls.
pub(crate) fn one_at_a_time(stub: ClientStub, calls: usize) -> impl FnMut() -> Result<()> {
    move || {
        for _ in 0..calls {
            let sum: i64 = stub.call("add", (10_i64, 5_i64))?;
            check(sum == 15)?;
        }
        Ok(())
    }
}

pub(crate) fn check(right: bool) -> Result<()> {
    if right { Ok(()) } else { Err("a wrong result".into()) }
}
