//! `ninestep` without a command, as a newcomer sees it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// One run, which several tests look at.
struct Run {
    status: ExitStatus,
    lines: Vec<String>,
    stderr: String,
    took: Duration,
    left_behind: Vec<u32>,
}

static RUN: LazyLock<Run> = LazyLock::new(|| {
    let start = Instant::now();
    let output = tour("whole").output().unwrap();
    Run {
        status: output.status,
        lines: String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        took: start.elapsed(),
        left_behind: processes("whole"),
    }
});

/// The tour, piped. All its processes can be found by the mark in their environment.
fn tour(mark: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ninestep"));
    command.env("NINESTEP_TEST", own(mark)).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn own(mark: &str) -> String {
    format!("{mark}-{}", std::process::id())
}

/// The processes of a tour that live.
fn processes(mark: &str) -> Vec<u32> {
    let wanted = format!("NINESTEP_TEST={}", own(mark)).into_bytes();
    let all = fs::read_dir("/proc").unwrap().flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let ours = numbers.filter(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted)
    });
    ours.collect()
}

/// The lines between two titles.
fn part(title: &str, next: &str) -> Vec<&'static str> {
    let lines = RUN.lines.iter().map(String::as_str);
    lines.skip_while(|line| *line != title).take_while(|line| *line != next).skip(1).collect()
}

fn steps_part() -> Vec<&'static str> {
    part("One call, two processes, nine steps", "The same call on each server strategy")
}

/// Number, who, process, thread and what is done, for each step.
fn steps() -> Vec<(u8, String, u32, u64, String)> {
    let lines = steps_part();
    let lines = lines.iter().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let steps = lines.filter(|line| line.as_bytes()[2].is_ascii_digit());
    let read = |line: &&str| {
        let (who, rest) = line[3..].trim_start().split_at(11);
        let mut words = rest.split_whitespace();
        let [process, thread, at] = [(); 3].map(|()| words.next().unwrap());
        at.parse::<u64>().unwrap();
        let does = words.collect::<Vec<_>>().join(" ");
        let (process, thread) = (process.parse().unwrap(), thread.parse().unwrap());
        (line[2..3].parse().unwrap(), who.trim().to_owned(), process, thread, does)
    };
    steps.map(read).collect()
}

#[test]
fn it_succeeds_quickly_and_leaves_nothing_behind() {
    assert!(RUN.status.success(), "{}\n{}", RUN.status, RUN.stderr);
    assert_eq!(RUN.stderr, "");
    assert!(RUN.took < Duration::from_secs(20), "{:?}", RUN.took);
    assert_eq!(RUN.left_behind, [0; 0]);
}

#[test]
fn it_is_plain_and_fits_when_it_is_piped() {
    for line in &RUN.lines {
        assert!(!line.contains('\x1b'), "{line:?}");
        let program = env!("CARGO_BIN_EXE_ninestep");
        assert!(line.chars().count() <= 100 || line.contains(program), "{line}");
    }
}

#[test]
fn the_steps_are_nine_in_order_each_with_its_actor() {
    let actors: Vec<(u8, String)> =
        steps().into_iter().map(|(number, who, ..)| (number, who)).collect();
    let expected = [
        (1, "client"),
        (2, "client stub"),
        (3, "client stub"),
        (4, "server stub"),
        (5, "server stub"),
        (6, "server"),
        (7, "server stub"),
        (8, "client stub"),
        (9, "client"),
    ];
    assert_eq!(actors, expected.map(|(number, who)| (number, who.to_owned())));
}

#[test]
fn the_steps_say_what_is_done() {
    let does: Vec<String> = steps().into_iter().map(|(.., does)| does).collect();
    assert_eq!(
        does,
        [
            "calls add(10, 5) as if it were local",
            "packs name and arguments into a message of 43 bytes",
            "sends it over the channel, after a greeting of 4 bytes",
            "receives the same 43 bytes and unpacks name and arguments",
            "calls the local procedure add(10, 5)",
            "runs it and returns its result",
            "packs the result into a message of 18 bytes and sends it",
            "receives the same 18 bytes and unpacks the result",
            "has the result: 15",
        ]
    );
}

#[test]
fn client_and_server_are_two_processes() {
    let steps = steps();
    let process = |numbers: &[u8]| {
        let of = |number: &u8| steps[usize::from(*number) - 1].2;
        let first = of(&numbers[0]);
        assert!(numbers.iter().all(|number| of(number) == first), "{steps:?}");
        first
    };
    let (client, server) = (process(&[1, 2, 3, 8, 9]), process(&[4, 5, 6, 7]));
    assert_ne!(client, server);
    // A thread per connection: the server's first thread has another number.
    assert_ne!(u64::from(server), steps[3].3);
    let text = steps_part().join("\n");
    assert!(text.contains(&format!("  process {server}  ninestep serve")), "{text}");
    assert!(text.contains(&format!("  process {client}  ninestep call")), "{text}");
}

#[test]
fn each_message_is_shown_once_and_every_field_is_named() {
    let lines = steps_part();
    let dumps: Vec<String> = lines
        .iter()
        .filter(|line| line.starts_with("       "))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        dumps,
        [
            "0 00 00 00 27 ...' length 39 bytes follow",
            "4 43 C kind call",
            "5 00 00 00 01 .... id 1",
            "9 00 00 00 00 .... deadline none",
            "13 00 00 00 03 .... procedure: length 3",
            r#"17 61 64 64 add procedure "add""#,
            "20 5b 00 00 00 02 [.... arguments 2 by position",
            "25 71 00 00 00 00 00 00 00 0a q........ argument 1: integer 10",
            "34 71 00 00 00 00 00 00 00 05 q........ argument 2: integer 5",
            "0 39 53 54 9ST magic 9ST",
            "3 01 . version 1",
            "0 00 00 00 0e .... length 14 bytes follow",
            "4 52 R kind reply",
            "5 00 00 00 01 .... id 1",
            "9 71 00 00 00 00 00 00 00 0f q........ result: integer 15",
        ]
    );
}

#[test]
fn the_table_has_six_strategies_with_what_was_measured() {
    let lines = part("The same call on each server strategy", "Where to go on");
    let rows: Vec<Vec<&str>> = lines
        .iter()
        .filter(|line| line.contains('┆'))
        .map(|line| line.split(['│', '┆']).map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(rows[0], ["strategy", "calls/s", "connections/s", "12 connections served by"]);
    let names: Vec<&str> = rows[1..].iter().map(|row| row[0]).collect();
    let expected = [
        "single-threaded",
        "thread per connection",
        "thread pool",
        "process per connection, by fork",
        "process per connection, by spawn",
        "process pool",
    ];
    assert_eq!(names, expected);
    for row in &rows[1..] {
        for rate in &row[1..3] {
            let rate: u64 = rate.replace(',', "").parse().unwrap();
            assert!(rate > 0, "{row:?}");
        }
    }
    assert_eq!(rows[1][3], "1 process, 1 thread");
    assert_eq!(rows[2][3], "1 process, 12 threads");
    assert!(rows[3][3].starts_with("1 process, "), "{}", rows[3][3]);
    assert_eq!(rows[4][3], "12 processes, 12 threads");
    assert_eq!(rows[5][3], "12 processes, 12 threads");
    // Four for each core, which take turns.
    assert!(rows[6][3].contains(" processes, "), "{}", rows[6][3]);
}

#[test]
fn it_ends_with_where_to_go_on() {
    let text = part("Where to go on", "no such line").join("\n");
    let program = env!("CARGO_BIN_EXE_ninestep");
    for hint in [
        "cargo run --example 01_local_and_remote".to_owned(),
        "chapter 1      cargo book serve".to_owned(),
        "chapters/01-nine-steps.md".to_owned(),
        format!("{program} compare --quick"),
        format!("{program} serve"),
        format!("{program} call --trace 127.0.0.1:9000 add 10 5"),
    ] {
        assert!(text.contains(&hint), "{hint:?} is not in:\n{text}");
    }
}

#[test]
fn it_says_which_part_failed_and_what_to_run() {
    // Its servers take themselves for children of a spawning server, and cannot start.
    let output = tour("failing").env("NINESTEP_CHILD", "1").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    for part in [
        "error: stopped while starting a server: ",
        "said: error: ",
        &format!("run: {} serve --listen 127.0.0.1:0", env!("CARGO_BIN_EXE_ninestep")),
    ] {
        assert!(stderr.contains(part), "{part:?} is not in:\n{stderr}");
    }
    assert_eq!(processes("failing"), [0; 0]);
}

/// Starts the tour and reads until it measures.
fn measuring(mark: &str) -> (Child, BufReader<impl Read>) {
    let mut child = tour(mark).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("The same call") {
        line.clear();
        assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "the tour ended too soon");
    }
    (child, stdout)
}

#[test]
fn a_signal_ends_it_with_all_its_processes() {
    for (mark, signal) in [("interrupted", Signal::INT), ("terminated", Signal::TERM)] {
        let (mut child, mut stdout) = measuring(mark);
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest.trim(), "", "it went on after the signal");
        assert_eq!(processes(mark), [0; 0]);
    }
}

#[test]
fn it_ends_quietly_when_nobody_reads_on() {
    let (mut child, stdout) = measuring("unread");
    drop(stdout);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(stderr, "");
    assert_eq!(processes("unread"), [0; 0]);
}
