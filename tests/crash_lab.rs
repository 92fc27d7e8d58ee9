//! The crash lab: the cells of its table that are certain, what cannot be run, and that nothing is
//! left of it.
#![cfg(feature = "cli")]

pub mod support;

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ninestep::compare::crash_lab::{CrashLab, Trouble};
use ninestep::compare::{Survival, Survived};
use support::{Killer, children_of, eventually, processes};

/// Says that `entry` is to run a lab in a process that a test starts.
const ENTRY: &str = "NINESTEP_TEST_ENTRY";

const STRATEGIES: [&str; 6] =
    ["single", "thread", "thread-pool", "process-fork", "process-spawn", "process-pool"];

/// How the line begins that holds the table.
const TABLE: &str = "table: ";

fn lab() -> CrashLab {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_ninestep"));
    CrashLab { program, at_once: 2, ..CrashLab::new().unwrap() }
}

/// What must be so in a row: whether the server lives, and what remains of the trouble.
fn expected(trouble: Trouble, strategy: &str) -> (bool, Vec<(&'static str, f64)>) {
    let fatal = matches!(
        trouble,
        Trouble::Abort
            | Trouble::StackOverflow
            | Trouble::Exit
            | Trouble::Kill
            | Trouble::OutOfMemory
    );
    let in_process = strategy.starts_with("process-");
    if fatal && !in_process {
        return (false, Vec::new());
    }
    // Everybody shares one process; or one of twelve connections gets the troubled process.
    let shared_by = match strategy {
        "single" => 9.0,
        "process-pool" => 1.0,
        "process-fork" | "process-spawn" => return (true, Vec::new()),
        _ => 12.0,
    };
    let remains = match trouble {
        Trouble::PanicWithLock => vec![("poisoned lock", shared_by)],
        Trouble::ChangeDirectory => vec![("directory changed", shared_by)],
        Trouble::LeakMemory => vec![("memory", 320.0)],
        Trouble::LeakDescriptors => vec![("descriptors", 100.0)],
        Trouble::Spin if !in_process => vec![("busy core", 1.0)],
        _ => Vec::new(),
    };
    (true, remains)
}

/// What is wrong with a row.
fn wrong(row: &Survived, trouble: Trouble) -> Option<String> {
    let (alive, remains) = expected(trouble, &row.strategy);
    let neighbours_alive = if alive { 8 } else { 0 };
    let is_near = |found: f64, expected: f64| (found - expected).abs() <= expected / 20.0;
    // Whoever spins on holds a connection and may hold memory of it.
    let counts = |what: &str| trouble != Trouble::Spin || what == "busy core";
    let found: Vec<_> = row.remains.iter().filter(|it| counts(&it.what)).collect();
    let as_expected = row.cannot_run.is_none()
        && (row.server_alive, row.fresh_connection_ms.is_some()) == (alive, alive)
        && (row.neighbours, row.neighbours_alive) == (8, neighbours_alive)
        && row.calls_lost == 8 - neighbours_alive
        && found.len() == remains.len()
        && remains
            .iter()
            .zip(&found)
            .all(|((what, amount), found)| found.what == *what && is_near(found.amount, *amount));
    (!as_expected).then(|| format!("{row:?}"))
}

#[test]
fn the_cells_that_are_certain_and_nothing_is_left() {
    let output = start("table").output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let table = printed.lines().find_map(|line| line.strip_prefix(TABLE));
    let Some(table) = table else { panic!("{output:?}") };
    let survival: Survival = serde_json::from_str(table).unwrap();
    let pairs = Trouble::ALL.iter().flat_map(|it| STRATEGIES.map(|name| (it, name)));
    let pairs: Vec<_> = pairs.collect();
    assert_eq!(survival.rows.len(), pairs.len());
    let mut errors = Vec::new();
    for (row, (trouble, strategy)) in survival.rows.iter().zip(pairs) {
        assert_eq!((&row.trouble, &*row.strategy), (&trouble.to_string(), strategy));
        errors.extend(wrong(row, *trouble));
    }
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    assert!(printed.contains("nothing is left") && output.status.success(), "{output:?}");
}

#[test]
fn a_lab_that_is_interrupted_begins_no_further_row() {
    let lab = CrashLab { at_once: 1, ..lab() };
    let interrupted = Arc::clone(&lab.interrupted);
    let survival = lab.run(&mut |_| interrupted.store(true, Ordering::Relaxed));
    // The second may have begun while the first was shown.
    assert!(matches!(survival.rows.len(), 1 | 2), "{survival:?}");
    assert_eq!(survival.rows[0].trouble, "panic");
}

/// The only row of a lab whose servers run this program, which has to be in it.
fn cannot_run(program: impl Into<PathBuf>) -> (String, String) {
    let (troubles, strategies) = (vec![Trouble::Panic], vec!["thread".to_owned()]);
    let lab = CrashLab { troubles, strategies, program: program.into(), ..lab() };
    let mut rows = lab.run(&mut |_| ()).rows;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].server_alive, rows[0].neighbours), (false, 0));
    let cannot = rows.remove(0).cannot_run.expect("it cannot be run");
    (cannot.reason, cannot.remedy)
}

#[test]
fn what_cannot_be_run_is_a_row_with_reason_and_remedy() {
    let (reason, _) = cannot_run("/nonexistent/program");
    assert!(reason.contains("cannot be started: No such file"), "{reason}");

    let (reason, remedy) = cannot_run("/bin/true");
    assert!(reason.contains("ended without an answer"), "{reason}");
    assert!(remedy.contains("run_if_child()"), "{remedy}");

    const SCRIPT: &str = r#"#!/bin/sh
echo '{"Ok":"127.0.0.1:1"}'
echo '{"Err":{"reason":"fork is refused","remedy":"use spawn"}}'
"#;
    // As a strategy does that refuses to run: the address is known by then.
    let script = Path::new(env!("CARGO_TARGET_TMPDIR")).join("refuses.sh");
    fs::write(&script, SCRIPT).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let (reason, remedy) = cannot_run(&script);
    assert_eq!((&*reason, &*remedy), ("fork is refused", "use spawn"));

    let lab =
        CrashLab { troubles: vec![Trouble::Panic], strategies: vec!["tread".into()], ..lab() };
    let row = lab.run(&mut |_| ()).rows.remove(0);
    assert_eq!(row.cannot_run.unwrap().reason, "there is no such strategy");
}

/// Runs a lab in a process of its own, which is this program, started again.
fn start(what: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "entry", "--nocapture"]).env(ENTRY, what);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The `main` of such a process. As a test of its own it does nothing.
#[test]
fn entry() {
    let lab = match env::var(ENTRY).as_deref() {
        Ok("table") => lab(),
        Ok("long") => {
            let strategies = STRATEGIES[1..].iter().map(|name| name.to_string()).collect();
            CrashLab { troubles: vec![Trouble::Panic; 1000], strategies, at_once: 4, ..lab() }
        }
        _ => return,
    };
    // Whoever is left behind by its parent becomes this process's child.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    let held = || {
        let count = |folder: &str| fs::read_dir(folder).unwrap().count();
        (count("/proc/self/fd"), count("/proc/self/task"), children_of(std::process::id()))
    };
    let before = held();
    let survival = lab.run(&mut |_| ());
    println!("\n{TABLE}{}", serde_json::to_string(&survival).unwrap());
    eventually("nothing is left", || held() == before);
    println!("nothing is left");
}

/// Every process that descends from this one.
fn descendants(of: u32) -> Vec<u32> {
    let processes = processes();
    let mut family = vec![of];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(processes.iter().filter(|it| it.1 == parent).map(|it| it.0));
        next += 1;
    }
    family.split_off(1)
}

#[test]
fn nothing_is_left_of_a_lab_that_is_killed() {
    let lab = Killer::new(start("long").spawn().unwrap());
    let mut left = Vec::new();
    eventually("servers have children", || {
        left = descendants(lab.pid());
        left.len() > 20
    });
    drop(lab);
    eventually("all are gone", || {
        let running = processes().into_iter().filter(|(_, _, state)| *state != 'Z');
        !running.map(|(pid, ..)| pid).any(|pid| left.contains(&pid))
    });
}
