//! What clients on tokio have in common: each is a task.

use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::Result;
use crate::compare::{LONE_CALLS, TURN, WARM_UP};

/// The runtime of `#[tokio::main]`, which has a thread for each core that it may use.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// How many clients some work has.
pub(crate) fn count(work: &str) -> Result<usize> {
    match work {
        "lone" => Ok(1),
        "many" => Ok(64),
        _ => Err("no such work".into()),
    }
}

/// Warms up and measures how often `some_calls` does its calls, counted by the call.
pub(crate) async fn rate(mut some_calls: impl AsyncFnMut() -> Result<()>) -> Result<f64> {
    repeat(WARM_UP, &mut some_calls).await?;
    let (times, time) = repeat(TURN, &mut some_calls).await?;
    Ok((times * LONE_CALLS) as f64 / time.as_secs_f64())
}

async fn repeat(
    time: Duration,
    some_calls: &mut impl AsyncFnMut() -> Result<()>,
) -> Result<(usize, Duration)> {
    let start = Instant::now();
    let mut times = 0;
    loop {
        some_calls().await?;
        times += 1;
        let passed = start.elapsed();
        if passed >= time {
            return Ok((times, passed));
        }
    }
}

/// Prints the rate of all clients together.
pub(crate) async fn print_sum(clients: JoinSet<Result<f64>>) -> Result<()> {
    let rate: f64 = clients.join_all().await.into_iter().sum::<Result<f64>>()?;
    println!("{rate}");
    Ok(())
}
