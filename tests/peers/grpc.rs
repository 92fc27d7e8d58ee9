//! grpcio, with messages that it makes of the same `.proto` files.

use std::time::{Duration, Instant};

use ninestep::protocol::grpc::{Grpc, metadata};
use ninestep::protocol::http::HeaderName;
use ninestep::{Channel, ClientStub, Error, Fault, Server, ThreadPerConnection, Value};

use crate::STRATEGIES;
use crate::environment::{command, file, python, run};
use crate::grpc_talk::{grpc, heard, procedures, proto};
use crate::support::{PATIENCE, ServerProcess, ServerThread, example, within};

const SCRIPT: &str = "grpc/peer.py";

/// What a client of the demo services prints; two of its calls tell a file from none.
fn demo(nobody: &str, wrong: &str) -> String {
    format!(
        "15\n0\n-21\n2.5\npong\nHi Jürgen 🦀!\nTrue\nUNKNOWN: division by zero\nUNKNOWN: overflow\n\
         UNIMPLEMENTED: there is no method \"/Demo/Nowhere\"\n{nobody}\n\
         INVALID_ARGUMENT: expected (a: i64, b: i64): argument 1 (a): {wrong}\n\
         INVALID_ARGUMENT: expected (a: i64, b: i64): the bytes end inside a value\n\
         INTERNAL: panic failed inside\nDEADLINE_EXCEEDED: Deadline Exceeded\n2450 False\nTrue\n"
    )
}

#[test]
fn their_client_gets_every_outcome_under_every_strategy() {
    let Some(python) = python() else { return };
    let idl = file("demo.proto");
    let with_file = demo(
        "UNIMPLEMENTED: there is no method \"/Nobody/Ping\"",
        "the .proto file has int64 here, and something else came",
    );
    let without = demo("b'\\n\\x04pong'", "invalid type: byte array, expected i64");
    for strategy in STRATEGIES {
        let speaks = ["--protocol", "grpc"];
        for (idl, prints) in [(&["--idl", idl.to_str().unwrap()][..], &with_file), (&[], &without)]
        {
            let server = ServerProcess::serve(&[strategy, &speaks, idl].concat());
            let printed = run(python, SCRIPT, &["demo", &server.address().to_string()]);
            assert_eq!(printed, *prints, "{strategy:?}");
        }
    }
}

#[test]
fn their_client_sends_and_gets_every_type_status_and_metadata() {
    let Some(python) = python() else { return };
    let server = Server::new(procedures()).protocol(grpc());
    let server = ServerThread::run(server, ThreadPerConnection::default());
    assert_eq!(
        run(python, SCRIPT, &["client", &server.address().to_string()]),
        "15\n2.5\nUNKNOWN: division by zero\nHello, eric!\nTrue\nTrue\nTrue\n\
         NOT_FOUND: 100 %\nJürgen 🦀\nUNKNOWN: another\nUNAUTHENTICATED: \n\
         INTERNAL: panic failed inside\n\
         UNIMPLEMENTED: there is no method \"/peers.v1.All/Nowhere\"\n\
         UNIMPLEMENTED: streams are not known here\n\
         [('served-by', 'ninestep'), ('trace-bin', b'\\x00\\xff')]\nPERMISSION_DENIED: no\n\
         UNIMPLEMENTED: a message is to come as it is\nxxx!\n"
    );
}

fn kinds() -> Value {
    let int = Value::Int;
    let map = |pairs: &[(&str, Value)]| {
        Value::Map(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    };
    let point = |x| map(&[("x", int(x)), ("y", int(0))]);
    map(&[
        ("a", Value::from(true)),
        ("b", int(i32::MIN.into())),
        ("c", Value::from(u64::MAX)),
        ("d", int(-7)),
        ("e", int(u32::MAX.into())),
        ("f", int(i64::MIN)),
        ("g", Value::from(0.5)),
        ("h", Value::from(0.1)),
        ("i", Value::from("Jürgen 🦀")),
        ("j", Value::Bytes(b"\xff\0".to_vec())),
        ("k", Value::from("BLUE")),
        (
            "l",
            map(&[("x", int(1)), ("y", int(0)), ("next", map(&[("x", int(0)), ("y", int(-1))]))]),
        ),
        ("m", Value::List(vec![int(-1), int(1 << 62)])),
        ("n", Value::List(vec![Value::from(""), Value::from("a")])),
        ("o", Value::List(vec![point(0), point(1)])),
        ("p", map(&[("a", point(3))])),
        ("q", map(&[("-1", Value::from("GREEN"))])),
        ("r", int(0)),
        ("right", Value::from("")),
        ("s", Value::List(vec![Value::from(1.5), Value::from(-0.0)])),
    ])
}

fn fault(outcome: ninestep::Result<Value>) -> Fault {
    match outcome {
        Err(Error::Fault(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn our_client_gets_every_outcome_from_their_server() {
    let Some(python) = python() else { return };
    let server = ServerProcess::start(&mut command(python, SCRIPT, &["server"]));
    let _killer = server.killer();
    within("grpcio", move || {
        let (client, told) = heard(Grpc::with_proto(proto()).sends(|procedure, headers| {
            let name = HeaderName::from_static("trace-bin");
            metadata::set_bytes(headers, name, procedure.as_bytes());
            if procedure == "Add" {
                headers.insert("token", "bad".parse().unwrap());
            }
        }));
        let channel = Channel::new(server.address()).call_timeout(PATIENCE).protocol(client);
        let stub = ClientStub::new(&channel).unwrap();
        assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
        let answered = told.recv().unwrap();
        assert_eq!(answered["served-by"], "grpcio");
        assert_eq!(metadata::bytes(&answered, "trace-bin").unwrap(), b"add");

        assert_eq!(stub.call::<f64>("divide", (10, 4)).unwrap(), 2.5);
        assert_eq!(stub.call::<String>("say_hello", ("Jürgen 🦀",)).unwrap(), "Hello, Jürgen 🦀!");
        stub.call::<()>("sleep", (1,)).unwrap();
        assert_eq!(stub.call::<Value>("everything", kinds()).unwrap(), kinds());
        let long = "x".repeat(1_000_000);
        let hello = stub.call::<String>("sayHello", (&long,)).unwrap();
        assert_eq!(hello.len(), long.len() + "Hello, !".len());

        let zero = fault(stub.call("divide", (1, 0)));
        let why = "Exception calling application: division by zero";
        assert_eq!(zero, Fault::new(2, why));
        let text = "100 %\nJürgen 🦀";
        assert_eq!(fault(stub.call("fail", (5, text))), Fault::new(5, text));
        assert_eq!(fault(stub.call("fail", (16, ""))), Fault::new(16, ""));
        assert_eq!(fault(stub.call("Add", (1, 2))), Fault::new(7, "no"));
        assert_eq!(fault(stub.call("nowhere", ())).code, 12);
        assert_eq!(fault(stub.call("peers.v1.Other/Add", (1, 2))).code, 12);
        let wrong = ClientStub::new(
            &Channel::new(server.address()).protocol(Grpc::service("peers.v1.All")),
        );
        let wrong = wrong.unwrap();
        // Bytes that are not UTF-8, where a text is declared.
        let bytes = serde_bytes::Bytes::new(b"\xff");
        assert_eq!(fault(wrong.call("sayHello", (bytes,))).code, 13);
        assert_eq!(wrong.call::<i64>("add", (10, 5)).unwrap(), 15);

        let hurried = stub.call_timeout(Duration::from_millis(100));
        // Their server has the deadline too, to the millisecond; its clock may be the first.
        match hurried.call::<()>("sleep", (5_000,)) {
            Err(Error::Timeout(_)) => {}
            Err(Error::Fault(late)) => assert_eq!(late.code, 4),
            other => panic!("{other:?}"),
        }
        // It knows how long we wait.
        let left: u64 = fault(stub.call("sleep", (0,))).message.parse().unwrap();
        assert!(left <= PATIENCE.as_secs() && left + 5 > PATIENCE.as_secs(), "{left}");

        let slow = stub.send::<()>("sleep", (2_000,)).unwrap();
        let began = Instant::now();
        let sums: Vec<_> = (0..50).map(|n| stub.send::<i64>("add", (n, n)).unwrap()).collect();
        for (n, sum) in sums.into_iter().enumerate().rev() {
            assert_eq!(sum.wait().unwrap(), 2 * n as i64);
        }
        assert!(began.elapsed() < Duration::from_secs(2), "they waited for the slow one");
        slow.wait().unwrap();
    });
}

/// A server that is the example.
fn serve(service: &str) -> ServerProcess {
    let mut command = std::process::Command::new(example::executable("20_grpc"));
    ServerProcess::start(command.args(["serve", "127.0.0.1:0", service]))
}

const CALCULATED: &str = "15\n5\n50\n2.0\n";

#[test]
fn the_example_serves_the_tutorials_clients() {
    let Some(python) = python() else { return };
    let client = |arguments: &[&str]| run(python, "grpc/rpc_client.py", arguments);
    let server = serve("hello");
    let printed = client(&["hello", &server.address().to_string()]);
    assert_eq!(printed, "hello client received: Hello, eric!\n");

    let server = serve("calculator");
    let printed = client(&["calculator", &server.address().to_string()]);
    assert_eq!(printed, format!("{CALCULATED}UNKNOWN: division by zero\n"));

    let (adds, subtracts) = (serve("add"), serve("subtract"));
    let addresses = [adds.address().to_string(), subtracts.address().to_string()];
    let printed = client(&["nodes", &addresses[0], &addresses[1]]);
    assert_eq!(printed, "Add result: 15\nSubtract result: 5\n");
}

#[test]
fn the_example_s_client_calls_the_tutorials_servers() {
    let Some(python) = python() else { return };
    for (service, prints) in
        [("hello", "hello client received: Hello, eric!\n"), ("calculator", CALCULATED)]
    {
        let server = ServerProcess::start(&mut command(python, "grpc/rpc_server.py", &[service]));
        let output = std::process::Command::new(example::executable("20_grpc"))
            .args(["call", &server.address().to_string(), service])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), prints);
    }
}
