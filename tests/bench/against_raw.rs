//! Measures ninestep against raw blocking TCP that does the same exchange with the same number of
//! bytes: `cargo bench`, `cargo bench -- --only NAME`, `cargo bench -- --full`.
//!
//! Client and server are processes of their own, which are this program started again with a
//! role. Each is pinned to a core, because a round trip within one core and one between two
//! differ by a factor of three, and an unpinned one is sometimes this and sometimes that. Rates
//! drift while a benchmark runs, so ninestep and raw TCP take turns, and what counts is the median
//! of the ratios of two neighbouring turns.

mod calls;
mod compare;
mod fork;
mod machine;
mod memory;
mod observed;
mod ours;
mod plans;
mod process;
mod raw;
mod stops;
mod table;

use std::env;
use std::error::Error;
use std::process::ExitCode;

use rustix::process::{Signal, set_parent_process_death_signal};

use table::Row;

/// What every part of the benchmark returns: a failure is printed in its row.
type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Marks a process that this benchmark started.
const ROLE: &str = "--role";

/// How much is measured.
#[derive(Clone, Copy)]
struct Size {
    /// Pairs of turns for each ratio.
    rounds: usize,
    /// Stops of each strategy.
    stops: usize,
}

impl Size {
    const DEFAULT: Size = Size { rounds: 31, stops: 50 };
    const FULL: Size = Size { rounds: 101, stops: 1_000 };
}

/// A name for `--only`, and what it measures.
type Part = (&'static str, fn(Size) -> Vec<Row>);

const PARTS: [Part; 11] = [
    ("lone", |size| compare::rows(&plans::LONE, size.rounds)),
    ("shared", |size| compare::rows(&plans::SHARED, size.rounds)),
    ("many", |size| compare::rows(&plans::MANY, size.rounds)),
    ("flight", |size| {
        [plans::BATCH, plans::FLIGHT]
            .iter()
            .flat_map(|plan| compare::rows(plan, size.rounds))
            .collect()
    }),
    ("mib", |size| compare::rows(&plans::MIB, size.rounds)),
    ("connect", |size| compare::rows(&plans::CONNECT, size.rounds)),
    ("fork", |size| compare::rows(&plans::FORK, size.rounds)),
    ("pool", |size| {
        let plans = [plans::POOL_CALLS, plans::POOL_CONNECTIONS];
        plans.iter().flat_map(|plan| compare::rows(plan, size.rounds)).collect()
    }),
    ("memory", |_| memory::rows()),
    ("stops", stops::rows),
    ("observed", observed::rows),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let [ROLE, role @ ..] = &words[..] {
        return match play(role) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{}: {error}", words.join(" "));
                ExitCode::FAILURE
            }
        };
    }
    // `cargo test --all-targets` starts a benchmark too, without this word.
    if !words.contains(&"--bench") {
        println!("nothing is measured without --bench, which cargo bench gives");
        return ExitCode::SUCCESS;
    }
    match options(&words) {
        Ok((size, only)) => {
            measure(size, only);
            ExitCode::SUCCESS
        }
        Err(why) => {
            let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
            eprintln!("{why}\ncargo bench -- [--full] [--only NAME]; names: {}", names.join(", "));
            ExitCode::FAILURE
        }
    }
}

/// What a process of this benchmark does, as its arguments say it: `serve WHAT CORE`,
/// `raw-serve WHAT CORE`, `client WORK CORE ADDRESS` or `stoppable STRATEGY FILE`.
fn play(role: &[&str]) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    machine::raise_descriptor_limit()?;
    match *role {
        ["serve", what, core] => {
            machine::pin(core.parse()?)?;
            ours::serve(what)
        }
        ["raw-serve", what, core] => {
            machine::pin(core.parse()?)?;
            raw::serve(what)
        }
        ["client", work, core, address] => {
            machine::pin(core.parse()?)?;
            match work.strip_prefix("raw-") {
                Some(work) => raw::client(work, address.parse()?),
                None => ours::client(work, address),
            }
        }
        ["stoppable", strategy, file] => stops::serve(strategy, file),
        _ => Err("no such role".into()),
    }
}

fn options<'a>(words: &[&'a str]) -> Result<(Size, Option<&'a str>)> {
    let (mut size, mut only) = (Size::DEFAULT, None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--bench" => {}
            "--full" => size = Size::FULL,
            "--only" => {
                let name = *words.next().ok_or("--only needs a name")?;
                if !PARTS.iter().any(|(known, _)| *known == name) {
                    return Err(format!("there is no part {name}").into());
                }
                only = Some(name);
            }
            other => return Err(format!("{other} is not understood").into()),
        }
    }
    Ok((size, only))
}

fn measure(size: Size, only: Option<&str>) {
    println!("{}", machine::description());
    let mut rows = Vec::new();
    for (name, part) in PARTS {
        if only.is_none_or(|only| only == name) {
            rows.extend(part(size));
        }
    }
    print!("{}", table::text(&rows));
}
