//! A client in another language: `examples/python/ninestep.py` against `ninestep serve`, under
//! every strategy.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join("python")
}

/// Runs Python on these arguments, which find `ninestep` as a module.
fn python(arguments: &[&str]) -> Output {
    // No `__pycache__` beside the source, and text comes out as UTF-8 in every locale.
    let mut command = Command::new("python3");
    command.arg("-B").args(arguments).env("PYTHONPATH", folder()).env("PYTHONIOENCODING", "utf-8");
    command.output().unwrap_or_else(|why| match why.kind() {
        ErrorKind::NotFound => panic!(
            "python3 is not found: install Python 3.9 or later (on Debian `apt-get install \
             python3`) and see that it is on PATH"
        ),
        _ => panic!("python3 cannot be started: {why}"),
    })
}

/// Runs a script in which `stub` is connected to the address, and returns what it prints.
#[track_caller]
fn script(address: &str, lines: &str) -> String {
    let connect = format!(
        "import socket\nfrom ninestep import Channel, ClientStub, Fault\n\
         socket.setdefaulttimeout(30)\n\
         stub = ClientStub(Channel(*{address:?}.rsplit(':', 1)))\n"
    );
    let output = python(&["-c", &(connect + lines)]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the script failed:\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// `ninestep serve` with these options, until the value is dropped.
struct Serving {
    server: Child,
    address: String,
}

impl Serving {
    fn start(options: &[&str]) -> Serving {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ninestep"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(options);
        let mut server = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on ").unwrap().to_owned();
        Serving { server, address }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // A signal, because a server that is killed cannot end its children in good order.
        kill_process(Pid::from_child(&self.server), Signal::TERM).unwrap();
        self.server.wait().unwrap();
    }
}

const STRATEGIES: [&[&str]; 6] = [
    &["--strategy", "single"],
    &["--strategy", "thread"],
    &["--strategy", "thread-pool"],
    &["--strategy", "process", "--start", "spawn"],
    &["--strategy", "process", "--start", "fork"],
    &["--strategy", "process-pool"],
];

#[test]
fn it_is_short() {
    let source = fs::read_to_string(folder().join("ninestep.py")).unwrap();
    let lines = source.lines().count();
    assert!(lines <= 80, "examples/python/ninestep.py has {lines} lines; make it 80 or fewer");
    let imports: Vec<&str> = source.lines().filter(|line| line.starts_with("import ")).collect();
    assert_eq!(imports, ["import io, socket, struct, sys"], "it uses the standard library alone");
}

#[test]
fn its_command_line_prints_a_result_or_fails_with_a_fault() {
    let file = folder().join("ninestep.py");
    let file = file.to_str().unwrap();
    for strategy in STRATEGIES {
        let serving = Serving::start(strategy);
        let call = |words: &[&str]| python(&[&[file, &serving.address], words].concat());
        for (words, printed) in [
            (&["add", "10", "5"][..], "15\n"),
            (&["divide", "-1.5", "2"], "-0.75\n"),
            (&["sayHi", "Ada"], "Hi Ada!\n"),
            (&["ping"], "pong\n"),
        ] {
            let output = call(words);
            assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words:?} {strategy:?}");
            assert_eq!(String::from_utf8_lossy(&output.stdout), printed, "{strategy:?}");
        }
        let output = call(&["divide", "1", "0"]);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "division by zero (fault 1)\n");
        assert_eq!(output.status.code(), Some(1), "{strategy:?}");
    }
}

#[test]
fn its_command_line_says_in_one_line_what_to_do() {
    let file = folder().join("ninestep.py");
    let file = file.to_str().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for (words, says) in [
        (&[][..], "python3 ninestep.py 127.0.0.1:9000 add 10 5\n"),
        (&[&*free], "python3 ninestep.py 127.0.0.1:9000 add 10 5\n"),
        (&[&*free, "ping"], "; start a server there first\n"),
    ] {
        let output = python(&[&[file], words].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.ends_with(says) && said.lines().count() == 1, "{said}");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn one_connection_carries_results_faults_and_names_under_every_strategy() {
    for strategy in STRATEGIES {
        let serving = Serving::start(strategy);
        let printed = script(
            &serving.address,
            "print(stub.call('add', 10, 5))\n\
             print(stub.call('subtract', b=10, a=5))\n\
             print(stub.call('sayHi', name='Ada'))\n\
             for name, arguments in ('divide', (1, 0)), ('add', (2**63 - 1, 1)), ('ad', ()), ('add', ('ten', 5)):\n    \
                 try: print(stub.call(name, *arguments))\n    \
                 except Fault as fault: print(fault.code, fault.message, fault.data)\n\
             print(stub.call('sleep', 1))\n\
             print(stub.call('multiply', 6, 7))\n",
        );
        assert_eq!(
            printed,
            "15\n-5\nHi Ada!\n1 division by zero None\n2 overflow None\n\
             -32601 there is no procedure \"ad\" None\n\
             -32602 expected (a: i64, b: i64): argument 1 (a): invalid type: string \"ten\", \
             expected i64 None\n\
             None\n42\n",
            "{strategy:?}"
        );
    }
}

#[test]
fn every_value_comes_back_as_it_went() {
    for strategy in STRATEGIES {
        let serving = Serving::start(strategy);
        let printed = script(
            &serving.address,
            "values = [None, True, False, 0, -1, 2**63 - 1, -2**63, 2**63, 2**64 - 1, 0.5, -1e300,\n\
                 float('inf'), '', 'nine steps', 'für Ada: 九步 🦀 \\0', b'', bytes(range(256)),\n\
                 [], [1, [2.0, 'three', [b'4', None]]], {}, {'a': 1, 'ß': {'b': [True]}},\n\
                 'x' * 1_000_000, b'y' * 1_000_000]\n\
             for value in values:\n    \
                 back = stub.call('echo', value)\n    \
                 assert back == value and type(back) is type(value), (value, back)\n\
             assert stub.call('echo', (1, 2)) == [1, 2]\n\
             assert stub.call('echo', values) == values\n\
             print(len(values))\n",
        );
        assert_eq!(printed, "23\n", "{strategy:?}");
    }
}

#[test]
fn what_cannot_be_sent_is_refused_before_anything_is() {
    let serving = Serving::start(&[]);
    let printed = script(
        &serving.address,
        "import struct\n\
         for arguments in ([2**64], [-2**63 - 1], [object()]):\n    \
             try: print(stub.call('echo', *arguments))\n    \
             except (struct.error, TypeError) as error: print('refused')\n\
         try: stub.call('add', 10, b=5)\n\
         except TypeError as error: print(error)\n\
         print(stub.call('add', 10, 5))\n",
    );
    assert_eq!(
        printed,
        "refused\nrefused\nrefused\ngive arguments by position or by name, not both\n15\n"
    );
}

/// Accepts one client, reads the greeting and its first call, and sends these bytes.
fn answering(reply: &'static [u8]) -> (String, thread::JoinHandle<(TcpStream, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut call = vec![0; ADD_10_5.len()];
        client.read_exact(&mut call).unwrap();
        client.write_all(reply).unwrap();
        (client, call)
    });
    (address, server)
}

const ADD_10_5: &[u8] = b"9ST\x01\0\0\0\x27C\0\0\0\x01\0\0\0\0\0\0\0\x03add[\0\0\0\x02\
    q\0\0\0\0\0\0\0\x0aq\0\0\0\0\0\0\0\x05";

#[test]
fn its_call_is_the_specification_byte_for_byte() {
    let (address, server) = answering(b"\0\0\0\x0eR\0\0\0\x01q\0\0\0\0\0\0\0\x0f");
    assert_eq!(script(&address, "print(stub.call('add', 10, 5))\n"), "15\n");
    let (_, call) = server.join().unwrap();
    assert_eq!(call.escape_ascii().to_string(), ADD_10_5.escape_ascii().to_string());
}

/// What the call raises when the server sends these bytes and then nothing more.
#[track_caller]
fn raised(reply: &'static [u8]) -> String {
    let (address, server) = answering(reply);
    // The server's end is closed when the thread's result is dropped.
    let closing = thread::spawn(move || drop(server.join().unwrap()));
    let printed = script(
        &address,
        "try: print(stub.call('add', 10, 5))\n\
         except Exception as error: print(type(error).__name__ + ':', error)\n",
    );
    closing.join().unwrap();
    printed
}

#[test]
fn a_bye_fails_the_calls_that_were_not_executed_and_no_other() {
    const BYE: &str = "ConnectionError: the server is stopping and did not execute the call\n";
    assert_eq!(raised(b"\0\0\0\x09B\0\0\0\0\0\0\0\0"), BYE);
    let executed = b"\0\0\0\x09B\0\0\0\0\0\0\0\x01\0\0\0\x0eR\0\0\0\x01q\0\0\0\0\0\0\0\x0f";
    assert_eq!(raised(executed), "15\n");
}

#[test]
fn a_reply_to_another_call_is_dropped() {
    let replies = b"\0\0\0\x06R\0\0\0\x09_\0\0\0\x0eR\0\0\0\x01q\0\0\0\0\0\0\0\x0f";
    assert_eq!(raised(replies), "15\n");
}

#[test]
fn a_fault_of_id_0_refuses_the_connection() {
    let refusal = b"\0\0\0\x12F\0\0\0\0\xff\xff\x82\xd4\0\0\0\x04full_";
    assert_eq!(raised(refusal), "Fault: full (fault -32044)\n");
}

#[test]
fn bytes_that_make_no_sense_raise_an_error() {
    const EARLY: &str = "ConnectionError: the bytes end too early\n";
    // Nothing at all; a torn frame; a value that promises more than came.
    assert_eq!(raised(b""), EARLY);
    assert_eq!(raised(b"\0\0\0\x0eR\0\0\0\x01q\0\0"), EARLY);
    assert_eq!(raised(b"\0\0\0\x0aR\0\0\0\x01s\xff\xff\xff\xff"), EARLY);
    assert_eq!(raised(b"\xff\xff\xff\xff"), "ConnectionError: a message of 4294967295 bytes\n");
    assert_eq!(raised(b"\0\0\0\x06R\0\0\0\x01!"), "ConnectionError: there is no tag '!'\n");
}
