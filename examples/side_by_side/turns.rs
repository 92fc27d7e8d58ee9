//! How long several kinds of work take, measured so that they can be compared.

use std::time::{Duration, Instant};

/// Each kind's median time. They take turns, because a machine is not equally fast all the time.
pub(crate) fn medians<T, E>(
    kinds: &[T],
    mut once: impl FnMut(&T) -> Result<(), E>,
) -> Result<Vec<Duration>, E> {
    const TIMES: u32 = 300;
    let mut turns = vec![Vec::new(); kinds.len()];
    for _ in 0..9 {
        for (kind, turns) in kinds.iter().zip(&mut turns) {
            let start = Instant::now();
            for _ in 0..TIMES {
                once(kind)?;
            }
            turns.push(start.elapsed() / TIMES);
        }
    }
    Ok(turns.into_iter().map(median).collect())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
