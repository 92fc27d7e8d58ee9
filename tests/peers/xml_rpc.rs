//! Python's own xmlrpc.

use std::process::Command;

use ninestep::protocol::DateTime;
use ninestep::protocol::xml_rpc::XmlRpc;
use ninestep::{Channel, ClientStub, Error, Fault, Value};

use crate::STRATEGIES;
use crate::environment::{command, python, run};
use crate::support::{PATIENCE, ServerProcess, example, within};

const SCRIPT: &str = "xml_rpc/peer.py";

/// What comes of the values that both roles echo.
const ECHOES: &str = "4611686014132420609\n'19980717T14:08:55'\n'19980717T14:08:55'\n";

fn stub(server: &ServerProcess) -> ClientStub {
    let channel = Channel::new(server.address()).call_timeout(PATIENCE);
    ClientStub::new(&channel.protocol(XmlRpc::default())).unwrap()
}

#[test]
fn its_client_gets_every_outcome_under_every_strategy() {
    let Some(python) = python() else { return };
    for strategy in STRATEGIES {
        let server = ServerProcess::serve(&[strategy, &["--protocol", "xml-rpc"]].concat());
        let printed = run(python, SCRIPT, &["client", &server.address().to_string()]);
        let expected = "(a: i64, b: i64): argument 2 (b)";
        let lines = format!(
            "15\n2.5\n2.0\n'Hi Jürgen 🦀!'\nNone\n{ECHOES}fault 1 division by zero\n\
             fault -32602 expected {expected} is missing\n\
             fault -32602 expected {expected}: invalid type: string \"two\", expected i64\n\
             fault -32601 there is no procedure \"nowhere\"\nfault -32603 panic failed inside\n\
             ['abort', 'add', 'divide', 'echo', 'leak', 'login', 'multiply', 'overflow', 'panic', \
             'ping', 'sayBye', 'sayHi', 'sleep', 'spin', 'subtract', 'system.listMethods']\n3\n"
        );
        assert_eq!(printed, lines);
    }
}

#[test]
fn our_client_gets_every_outcome_from_its_server() {
    let Some(python) = python() else { return };
    let server = ServerProcess::start(&mut command(python, SCRIPT, &["server"]));
    let _killer = server.killer();
    within("Python's XML-RPC server", move || {
        let stub = stub(&server);
        assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
        assert_eq!(stub.call::<f64>("divide", (10, 4)).unwrap(), 2.5);
        let large = i64::from(i32::MAX) + 1;
        let texts = ("ü🦀<&>\n\t", "", [1_i64, i32::MIN.into()], (None::<i64>, true, 1e-300));
        assert_eq!(
            stub.call::<(String, String, [i64; 2], (Option<i64>, bool, f64))>("echo", (&texts,))
                .unwrap(),
            (texts.0.into(), String::new(), texts.2, texts.3)
        );
        let bytes = Value::Bytes((0..=255).collect());
        let kinds = (1, large, 2.5, "x", &bytes, (), [1], DateTime("20121221T15:14:35".into()));
        assert_eq!(
            stub.call::<Vec<String>>("kinds", kinds).unwrap(),
            ["int", "int", "float", "str", "bytes", "NoneType", "list", "datetime"]
        );
        let all = stub.call::<Value>("all", ()).unwrap();
        let expected = r#"[1, 2.0, "ü🦀", <2 bytes>, null, true, {"a": []}, "19980717T14:08:55"]"#;
        assert_eq!(all.to_string(), expected);
        // It would pack this with gzip for a client that asked for it.
        assert_eq!(stub.call::<String>("long", ()).unwrap().len(), 40_000);
        let names: Vec<String> = stub.call("system.listMethods", ()).unwrap();
        assert!(names.iter().any(|name| name == "divide"), "{names:?}");
        let fault = |outcome: Result<Value, Error>| match outcome {
            Err(Error::Fault(fault)) => fault,
            other => panic!("{other:?}"),
        };
        assert_eq!(fault(stub.call("fail", (-7, "ü"))), Fault::new(-7, "ü"));
        let broken = fault(stub.call("break_", ()));
        assert_eq!(broken, Fault::new(1, "<class 'ValueError'>:broken"));
        assert_eq!(fault(stub.call("nowhere", ())).code, 1);
        stub.notify("fail", (1, "nobody looks")).unwrap();
        let sums: Vec<_> = (0..20).map(|n| stub.send::<i64>("add", (n, n)).unwrap()).collect();
        for (n, sum) in sums.into_iter().enumerate().rev() {
            assert_eq!(sum.wait().unwrap(), 2 * n as i64);
        }
    });
}

#[test]
fn the_example_serves_the_tutorials_client_and_more() {
    let Some(python) = python() else { return };
    let mut serve = Command::new(example::executable("17_xml_rpc"));
    let server = ServerProcess::start(serve.args(["serve", "127.0.0.1:0"]));
    let address = server.address().to_string();
    assert_eq!(run(python, "xml_rpc/rpc_client.py", &[&address]), "Hi phyger!\n");
    let lines = format!("'Hi phyger!'\n15\n5\n50\n2.0\n{ECHOES}None\nfault 7 no\n");
    assert_eq!(run(python, SCRIPT, &["example", &address]), lines);
}

#[test]
fn the_example_s_client_calls_the_tutorials_server() {
    let Some(python) = python() else { return };
    let server = ServerProcess::start(&mut command(python, "xml_rpc/rpc_server.py", &[]));
    let mut call = Command::new(example::executable("17_xml_rpc"));
    let output = call.args(["call", &server.address().to_string()]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Hi phyger!\n");
}
