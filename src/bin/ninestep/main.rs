//! The command line: a thin shell over the library.
#![deny(clippy::unwrap_used, clippy::expect_used)]

mod call;
mod serve;
mod tour;
mod trace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A remote procedure call in nine explicit steps. Without a command: the tour.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the demo services until Ctrl-C.
    Serve(serve::Serve),
    /// Make one call and print its result as JSON.
    Call(call::Call),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    match arguments.command {
        None => tour::run(),
        Some(Command::Serve(serve)) => serve.run(),
        Some(Command::Call(call)) => call.run(),
    }
}

/// Prints what went wrong; the code is for errors that are no fault.
fn failed(error: &ninestep::Error) -> ExitCode {
    anstream::eprintln!("error: {}", error.with_causes());
    ExitCode::from(2)
}
