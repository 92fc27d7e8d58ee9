//! How our clients make calls.

use ninestep::ClientStub;

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

pub(crate) fn check(right: bool) -> Result<()> {
    if right { Ok(()) } else { Err("a wrong result".into()) }
}
