//! thriftpy2 and Apache Thrift, buffered and framed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use ninestep::protocol::thrift::{Idl, Thrift};
use ninestep::{Channel, ClientStub, Error, Fault, Server, ThreadPerConnection, Value};
use serde::{Deserialize, Serialize};

use crate::STRATEGIES;
use crate::environment::{command, file, python, run};
use crate::support::{PATIENCE, ServerProcess, ServerThread, example, within};
use crate::talk::{procedures, thrift};

const SCRIPT: &str = "thrift/peer.py";
const SYSTEMS: [&str; 2] = ["thriftpy2", "apache"];
const TRANSPORTS: [&str; 2] = ["buffered", "framed"];

fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    SYSTEMS.into_iter().flat_map(|system| TRANSPORTS.map(|transport| (system, transport)))
}

/// Runs a role of the script with every system and transport, each of which prints the same.
#[track_caller]
fn all_print(python: &Path, role: &str, server: SocketAddr, lines: &str) {
    let all = pairs().map(|(system, transport)| format!("{system} {transport}\n{lines}"));
    let printed = run(python, SCRIPT, &[role, &server.to_string()]);
    assert_eq!(printed, all.collect::<String>());
}

#[test]
fn their_clients_get_every_outcome_under_every_strategy() {
    let Some(python) = python() else { return };
    for strategy in STRATEGIES {
        let idl = file("demo.thrift");
        let speaks = ["--protocol", "thrift", "--idl", idl.to_str().unwrap()];
        let server = ServerProcess::serve(&[strategy, &speaks].concat());
        all_print(
            python,
            "demo",
            server.address(),
            "15\n-21\n2.5\npong\nHi Jürgen 🦀!\nNone\nDivideByZero: division by zero\n\
             Overflow: overflow\nTApplicationException: 1: Unknown function nowhere\n\
             TApplicationException: 6: panic failed inside\n3\n",
        );
    }
}

#[test]
fn their_clients_send_and_get_every_type() {
    let Some(python) = python() else { return };
    let server = Server::new(procedures()).protocol(thrift());
    let server = ServerThread::run(server, ThreadPerConnection::default());
    all_print(
        python,
        "client",
        server.address(),
        "15\n2.5\nDivideByZero: division by zero\npong\n Login successful !\nNone\nNone\n\
         NotFound: 404: not there\nTrue\n[5, 1]\n[('a', [(1, -2, None), (3, 4, 'z')])]\n\
         TApplicationException: 6: panic failed inside\n\
         TApplicationException: 1: Unknown function nowhere\n3\n",
    );
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Point {
    x: i32,
    y: i32,
    label: Option<String>,
}

#[test]
fn our_client_gets_every_outcome_from_their_servers() {
    let Some(python) = python() else { return };
    for (system, transport) in pairs() {
        let server =
            ServerProcess::start(&mut command(python, SCRIPT, &["server", system, transport]));
        let _killer = server.killer();
        within(&format!("{system}, {transport}"), move || {
            let protocol = Thrift { framed: transport == "framed", ..thrift() };
            let channel = Channel::new(server.address()).call_timeout(PATIENCE).protocol(protocol);
            let stub = ClientStub::new(&channel).unwrap();
            assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
            assert_eq!(stub.call::<f64>("divide", (10, 4)).unwrap(), 2.5);
            assert_eq!(stub.call::<String>("ping", ()).unwrap(), "pong");
            assert_eq!(stub.call::<String>("login", ("Jürgen", "🦀")).unwrap(), "Jürgen 🦀");
            stub.call::<()>("nothing", ()).unwrap();
            stub.notify("notify", ("nobody answers",)).unwrap();
            let all = (true, i8::MIN, i16::MAX, i32::MIN, 0.1);
            assert!(stub.call::<bool>("flag", all).unwrap());
            assert_eq!(stub.call::<Vec<i64>>("reversed", (5, 1)).unwrap(), [5, 1, 1]);

            let point = Point { x: 7, y: 8, label: None };
            let raw = Value::Bytes(b"\xff\0".to_vec());
            let given = (BTreeSet::from([1, 2]), "GREEN", point, BTreeMap::from([(1, true)]), raw);
            let paths: BTreeMap<String, Vec<Point>> = stub.call("paths", given).unwrap();
            let label = Some("z".to_owned());
            assert_eq!(
                paths["a"],
                [Point { x: 1, y: -2, label: None }, Point { x: 3, y: 4, label }]
            );

            let fault = |error: Error| match error {
                Error::Fault(fault) => fault,
                other => panic!("{other:?}"),
            };
            let zero = fault(stub.call::<f64>("divide", (1, 0)).unwrap_err());
            assert_eq!(zero, Fault::new(1, "division by zero"));
            let data = Value::Map(vec![("code".to_owned(), Value::Int(404))]);
            let none = fault(stub.call::<()>("find", ()).unwrap_err());
            assert_eq!(none, Fault::new(2, "not there").with_data(data));
            let unknown = fault(stub.call::<()>("unknown", ()).unwrap_err());
            assert_eq!(unknown.code, Fault::NO_SUCH_PROCEDURE);

            let sums: Vec<_> = (0..50).map(|n| stub.send::<i64>("add", (n, n)).unwrap()).collect();
            for (n, sum) in sums.into_iter().enumerate().rev() {
                assert_eq!(sum.wait().unwrap(), 2 * n as i64);
            }
            match (system, stub.call::<()>("nowhere", ()).unwrap_err()) {
                // It closes the connection without a word, as for everything that is not declared.
                ("thriftpy2", Error::Closed { sent: true } | Error::Transport { .. }) => {}
                ("apache", Error::Fault(fault)) => {
                    assert_eq!(fault, Fault::new(Fault::INTERNAL, "Internal error"));
                }
                (_, other) => panic!("{other:?}"),
            }
        });
    }
}

#[test]
fn without_a_file_the_rust_types_must_be_right() {
    let Some(python) = python() else { return };
    let server =
        ServerProcess::start(&mut command(python, SCRIPT, &["server", "apache", "buffered"]));
    let _killer = server.killer();
    within("no file", move || {
        let channel = Channel::new(server.address()).protocol(Thrift::default());
        let stub = ClientStub::new(&channel.call_timeout(PATIENCE)).unwrap();
        assert_eq!(stub.call::<i64>("add", (10_i64, 5_i64)).unwrap(), 15);
        let Err(Error::Fault(fault)) = stub.call::<f64>("divide", (1.0, 0.0)) else {
            panic!("no fault");
        };
        assert_eq!(fault, Fault::new(1, "division by zero"));
        // An i32 is a field that this server does not know.
        assert!(stub.call::<i64>("add", (10, 5)).is_err());
    });
}

/// The example's servers, for what the tutorial's client asks, and more.
#[test]
fn the_example_serves_the_tutorials_clients() {
    let Some(python) = python() else { return };
    let serve = |service: &str| {
        let mut command = std::process::Command::new(example::executable("19_thrift"));
        ServerProcess::start(command.args(["serve", "127.0.0.1:0", service]))
    };
    let server = serve("pingpong");
    let address = server.address().to_string();
    let (host, port) = address.split_once(':').unwrap();
    assert_eq!(run(python, "thrift/rpc_client.py", &[host, port]), "pong\n Login successful !\n");

    let server = serve("calculator");
    all_print(
        python,
        "calculator",
        server.address(),
        "15\n5\n50\n2.5\nDivideByZero: division by zero\necho\nTrue\nNone\n",
    );
}

#[test]
fn the_example_s_client_calls_the_tutorials_server() {
    let Some(python) = python() else { return };
    let server = ServerProcess::start(&mut command(python, "thrift/rpc_server.py", &[]));
    let output = std::process::Command::new(example::executable("19_thrift"))
        .args(["call", &server.address().to_string()])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "pong\n Login successful !\n");
}

#[test]
fn we_read_the_files_that_they_read() {
    for name in ["more", "all", "calculator", "foo"] {
        Idl::load(file(&format!("thrift/{name}.thrift"))).unwrap();
    }
}
