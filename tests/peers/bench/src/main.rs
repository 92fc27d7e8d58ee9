//! Measures ninestep against other RPC systems, each with its own client and its own server, and
//! the tutorials' Python clients against our servers and against Python's:
//!
//! ```console
//! $ cargo run --release --manifest-path tests/peers/bench/Cargo.toml
//! $ cargo run --release --manifest-path tests/peers/bench/Cargo.toml -- --full
//! $ cargo run --release --manifest-path tests/peers/bench/Cargo.toml -- --only thrift
//! ```
//!
//! For the Python part `cargo test --test peers` must have run once, with the same target folder.
//!
//! It measures as `cargo bench` does, with the same code: processes that are pinned to cores and
//! take turns, and the median of the ratios of two neighbouring turns.
//!
//! With 64 connections there is one call at a time on each. The clients of jsonrpsee and tonic are
//! tasks on one thread there, since there is one core for them; so ours are driven by one thread
//! too, which goes from connection to connection, waits for the call on it and sends the next, as
//! each of those tasks does. Apache's clients block, and have a thread each; then so have ours.

mod apache;
mod constant;
mod json_rpsee;
mod memory;
mod ours;
mod python;
mod tasks;
mod tonic;

#[path = "../../../bench/calls.rs"]
mod calls;
#[path = "../../../bench/compare.rs"]
mod compare;
#[path = "../../../bench/machine.rs"]
mod machine;
#[path = "../../../bench/process.rs"]
mod process;
#[path = "../../../bench/table.rs"]
mod table;

use std::env;
use std::error::Error;
use std::process::ExitCode;

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::calls::check;
use crate::compare::Plan;
use crate::table::Row;

/// What every part of the benchmark returns: a failure is printed in its row.
type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Marks a process that this benchmark started.
const ROLE: &str = "--role";

/// Pairs of turns for each ratio.
const ROUNDS: usize = 31;
const ROUNDS_IN_FULL: usize = 201;

/// What each plan has.
const PLAN: Plan = Plan {
    work: "",
    ours: [""; 3],
    other: [""; 3],
    least: 1.0,
    no_target: &[],
    units: &["calls/s"],
    turns_of_a_server: compare::SOME_TURNS,
};

/// Apache's server has a pool of threads, and so has ours here.
const THRIFT: [Plan; 2] = [
    Plan {
        work: "Thrift against Apache's crate, one call at a time",
        ours: ["serve", "pool-thrift", "thrift-lone"],
        other: ["serve", "apache", "apache-lone"],
        ..PLAN
    },
    Plan {
        work: "Thrift against Apache's crate, 64 connections, a thread each",
        ours: ["serve", "pool-thrift", "thrift-threads"],
        other: ["serve", "apache", "apache-threads"],
        ..PLAN
    },
];

const JSON_RPC: [Plan; 2] = [
    Plan {
        work: "JSON-RPC against jsonrpsee, one call at a time",
        ours: ["serve", "json-rpc", "json-rpc-lone"],
        other: ["serve", "jsonrpsee", "jsonrpsee-lone"],
        least: 1.1,
        ..PLAN
    },
    Plan {
        work: "JSON-RPC against jsonrpsee, 64 connections of one thread",
        ours: ["serve", "json-rpc", "json-rpc-many"],
        other: ["serve", "jsonrpsee", "jsonrpsee-many"],
        least: 1.1,
        ..PLAN
    },
];

const GRPC: [Plan; 2] = [
    Plan {
        work: "gRPC against tonic, one call at a time",
        ours: ["serve", "grpc", "grpc-lone"],
        other: ["serve", "tonic", "tonic-lone"],
        ..PLAN
    },
    Plan {
        work: "gRPC against tonic, 64 connections of one thread",
        ours: ["serve", "grpc", "grpc-many"],
        other: ["serve", "tonic", "tonic-many"],
        ..PLAN
    },
];

/// A Python client's time is its own for the most part, and no server makes that part faster. So
/// what is compared is the time that it waits, which `clients.py` measures; how many answers it gets
/// in all is there for information.
const WAITING: Plan =
    Plan { least: 2.0, units: &["answers per second of waiting", "answers/s"], ..PLAN };

/// On a connection that is kept a client with a core of its own waits for a core to wake up above all,
/// whoever answers.
const KEPT: Plan = Plan { no_target: &[compare::A_CORE_EACH], ..WAITING };

/// For information. thriftpy2's server is in C for the most part: with one client that stays even a
/// program that knows no more than the one reply ([`constant`]) does not answer twice as fast.
const KEPT_BY_C: Plan = Plan { no_target: &[compare::ONE_CORE, compare::A_CORE_EACH], ..WAITING };

/// The tutorials' Python clients as they are, one after another; then one client that goes on calling,
/// which no tutorial has. Two servers with the same strategy: thriftpy2's and grpcio's have threads for
/// several clients, the others one thread for all.
const PYTHON: [Plan; 11] = [
    Plan {
        work: "thriftpy2's clients: our server against its own",
        ours: ["serve", "thrift", "python-thrift"],
        other: ["serve", "python-thrift", "python-thrift"],
        ..WAITING
    },
    Plan {
        work: "jsonrpclib's clients: our server against its own",
        ours: ["serve", "single-json-rpc", "python-json_rpc"],
        other: ["serve", "python-json_rpc", "python-json_rpc"],
        ..WAITING
    },
    Plan {
        work: "xmlrpc's clients: our server against its own",
        ours: ["serve", "single-xml-rpc", "python-xml_rpc"],
        other: ["serve", "python-xml_rpc", "python-xml_rpc"],
        ..WAITING
    },
    Plan {
        work: "hprose's clients: our server against its own",
        ours: ["serve", "single-hprose", "python-hprose"],
        other: ["serve", "python-hprose", "python-hprose"],
        ..WAITING
    },
    Plan {
        work: "grpcio's clients: our server against its own",
        ours: ["serve", "grpc", "python-grpc"],
        other: ["serve", "python-grpc", "python-grpc"],
        ..WAITING
    },
    Plan {
        work: "one client of thriftpy2: our server against its own",
        ours: ["serve", "thrift", "python-thrift-kept"],
        other: ["serve", "python-thrift", "python-thrift-kept"],
        ..KEPT_BY_C
    },
    Plan {
        work: "one client of jsonrpclib: our server against its own",
        ours: ["serve", "single-json-rpc", "python-json_rpc-kept"],
        other: ["serve", "python-json_rpc", "python-json_rpc-kept"],
        ..KEPT
    },
    Plan {
        work: "one client of xmlrpc: our server against its own",
        ours: ["serve", "single-xml-rpc", "python-xml_rpc-kept"],
        other: ["serve", "python-xml_rpc", "python-xml_rpc-kept"],
        ..KEPT
    },
    Plan {
        work: "one client of hprose: our server against its own",
        ours: ["serve", "single-hprose", "python-hprose-kept"],
        other: ["serve", "python-hprose", "python-hprose-kept"],
        ..KEPT
    },
    Plan {
        work: "one client of grpcio: our server against its own",
        ours: ["serve", "grpc", "python-grpc-kept"],
        other: ["serve", "python-grpc", "python-grpc-kept"],
        ..KEPT
    },
    Plan {
        work: "one client of thriftpy2: a constant answer against its own server",
        ours: ["serve", "constant", "python-thrift-kept"],
        other: ["serve", "python-thrift", "python-thrift-kept"],
        ..KEPT_BY_C
    },
];

/// A name for `--only`, and what it measures.
type Part = (&'static str, fn(usize) -> Vec<Row>);

const PARTS: [Part; 5] = [
    ("thrift", |rounds| rows(&THRIFT, rounds)),
    ("json-rpc", |rounds| rows(&JSON_RPC, rounds)),
    ("grpc", |rounds| rows(&GRPC, rounds)),
    // Python takes longer to start than a turn takes, and what is asked for is not a few per cent.
    ("python", |rounds| rows(&PYTHON, rounds / 5)),
    ("memory", |_| memory::rows()),
];

fn rows(plans: &[Plan], rounds: usize) -> Vec<Row> {
    plans.iter().flat_map(|plan| compare::rows(plan, rounds)).collect()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match &words[..] {
        [ROLE, role @ ..] => play(role),
        words => measure(words),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", words.join(" "));
            ExitCode::FAILURE
        }
    }
}

fn measure(words: &[&str]) -> Result<()> {
    let (mut rounds, mut only) = (ROUNDS, None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match (*word, words.as_slice().first()) {
            ("--full", _) => rounds = ROUNDS_IN_FULL,
            ("--only", Some(name)) if PARTS.iter().any(|(part, _)| part == name) => {
                only = words.next();
            }
            _ => {
                let names = PARTS.map(|(name, _)| name).join(", ");
                return Err(
                    format!("not understood: [--full] [--only NAME]; names: {names}").into()
                );
            }
        }
    }
    println!("{}", machine::description());
    let parts = PARTS.iter().filter(|(name, _)| only.is_none_or(|only| only == name));
    let rows: Vec<Row> = parts.flat_map(|(_, part)| part(rounds)).collect();
    print!("{}", table::text(&rows));
    Ok(())
}

/// What a process of this benchmark does, as its arguments say it: `serve SYSTEM CORE` or `client
/// WORK CORE ADDRESS`.
fn play(role: &[&str]) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    machine::raise_descriptor_limit()?;
    let ([_, _, core] | [_, _, core, _]) = role else { return Err("no such role".into()) };
    machine::pin(core.parse()?)?;
    match *role {
        ["serve", "apache", _] => apache::serve(),
        ["serve", "constant", _] => constant::serve(),
        ["serve", "jsonrpsee", _] => json_rpsee::serve(),
        ["serve", "tonic", _] => tonic::serve(),
        ["serve", system, _] => match system.strip_prefix("python-") {
            Some(system) => python::serve(system),
            None => ours::serve(system),
        },
        ["client", work, _, address] => match work.split_once('-') {
            Some(("apache", work)) => apache::client(work, address),
            Some(("jsonrpsee", work)) => json_rpsee::client(work, address),
            Some(("tonic", work)) => tonic::client(work, address),
            Some(("python", system)) => python::client(system, address),
            _ => ours::client(work, address),
        },
        _ => Err("no such role".into()),
    }
}
