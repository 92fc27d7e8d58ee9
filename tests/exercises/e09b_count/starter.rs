//! Exercise 9b. `count` counts everybody's calls. Let it count those of its own connection, on a
//! server with a thread for each.

use std::sync::atomic::{AtomicU64, Ordering};

use ninestep::Procedures;

pub(crate) fn procedures() -> Procedures {
    let count = AtomicU64::new(0);
    Procedures::new().on("count", move || count.fetch_add(1, Ordering::Relaxed) + 1)
}
