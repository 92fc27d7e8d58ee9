//! What the nine steps cost when nobody watches them.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use ninestep::{LOG_TARGET, Observer};

use crate::process::Process;
use crate::table::Row;
use crate::{Result, Size, compare, machine};

pub(crate) fn rows(size: Size) -> Vec<Row> {
    let work = "steps that nobody watches";
    vec![match cost(size) {
        Ok((nine, call)) => Row::new(
            work,
            format!("{:.2} % of a call", 100.0 * nine / call),
            "under 2 %",
            nine / call < 0.02,
            format!(
                "nine times the check that each step makes takes {nine:.1} ns, and a call {call:.0} \
                 ns where it is cheapest: in a batch of 128, both ends on one core"
            ),
        ),
        Err(error) => Row::failed(work, error.to_string()),
    }]
}

/// Nanoseconds for nine checks, and for the cheapest call.
fn cost(size: Size) -> Result<(f64, f64)> {
    const TIMES: u32 = 1_000_000;
    let nobody: Option<Arc<dyn Observer>> = None;
    let mut checks = Vec::new();
    let mut calls = Vec::new();
    for _ in 0..size.rounds {
        let start = Instant::now();
        for _ in 0..TIMES * 9 {
            // What `Steps::tell` does in the library; were it true, the step would be told.
            let told = black_box(&nobody).is_some()
                || log::log_enabled!(target: LOG_TARGET, log::Level::Debug);
            black_box(told);
        }
        checks.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES));
        calls.push(1e9 / rate_on_one_core("batch")?);
    }
    let cheapest = calls.into_iter().fold(f64::INFINITY, f64::min);
    Ok((compare::Spread::of(checks)?.median, cheapest))
}

/// The rate of a client and a server of ours on one core.
fn rate_on_one_core(work: &str) -> Result<f64> {
    let core = *machine::cores()?.first().ok_or("no core")?;
    let mut server = Process::start(&["serve", "thread", &core.to_string()])?;
    let address = server.answer()?;
    let figures = compare::client_figures(work, core, &address)?;
    Ok(*figures.first().ok_or("a client left its figure out")?)
}
