//! Break it: an experiment that fails, for each chapter of the book that has one.
//!
//! `cargo run --example break_it -- 3` runs that of chapter 3.

mod ch01_nine_steps;
mod ch02_packing;
mod ch03_frames;
mod ch04_channel;
mod ch05_client_stub;
mod ch06_server_stub;
mod ch07_errors;
mod ch08_single_threaded;
mod ch09_thread_per_connection;
mod ch10_thread_pool;
mod ch11_process_per_connection;
mod ch13_time;
mod ch14_six_wires;

use std::env;
use std::error::Error;
use std::process::ExitCode;

type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

/// A chapter's number, and what it breaks.
type Experiment = (u32, fn() -> Result);

const EXPERIMENTS: &[Experiment] = &[
    (1, ch01_nine_steps::run),
    (2, ch02_packing::run),
    (3, ch03_frames::run),
    (4, ch04_channel::run),
    (5, ch05_client_stub::run),
    (6, ch06_server_stub::run),
    (7, ch07_errors::run),
    (8, ch08_single_threaded::run),
    (9, ch09_thread_per_connection::run),
    (10, ch10_thread_pool::run),
    (11, ch11_process_per_connection::run),
    (13, ch13_time::run),
    (14, ch14_six_wires::run),
];

fn main() -> ExitCode {
    let chapter = env::args().nth(1).and_then(|word| word.parse().ok());
    let Some((_, run)) = EXPERIMENTS.iter().find(|(number, _)| Some(*number) == chapter) else {
        let numbers: Vec<_> = EXPERIMENTS.iter().map(|(number, _)| number.to_string()).collect();
        let numbers = numbers.join(", ");
        eprintln!(
            "which chapter's? cargo run --example break_it -- N, where N is one of {numbers}"
        );
        return ExitCode::from(2);
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the experiment failed in a way that it should not: {error}");
            ExitCode::FAILURE
        }
    }
}
