//! Exercise 15a. This relay has a closure for one procedure, and does not count. Let it pass on every
//! name that it is given, whatever the arguments are, and count: see `Procedures::on_all` and `Value`.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use ninestep::{ClientStub, Procedures};

pub(crate) fn relay(stub: ClientStub, _names: &[&str], _count: Arc<AtomicU64>) -> Procedures {
    Procedures::new().on("add", move |a: i64, b: i64| stub.call::<i64>("add", (a, b)))
}
