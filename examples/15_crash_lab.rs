//! The crash lab: one client makes trouble while eight neighbours are connected. Who survives?
//!
//! Chapter 12. Every row is a fresh server process, which is this program, started again. The
//! whole table is `ninestep compare --crash-lab`.

use ninestep::compare::crash_lab::{CrashLab, Trouble};
use ninestep::compare::{Survived, run_if_child};

/// What is left behind, for people.
fn remains(row: &Survived) -> String {
    if !row.server_alive {
        return "the server is gone".to_owned();
    }
    let remains = row.remains.iter().map(|it| format!("{} {} {}", it.what, it.amount, it.unit));
    match remains.collect::<Vec<_>>().join(", ") {
        nothing if nothing.is_empty() => "nothing remains".to_owned(),
        something => something,
    }
}

fn print(row: &Survived) {
    let Survived { trouble, strategy, neighbours, neighbours_alive, calls_lost, .. } = row;
    if let Some(cannot) = &row.cannot_run {
        return println!("{trouble:<16}{strategy:<15}{}; {}", cannot.reason, cannot.remedy);
    }
    let fresh = match row.fresh_connection_ms {
        Some(after) => format!("a new client is answered after {after:.1} ms"),
        None => "a new client is not answered".to_owned(),
    };
    let alive = format!("{neighbours_alive} of {neighbours}");
    println!("{trouble:<16}{strategy:<15}{alive:<12}{calls_lost:<12}{}; {fresh}", remains(row));
}

fn main() -> std::io::Result<()> {
    // First thing in `main`: a server of the lab runs here and does not return.
    run_if_child();
    println!("trouble         strategy       neighbours  calls lost  afterwards");
    let lab = CrashLab {
        troubles: vec![Trouble::PanicWithLock, Trouble::Abort, Trouble::LeakMemory],
        strategies: ["thread", "process-fork", "process-pool"].map(String::from).to_vec(),
        ..CrashLab::new()?
    };
    lab.run(&mut print);
    Ok(())
}
