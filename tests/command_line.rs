//! `ninestep serve` and `ninestep call`, as their user sees them.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Pid, Signal, kill_process};

/// What a server says when it is told to stop.
const FINISHING: &str = "finishing the calls that run; a second Ctrl-C ends them\n";

const STRATEGIES: [&[&str]; 6] = [
    &["--strategy", "single"],
    &["--strategy", "thread"],
    &["--strategy", "thread-pool"],
    &["--strategy", "process", "--start", "fork"],
    &["--strategy", "process", "--start", "spawn"],
    &["--strategy", "process-pool"],
];

fn ninestep(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ninestep"));
    command.args(arguments).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a process printed until its end, which must come soon.
#[derive(Debug)]
struct Printed {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Printed {
    fn by(child: Child) -> Printed {
        let pid = Pid::from_child(&child);
        let (sender, ended) = mpsc::channel();
        thread::spawn(move || sender.send(child.wait_with_output()));
        let Ok(output) = ended.recv_timeout(Duration::from_secs(30)) else {
            let _ = kill_process(pid, Signal::KILL);
            panic!("a process did not end");
        };
        let Output { status, stdout, stderr } = output.unwrap();
        assert!(!stdout.contains(&0x1b) && !stderr.contains(&0x1b), "colour in a pipe");
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Printed { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Nothing on standard output, and these texts on standard error.
    #[track_caller]
    fn fails(self, code: i32, texts: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{}", self.stderr);
        for text in texts {
            assert!(self.stderr.contains(text), "{text:?} is not in:\n{}", self.stderr);
        }
    }
}

fn run(arguments: &[&str]) -> Printed {
    Printed::by(ninestep(arguments).spawn().unwrap())
}

/// A server that listens.
struct Serving {
    child: Option<Child>,
    stdout: BufReader<ChildStdout>,
    address: String,
}

impl Serving {
    fn start(options: &[&str]) -> Serving {
        let arguments = [&["serve", "--listen", "127.0.0.1:0"], options].concat();
        let mut child = ninestep(&arguments).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut server = Serving { child: Some(child), stdout, address: String::new() };
        let mut line = String::new();
        server.stdout.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on ").unwrap();
        assert_ne!(address.parse::<SocketAddr>().unwrap().port(), 0);
        server.address = address.to_owned();
        server
    }

    fn call(&self, arguments: &[&str]) -> Printed {
        run(&[&["call", &self.address], arguments].concat())
    }

    /// What it printed after its first line.
    fn stop(mut self, signal: Signal) -> Printed {
        let child = self.child.take().unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        let mut printed = Printed::by(child);
        self.stdout.read_to_string(&mut printed.stdout).unwrap();
        printed
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn every_strategy_says_once_where_it_listens_and_stops_on_a_signal() {
    for (options, signal) in STRATEGIES.into_iter().zip([Signal::INT, Signal::TERM].iter().cycle())
    {
        let server = Serving::start(options);
        for _ in 0..3 {
            let printed = server.call(&["add", "10", "5"]);
            assert_eq!((printed.code, printed.stdout.as_str()), (Some(0), "15\n"), "{options:?}");
            assert_eq!(printed.stderr, "", "{options:?}");
        }
        let printed = server.stop(*signal);
        assert_eq!(printed.code, Some(0), "{options:?}");
        assert_eq!(
            (printed.stdout.as_str(), printed.stderr.as_str()),
            (FINISHING, ""),
            "{options:?}"
        );
    }
}

#[test]
fn a_result_is_json_and_an_argument_is_json_or_text() {
    let server = Serving::start(&[]);
    let cases: [(&[&str], &str); 9] = [
        (&["ping"], r#""pong""#),
        (&["add", "10", "-5"], "5"),
        (&["divide", "1", "4"], "0.25"),
        (&["sayHi", "Ada"], r#""Hi Ada!""#),
        (&["sayHi", r#""10""#], r#""Hi 10!""#),
        (&["sleep", "0"], "null"),
        (&["echo", r#"{"list": [1, 2.5, null, true]}"#], r#"{"list":[1,2.5,null,true]}"#),
        (&["multiply", "-2", "4", "--timeout", "20"], "-8"),
        (&["echo", "--", "--trace"], r#""--trace""#),
    ];
    for (arguments, result) in cases {
        let printed = server.call(arguments);
        assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert_eq!(printed.stdout, format!("{result}\n"));
    }
}

#[test]
fn a_fault_is_code_1() {
    let server = Serving::start(&[]);
    server.call(&["divide", "1", "0"]).fails(1, &["fault 1: division by zero\n"]);
    let listed = "tip: is the name right? `ninestep serve --help` lists the procedures";
    server.call(&["ad", "1"]).fails(1, &["fault -32601: ", r#""ad""#, listed]);
    server.call(&["add", "1"]).fails(1, &["fault -32602: expected (a: i64, b: i64)"]);
    server.call(&["panic"]).fails(1, &["fault -32601: "]);
}

#[test]
fn trouble_must_be_asked_for() {
    let server = Serving::start(&["--with-trouble"]);
    server.call(&["panic"]).fails(1, &["fault -32603: "]);
    assert_eq!(server.call(&["ping"]).code, Some(0));
}

#[test]
fn a_call_that_nobody_can_answer_is_code_2() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let timeout = run(&["call", "--timeout", "0.1", &address, "ping"]);
    timeout.fails(2, &["error: no reply within 100ms", "tip: ", "may have executed", "--timeout"]);

    // A dropped listener lives on, for a moment, in a process that another test just starts. A
    // socket that is bound and does not listen refuses from the beginning.
    let silent = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&silent, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = TcpListener::from(silent.try_clone().unwrap()).local_addr().unwrap().to_string();
    let refused = run(&["call", &address, "ping"]);
    let start = format!("tip: is a server running? `ninestep serve --listen {address}` starts one");
    refused.fails(2, &[&format!("error: connecting to {address} failed"), &start]);

    // This reaches the same socket, but is not certain to be an address of this machine.
    let elsewhere = address.replace("127.0.0.1", "0.0.0.0");
    run(&["call", &elsewhere, "ping"]).fails(2, &["tip: no server listens there: "]);

    for address in ["nowhere", ":9000", "127.0.0.1:x"] {
        let error = format!("error: connecting to {address} failed");
        run(&["call", address, "ping"]).fails(2, &[&error, "tip: ADDR is HOST:PORT"]);
    }
    // Nobody has a name that ends so (RFC 2606).
    let unknown = run(&["call", "nowhere.invalid:9000", "ping"]);
    unknown.fails(2, &["tip: is the name right? ", r#"knows no address of "nowhere.invalid""#]);
}

#[test]
fn an_address_over_http_is_for_protocols_over_http() {
    let server = Serving::start(&[]);
    for address in [format!("http://{}", server.address), format!("{}/rpc", server.address)] {
        for protocol in ["native", "thrift", "json-rpc-tcp"] {
            let printed = run(&["call", "--protocol", protocol, &address, "ping"]);
            let error = format!("error: {address} is an address over HTTP, which this protocol");
            printed.fails(2, &[&error, "tip: ADDR is HOST:PORT here"]);
        }
    }
    // What a path would say, gRPC says by other means.
    let printed = run(&["call", "--protocol", "grpc", "http://127.0.0.1:1/rpc", "ping"]);
    printed.fails(2, &["error: gRPC makes its own path", "tip: leave /rpc out"]);
    let server = Serving::start(&["--protocol", "json-rpc"]);
    let address = format!("http://{}/", server.address);
    let printed = run(&["call", "--protocol", "json-rpc", &address, "add", "10", "5"]);
    assert_eq!((printed.code, &*printed.stdout, &*printed.stderr), (Some(0), "15\n", ""));
}

#[test]
fn a_number_that_json_cannot_write_is_named() {
    let server = Serving::start(&[]);
    for (divisor, number) in [("1e-10", "inf"), ("-0.0000000001", "-inf")] {
        let error = format!("error: the number {number} is in the result, and JSON has no form");
        server.call(&["divide", "1e308", divisor]).fails(2, &[&error, "tip: the server executed"]);
    }
}

#[test]
fn an_argument_that_is_nearly_json_is_a_text_with_a_warning() {
    let server = Serving::start(&[]);
    for text in ["{a: 1}", "[1, 2", "\"Ada"] {
        let printed = server.call(&["echo", text]);
        let sent: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
        assert_eq!((printed.code, sent.as_str()), (Some(0), Some(text)));
        let warning = "warning: argument 1 is no JSON, so it is sent as text: ";
        assert!(printed.stderr.starts_with(warning), "{}", printed.stderr);
        assert_eq!(printed.stderr.lines().count(), 1, "{}", printed.stderr);
    }
}

#[test]
fn a_service_has_a_name_that_can_be_one() {
    for format in ["thrift", "proto"] {
        for name in ["bad name!", "", "9lives", "my.Service"] {
            let printed = run(&["idl", "--format", format, "--service", name]);
            let error = format!("error: --service {name:?} cannot be the name of a service");
            printed.fails(2, &[&error, "tip: a name is made of the letters"]);
        }
        let printed = run(&["idl", "--format", format, "--service", "My_Service2"]);
        assert_eq!((printed.code, &*printed.stderr), (Some(0), ""));
        assert!(printed.stdout.contains("service My_Service2 {"), "{}", printed.stdout);
    }
    let printed = run(&["idl", "--format", "openrpc", "--service", "Our demo"]);
    assert!(printed.stdout.contains(r#""title": "Our demo""#), "{}", printed.stdout);
}

#[test]
fn a_trace_calls_a_fault_a_fault() {
    let printed = run(&["trace", "divide", "1", "0"]);
    assert_eq!((printed.code, &*printed.stderr), (Some(0), ""));
    for text in [
        "runs it, which ends in a fault\n",
        "packs the fault into a message of ",
        " and unpacks the fault\n",
        "has the fault 1: division by zero\n",
    ] {
        assert!(printed.stdout.contains(text), "{text:?} is not in:\n{}", printed.stdout);
    }
    assert!(!printed.stdout.contains("result"), "{}", printed.stdout);

    let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/trace-of-a-fault.html");
    assert_eq!(run(&["trace", "--out", file, "divide", "1", "0"]).code, Some(0));
    let page = std::fs::read_to_string(file).unwrap();
    for text in [
        "the server runs the procedure, which ends in a fault<",
        "the server stub packs the fault and sends it<",
        "the client stub receives the message and unpacks the fault<",
        "the client has the fault<",
    ] {
        assert!(page.contains(text), "{text:?} is not in the page");
    }
}

#[test]
fn a_trace_that_cannot_be_written_says_what_to_do() {
    let printed = run(&["trace", "--out", "/dev/null/trace.html", "add", "1", "2"]);
    let error = "error: stopped while writing /dev/null/trace.html: ";
    printed.fails(2, &[error, "tip: choose another file: its folder must be there"]);
}

/// The address of a peer that answers one connection with these bytes and closes it.
fn peer(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || -> io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        // All of the call of `ping`, or closing would reset the connection.
        stream.read_exact(&mut [0; 30])?;
        stream.write_all(answer)
    });
    address
}

#[test]
fn a_peer_that_is_no_server_is_code_2() {
    let printed = run(&["call", &peer(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "ping"]);
    printed
        .fails(2, &["error: the peer broke the protocol", "does the server speak this --protocol"]);
    let printed = run(&["call", &peer(b""), "ping"]);
    printed.fails(2, &["error: ", "tip: the server may have executed the call all the same"]);
}

#[test]
fn arguments_that_have_no_form_are_code_2_and_never_sent() {
    let description = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/demo.thrift");
    let server = Serving::start(&["--protocol", "thrift"]);
    let speaks = ["add", "x", "1", "--protocol", "thrift", "--idl", description];
    let printed = server.call(&speaks);
    printed.fails(2, &["error: the arguments cannot be packed: ", "tip: nothing was sent"]);
}

#[test]
fn an_address_that_cannot_be_had_is_named_with_what_to_do() {
    let server = Serving::start(&[]);
    let printed = run(&["serve", "--listen", &server.address]);
    let error = format!("error: listening on {} failed: Address already in use", server.address);
    printed.fails(2, &[&error, "tip: another program listens there", "--listen"]);

    let printed = run(&["serve", "--listen", "nowhere"]);
    printed.fails(
        2,
        &["error: finding the address to listen on failed", "tip: --listen takes HOST:PORT"],
    );

    // TEST-NET-1 (RFC 5737) is nobody's address.
    let printed = run(&["serve", "--listen", "192.0.2.1:0"]);
    printed.fails(2, &["error: listening on 192.0.2.1:0 failed", "tip: this machine does not"]);
}

#[test]
fn a_wrong_command_line_is_code_2() {
    run(&["serve", "--strategy", "best"]).fails(2, &["'best'", "thread-pool", "process-pool"]);
    run(&["serve", "--start", "fork"]).fails(2, &["error: --start", "--strategy process"]);
    for time in ["0", "-1", "nan", "soon", "1e300"] {
        let option = format!("--timeout={time}");
        run(&["call", &option, "127.0.0.1:1", "ping"]).fails(2, &["above 0", "--timeout"]);
    }
    run(&["call", "127.0.0.1:1"]).fails(2, &["<METHOD>", "--help"]);
    run(&["sever"]).fails(2, &["'sever'", "'serve'"]);
}

#[test]
fn steps_are_traced_on_standard_error_by_both_sides() {
    for options in STRATEGIES {
        let server = Serving::start(&[options, &["--trace"]].concat());
        let client = run(&["call", "--trace", &server.address, "add", "10", "5"]);
        assert_eq!((client.code, client.stdout.as_str()), (Some(0), "15\n"));
        assert_eq!(steps(&client.stderr), [1, 2, 3, 8, 9]);
        let server = server.stop(Signal::TERM);
        assert_eq!((server.code, server.stdout.as_str()), (Some(0), FINISHING));
        assert_eq!(steps(&server.stderr), [4, 5, 6, 7], "{options:?}");
    }
}

/// The numbers of the steps; each line must be one.
fn steps(stderr: &str) -> Vec<u64> {
    let step = |line: &str| {
        let json = line.strip_prefix("@step ").unwrap();
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        assert!(json["process"].is_u64() && json["thread"].is_u64() && json["at_us"].is_f64());
        let decimals = json["at_us"].to_string().split_once('.').unwrap().1.len();
        assert!(decimals <= 3, "{json}");
        json["step"].as_u64().unwrap()
    };
    stderr.lines().map(step).collect()
}

#[test]
fn help_shows_how_to_begin() {
    for (arguments, texts) in [
        (&["--help"][..], &["the tour", "ninestep serve", "ninestep call 127.0.0.1:9000 add 10 5"]),
        (&["serve", "--help"], &["--strategy", "[default: 127.0.0.1:9000]", "sayHi"]),
        (&["call", "--help"], &["ADDR", "Exit codes:", "--timeout 0.5"]),
    ] {
        let printed = run(arguments);
        assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
        for text in texts {
            assert!(printed.stdout.contains(text), "{text:?} is not in:\n{}", printed.stdout);
        }
    }
}

#[test]
fn errors_have_colour_where_it_is_wanted() {
    let output = ninestep(&["call", "nowhere", "ping"]).env("CLICOLOR_FORCE", "1").output();
    let stderr = String::from_utf8(output.unwrap().stderr).unwrap();
    assert!(stderr.starts_with("\x1b["), "{stderr:?}");
}

#[test]
fn a_result_that_nobody_reads_is_no_panic() {
    let server = Serving::start(&[]);
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let output = ninestep(&["call", &server.address, "ping"]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn a_description_is_for_the_protocol_that_it_is_written_for() {
    let file = |name: &str| format!("{}/tests/peers/{name}", env!("CARGO_MANIFEST_DIR"));
    for (protocol, description, says) in [
        ("native", "demo.proto", "--idl is a file for gRPC, and this protocol needs none"),
        ("json-rpc", "demo.thrift", "--idl is a file for Thrift, and this protocol needs none"),
        ("thrift", "demo.proto", "--idl is a .proto file, and Thrift has others"),
        ("grpc", "demo.thrift", "--idl is no .proto file, which gRPC has"),
        ("grpc", "nowhere.proto", "nowhere.proto: No such file or directory"),
    ] {
        let description = file(description);
        for role in [&["serve"][..], &["call", "127.0.0.1:1", "add"]] {
            let options = ["--protocol", protocol, "--idl", &description];
            let started = ninestep(&[role, &options].concat()).spawn().unwrap();
            Printed::by(started).fails(2, &[says]);
        }
    }
}
