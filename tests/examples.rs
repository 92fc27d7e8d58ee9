//! Every numbered example, and every chapter's experiment, runs, prints what its file in
//! `examples/expected/` shows, and stays short. `UPDATE_EXPECTED=1 cargo test --test examples` writes those files anew.

mod mask;
pub mod support;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use ninestep::{Channel, ClientStub};
use rustix::process::{Pid, Signal, kill_process_group};
use support::example::{examples, executable, folder, names};

const MOST_LINES: usize = 79;
const MOST_TIME: Duration = Duration::from_secs(30);

/// The chapters that have an experiment, as `03`.
fn experiments() -> BTreeSet<String> {
    let files = names(&folder().join("break_it"), ".rs");
    let chapters = files.iter().filter_map(|name| name.strip_prefix("ch")?.split('_').next());
    chapters.map(str::to_owned).collect()
}

/// What is run: the name of its expected output, the program, its arguments.
fn runs() -> Vec<(String, String, Vec<String>)> {
    let examples = examples().into_iter().map(|name| (name.clone(), name, Vec::new()));
    let experiments = experiments()
        .into_iter()
        .map(|chapter| (format!("break_it_{chapter}"), "break_it".to_owned(), vec![chapter]));
    examples.chain(experiments).collect()
}

fn expected(name: &str) -> PathBuf {
    folder().join("expected").join(format!("{name}.txt"))
}

/// Runs an example with these arguments in a process group of its own.
fn start(name: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new(executable(name));
    command.args(arguments).env_remove("RUST_LOG").process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap_or_else(|why| panic!("{name} cannot be started: {why}"))
}

/// Waits for the end of an example, or ends it when it takes too long.
fn finish(name: &str, example: Child) -> Output {
    let group = Pid::from_child(&example);
    let (tell, told) = channel();
    thread::spawn(move || tell.send(example.wait_with_output()));
    match told.recv_timeout(MOST_TIME) {
        Ok(output) => output.unwrap(),
        Err(RecvTimeoutError::Timeout) => {
            kill_process_group(group, Signal::KILL).unwrap();
            panic!("{name} was not over after {MOST_TIME:?}; an example ends by itself");
        }
        Err(gone) => panic!("{name}: {gone}"),
    }
}

#[test]
fn every_example_is_short_and_says_what_it_shows() {
    let experiments = names(&folder().join("break_it"), ".rs");
    let experiments = experiments.iter().filter(|name| *name != "main");
    let experiments = experiments.map(|name| format!("break_it/{name}"));
    for name in examples().into_iter().chain(experiments) {
        let source = fs::read_to_string(folder().join(format!("{name}.rs"))).unwrap();
        // The marks by which the book includes a part are not the reader's to read.
        let lines = source.lines().filter(|line| !line.contains("// ANCHOR")).count();
        assert!(
            lines <= MOST_LINES,
            "examples/{name}.rs has {lines} lines; make it {MOST_LINES} or fewer, or two examples"
        );
        assert!(
            source.starts_with("//! ") && source.contains("Chapter"),
            "examples/{name}.rs needs a head: begin it with `//!` lines that say what it shows \
             and to which chapter it belongs"
        );
    }
}

#[test]
fn examples_are_numbered_without_a_gap() {
    let examples = examples();
    for number in 1..=examples.len() {
        let prefix = format!("{number:02}_");
        let count = examples.iter().filter(|name| name.starts_with(&prefix)).count();
        assert_eq!(
            count, 1,
            "there must be one example named examples/{prefix}NAME.rs; there are {count}"
        );
    }
}

#[test]
fn every_expected_output_has_an_example() {
    for name in names(&folder().join("expected"), ".txt") {
        assert!(
            runs().iter().any(|(expected, ..)| *expected == name),
            "nothing prints examples/expected/{name}.txt; write its example, or remove it"
        );
    }
}

#[test]
fn every_example_prints_what_is_expected() {
    let wrong: Vec<String> = runs().iter().filter_map(difference).collect();
    assert!(
        wrong.is_empty(),
        "{}\nIf the new output is right, run `UPDATE_EXPECTED=1 cargo test --test examples`, and \
         look at what `git diff` shows.",
        wrong.join("\n")
    );
}

#[test]
fn an_example_says_how_to_call_it() {
    for (name, arguments) in [
        ("11_process_per_connection", &["bogus"][..]),
        ("16_json_rpc", &["--help"]),
        ("16_json_rpc", &["call"]),
        ("17_xml_rpc", &["bogus"]),
        ("18_hprose", &["call"]),
        ("19_thrift", &["serve", "127.0.0.1:0"]),
        ("20_grpc", &["serve", "127.0.0.1:0", "bogus"]),
        ("21_wires_side_by_side", &["record"]),
    ] {
        let output = finish(name, start(name, arguments));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && output.stdout.is_empty(), "{name}");
        assert!(said.starts_with(&format!("Error: \"usage: {name} [")), "{said}");
    }
}

/// What an example prints otherwise than its file says.
fn difference((name, program, arguments): &(String, String, Vec<String>)) -> Option<String> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = finish(name, start(program, &arguments));
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Some(format!("{name} failed with {}:\n{errors}", output.status));
    }
    let printed = String::from_utf8(output.stdout).expect("an example prints text");
    let path = expected(name);
    let shown = fs::read_to_string(&path).ok();
    if shown.as_deref().map(mask::mask) == Some(mask::mask(&printed)) {
        return None;
    }
    if env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&path, printed).unwrap();
        return None;
    }
    let Some(shown) = shown else {
        return Some(format!("examples/expected/{name}.txt is missing"));
    };
    let (shown, printed) = (mask::mask(&shown), mask::mask(&printed));
    let line = shown.lines().zip(printed.lines()).take_while(|(a, b)| a == b).count();
    let at = |text: &str| text.lines().nth(line).unwrap_or("(the end)").to_owned();
    let (expected, printed) = (at(&shown), at(&printed));
    Some(format!("{name}, line {}:\n  expected {expected}\n  printed  {printed}", line + 1))
}

#[test]
fn masks_hide_what_differs_from_run_to_run() {
    for (raw, masked) in [
        ("at 127.0.0.1:40123, it said\n", "at 127.0.0.1:#, it said\n"),
        ("127.0.0.1:9 and 127.0.0.1:10", "127.0.0.1:# and 127.0.0.1:#"),
        ("process 4711 and process 4712\n", "process # and process #\n"),
        ("on thread 17.", "on thread #."),
        ("took 1,234.5 µs (12 ms)", "took # µs (# ms)"),
        ("a rate of 190,000 calls/s", "a rate of # calls/s"),
        ("date: Fri, 20 Nov 2026 21:53:43 GMT\n", "date: #\n"),
        ("refused (os error 111)", "refused (os error #)"),
    ] {
        assert_eq!(mask::mask(raw), masked);
    }
}

#[test]
fn masks_leave_everything_else() {
    for text in [
        "10 + 5 = 15\n\n  0  39 53 54   magic\n",
        "process() number 3:\n",
        "error: 2 is not 3; no reply within 50ms\n",
        "the process, 3 times; thread: 3",
        "fault 1",
    ] {
        assert_eq!(mask::mask(text), text);
    }
}

/// An example that serves, `02_packing_by_hand serve` or another, for as long as the value lives.
struct LessonServer {
    server: Child,
    output: BufReader<std::process::ChildStdout>,
    address: String,
}

impl LessonServer {
    fn start() -> LessonServer {
        LessonServer::of("02_packing_by_hand", &["serve", "127.0.0.1:0"])
    }

    fn of(example: &str, arguments: &[&str]) -> LessonServer {
        let mut server = start(example, arguments);
        let mut output = BufReader::new(server.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on ").unwrap().to_owned();
        LessonServer { server, output, address }
    }

    fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(&self.address).unwrap();
        client.set_read_timeout(Some(MOST_TIME)).unwrap();
        client
    }

    fn printed_line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }
}

impl Drop for LessonServer {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

#[track_caller]
fn exchange(mut client: &TcpStream, request: &[u8], reply: &[u8]) {
    client.write_all(request).unwrap();
    let mut came = vec![0; reply.len()];
    client.read_exact(&mut came).unwrap();
    assert_eq!(came.escape_ascii().to_string(), reply.escape_ascii().to_string());
}

const DIVIDE_8_BY_2: &[u8] = b"\0\0\0\x06divide\0\0\0\x0a\x01\0\0\0\x08\x02\0\0\0\x02";
/// 4.0 in IEEE 754's single precision.
const FOUR: &[u8] = b"\x01\x40\x80\0\0";

#[test]
fn the_lesson_server_answers_byte_for_byte_and_goes_on_after_a_fault() {
    let server = LessonServer::start();
    let client = server.connect();
    exchange(&client, DIVIDE_8_BY_2, FOUR);
    exchange(
        &client,
        b"\0\0\0\x06divide\0\0\0\x0a\x01\0\0\0\x08\x02\0\0\0\0",
        b"\x02\0\0\0\x10division by zero",
    );
    exchange(
        &client,
        b"\0\0\0\x08multiply\0\0\0\x05\x01\0\0\0\x08",
        b"\x02\0\0\0\x11no such procedure",
    );
    // An argument that ends too early, a position that nobody knows, the first one missing.
    for wrong in [&b"\0\0\0\x04\x01\0\0\0"[..], b"\0\0\0\x05\x03\0\0\0\x08", b"\0\0\0\0"] {
        exchange(&client, &[b"\0\0\0\x06divide", wrong].concat(), b"\x02\0\0\0\x0fwrong arguments");
    }
    // The second argument is 1 unless it is given; -4.0.
    exchange(&client, b"\0\0\0\x06divide\0\0\0\x05\x01\xff\xff\xff\xfc", b"\x01\xc0\x80\0\0");
    exchange(&client, DIVIDE_8_BY_2, FOUR);
}

#[test]
fn the_lesson_server_reads_a_request_that_comes_in_pieces_and_two_that_come_at_once() {
    let server = LessonServer::start();
    let mut client = server.connect();
    client.set_nodelay(true).unwrap();
    let (rest, last) = DIVIDE_8_BY_2.split_at(DIVIDE_8_BY_2.len() - 1);
    for byte in rest {
        client.write_all(&[*byte]).unwrap();
    }
    exchange(&client, last, FOUR);
    exchange(&client, &DIVIDE_8_BY_2.repeat(2), &FOUR.repeat(2));
}

#[test]
fn the_lesson_server_tells_a_clean_end_from_a_torn_request_and_serves_the_next_client() {
    let mut server = LessonServer::start();
    // This one leaves between two requests, which is worth no word.
    exchange(&server.connect(), DIVIDE_8_BY_2, FOUR);
    assert_eq!(server.printed_line(), "  reply   [01, 40, 80, 00, 00]\n");

    let mut torn = server.connect();
    torn.write_all(&DIVIDE_8_BY_2[..9]).unwrap();
    torn.shutdown(Shutdown::Write).unwrap();
    assert_eq!(torn.read(&mut [0]).unwrap(), 0);
    let said = server.printed_line();
    assert!(said.starts_with("a client is gone: failed to fill whole buffer"), "{said}");

    let mut greedy = server.connect();
    greedy.write_all(b"\xff\xff\xff\xff").unwrap();
    assert_eq!(greedy.read(&mut [0]).unwrap(), 0);
    let said = server.printed_line();
    assert!(said.starts_with("a client is gone: invalid data"), "{said}");

    exchange(&server.connect(), DIVIDE_8_BY_2, FOUR);
}

#[test]
fn the_lesson_client_calls_the_lesson_server() {
    let server = LessonServer::start();
    let output =
        finish("02_packing_by_hand", start("02_packing_by_hand", &["call", &server.address]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let results: Vec<&str> = printed
        .lines()
        .filter(|line| line.contains(['=', ':']) && line.starts_with("  "))
        .collect();
    assert_eq!(
        results,
        ["  = 2.6666667", "  error: division by zero", "  error: no such procedure", "  = 8"]
    );
}

#[test]
fn a_first_server_serves() {
    let server = LessonServer::of("first_server", &["127.0.0.1:0"]);
    let channel = Channel::new(&server.address).call_timeout(MOST_TIME);
    let stub = ClientStub::new(&channel).unwrap();
    assert_eq!(stub.call::<String>("shout", ("hello",)).unwrap(), "HELLO");
    assert_eq!(stub.call::<f64>("average", (1, 4)).unwrap(), 2.5);
}
