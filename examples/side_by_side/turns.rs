//! How long several kinds of work take, measured so that they can be compared.

use std::time::{Duration, Instant};

/// The time of each kind in its fastest turn, because whatever else a machine does adds to it. They
/// take turns, because it is not equally fast all the time.
pub(crate) fn fastest<T, E>(
    kinds: &[T],
    mut once: impl FnMut(&T) -> Result<(), E>,
) -> Result<Vec<Duration>, E> {
    const TIMES: u32 = 200;
    let mut fastest = vec![Duration::MAX; kinds.len()];
    for _ in 0..15 {
        for (kind, fastest) in kinds.iter().zip(&mut fastest) {
            let start = Instant::now();
            for _ in 0..TIMES {
                once(kind)?;
            }
            *fastest = (*fastest).min(start.elapsed() / TIMES);
        }
    }
    Ok(fastest)
}
