//! Break it: an experiment that fails, for each chapter of the book that has one.
//!
//! `cargo run --example break_it -- 3` runs that of chapter 3.

mod ch03_frames;

use std::env;
use std::error::Error;
use std::process::ExitCode;

type Result = std::result::Result<(), Box<dyn Error>>;

/// A chapter's number, and its experiment.
const EXPERIMENTS: [(u32, fn() -> Result); 1] = [(3, ch03_frames::run)];

fn main() -> ExitCode {
    let chapter = env::args().nth(1).and_then(|word| word.parse().ok());
    let Some((_, run)) = EXPERIMENTS.iter().find(|(number, _)| Some(*number) == chapter) else {
        let numbers = EXPERIMENTS.map(|(number, _)| number.to_string()).join(", ");
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
