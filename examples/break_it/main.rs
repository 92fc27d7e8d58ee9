//! Break it: an experiment that fails, for each chapter of the book that has one.
//!
//! `cargo run --example break_it -- 3` runs that of chapter 3.

mod ch01_nine_steps;
mod ch02_packing;
mod ch03_frames;
mod ch04_channel;
mod ch05_client_stub;

use std::env;
use std::error::Error;
use std::process::ExitCode;

type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

/// A chapter's number, and its experiment.
const EXPERIMENTS: &[(u32, fn() -> Result)] = &[
    (1, ch01_nine_steps::run),
    (2, ch02_packing::run),
    (3, ch03_frames::run),
    (4, ch04_channel::run),
    (5, ch05_client_stub::run),
];

fn main() -> ExitCode {
    let chapter = env::args().nth(1).and_then(|word| word.parse().ok());
    let Some((_, run)) = EXPERIMENTS.iter().find(|(number, _)| Some(*number) == chapter) else {
        let numbers = EXPERIMENTS.iter().map(|(number, _)| number.to_string());
        let numbers = numbers.collect::<Vec<_>>().join(", ");
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
