//! The command line: a thin shell over the library.
#![deny(clippy::unwrap_used, clippy::expect_used)]

mod call;
mod compare;
mod idl;
mod json_lines;
mod protocol;
mod serve;
mod tour;
mod trace;

use std::fmt::Display;
use std::process::ExitCode;

use anstyle::AnsiColor;
use clap::{Parser, Subcommand};

/// A remote procedure call in nine explicit steps.
///
/// Without a command it gives the tour: one call between two processes, step by step, then the
/// server strategies side by side.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  ninestep                                   the tour
  ninestep serve                             a server, until Ctrl-C
  ninestep call 127.0.0.1:9000 add 10 5      one call to it, from another terminal
  ninestep trace --out trace.html add 10 5   the nine steps of a call, as a page
  ninestep idl --format thrift               the demo services for other systems
  ninestep compare --quick                   threads or processes? a minute, and a report";

#[derive(Subcommand)]
enum Command {
    /// Serve the demo services until Ctrl-C.
    Serve(serve::Serve),
    /// Make one call and print its result as JSON.
    Call(call::Call),
    /// Make one call between two processes and show its nine steps, on request as a page.
    Trace(trace::TraceCall),
    /// Print the demo services' description: a Thrift file, a .proto, an OpenRPC document.
    Idl(idl::Idl),
    /// Measure the server strategies side by side, on this machine.
    Compare(compare::Compare),
}

fn main() -> ExitCode {
    ninestep::compare::run_if_child();
    let arguments = Arguments::parse();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    match arguments.command {
        None => tour::run(),
        Some(Command::Serve(serve)) => serve.run(),
        Some(Command::Call(call)) => call.run(),
        Some(Command::Trace(trace)) => trace.run(),
        Some(Command::Idl(idl)) => idl.run(),
        Some(Command::Compare(compare)) => compare.run(),
    }
}

/// Prints what went wrong and what to do about it; the code is for errors that are no fault.
fn failed(error: impl Display, tip: impl Display) -> ExitCode {
    let red = AnsiColor::Red.on_default().bold();
    anstream::eprintln!("{red}error:{red:#} {error}");
    self::tip(tip);
    ExitCode::from(2)
}

fn tip(tip: impl Display) {
    let green = AnsiColor::Green.on_default();
    anstream::eprintln!("  {green}tip:{green:#} {tip}");
}

/// Prints what may not be what was meant.
fn warn(warning: impl Display) {
    let yellow = AnsiColor::Yellow.on_default().bold();
    anstream::eprintln!("{yellow}warning:{yellow:#} {warning}");
}
