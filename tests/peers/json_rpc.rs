//! Python's jsonrpclib-pelix.

use std::process::Command;

use ninestep::protocol::json_rpc::JsonRpc;
use ninestep::{Channel, ClientStub, Error, Fault, Value};
use serde::Serialize;

use crate::STRATEGIES;
use crate::environment::{command, python, run};
use crate::support::{PATIENCE, ServerProcess, example, within};

const SCRIPT: &str = "json_rpc/peer.py";

#[test]
fn its_client_gets_every_outcome_under_every_strategy() {
    let Some(python) = python() else { return };
    for strategy in STRATEGIES {
        let server = ServerProcess::serve(&[strategy, &["--protocol", "json-rpc"]].concat());
        let printed = run(python, SCRIPT, &["client", &server.address().to_string()]);
        let expected = "-32602 expected (a: i64, b: i64):";
        let lines = format!(
            "15\n5\n2.5\n2.0\n'Hi Jürgen 🦀!'\n'pong'\nNone\nNone\nNone\n\
             error 1 division by zero None\nerror 1 division by zero None\n\
             error 2 overflow None\nerror {expected} argument 2 (b) is missing\n\
             error {expected} argument 2 (b): invalid type: string \"two\", expected i64\n\
             error {expected} there is no argument \"c\"\nerror -32601 Method not found\n\
             error -32603 panic failed inside\n3\nerror 1 division by zero None\n\
             error -32601 Method not found\n2\n0\n3\n"
        );
        assert_eq!(printed, lines);
    }
}

#[derive(Serialize)]
struct Named {
    b: i64,
    a: i64,
}

#[test]
fn our_client_gets_every_outcome_from_its_server() {
    let Some(python) = python() else { return };
    let server = ServerProcess::start(&mut command(python, SCRIPT, &["server"]));
    let _killer = server.killer();
    within("Python's JSON-RPC server", move || {
        let channel = Channel::new(server.address()).call_timeout(PATIENCE);
        let stub = ClientStub::new(&channel.protocol(JsonRpc::over_http())).unwrap();
        assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
        assert_eq!(stub.call::<f64>("divide", Named { b: 4, a: 10 }).unwrap(), 2.5);
        let texts = ("ü🦀\"\\\n\t\0", "", [i64::MAX, i64::MIN]);
        let given = (texts, (None::<i64>, true, u64::MAX, 1e-300));
        type Given = ((String, String, [i64; 2]), (Option<i64>, bool, u64, f64));
        let (texts, rest) = stub.call::<Given>("echo", (given,)).unwrap();
        assert_eq!((&*texts.0, &*texts.1, texts.2), given.0);
        assert_eq!(rest, given.1);
        let kinds = (1, u64::MAX, 2.5, "x", (), [1], Named { b: 1, a: 2 });
        assert_eq!(
            stub.call::<Vec<String>>("kinds", kinds).unwrap(),
            ["int", "int", "float", "str", "NoneType", "list", "dict"]
        );

        let fault = |outcome: Result<Value, Error>| match outcome {
            Err(Error::Fault(fault)) => fault,
            other => panic!("{other:?}"),
        };
        let by_zero = Fault::new(-32000, "division by zero");
        let by_zero = by_zero.with_data(Value::List(vec![Value::Int(1)]));
        assert_eq!(fault(stub.call("divide", (1, 0))), by_zero);
        assert_eq!(fault(stub.call("broken", ())).code, Fault::INTERNAL);
        assert_eq!(fault(stub.call("add", (1,))).code, Fault::WRONG_ARGUMENTS);
        assert_eq!(fault(stub.call("nowhere", ())).code, Fault::NO_SUCH_PROCEDURE);

        stub.notify("notify", ("nobody answers",)).unwrap();
        let mut batch = stub.batch();
        let sums: Vec<_> = (0..20).map(|n| batch.send::<i64>("add", (n, n)).unwrap()).collect();
        batch.notify("notify", ("nobody answers",)).unwrap();
        let by_nothing = batch.send::<Value>("divide", (1, 0)).unwrap();
        batch.flush().unwrap();
        for (n, sum) in sums.into_iter().enumerate().rev() {
            assert_eq!(sum.wait().unwrap(), 2 * n as i64);
        }
        assert_eq!(fault(by_nothing.wait()), by_zero);
        assert_eq!(stub.call::<u32>("notified", ()).unwrap(), 2);
    });
}

#[test]
fn the_example_serves_the_tutorials_client_and_more() {
    let Some(python) = python() else { return };
    let serve = |role: &str| {
        let mut serve = Command::new(example::executable("16_json_rpc"));
        ServerProcess::start(serve.args([role, "127.0.0.1:0"]))
    };
    let server = serve("serve");
    let address = server.address().to_string();
    assert_eq!(run(python, "json_rpc/rpc_client.py", &[&address]), "15\n5\n50\n2.0\n");
    let lines = "15\n15\n5\n5\n50\n50\n2.0\n2.0\n1.5\nerror -32000 division by zero\n";
    assert_eq!(run(python, SCRIPT, &["example", &address]), lines);

    let server = serve("serve-spec");
    let lines = "19\n-19\n19\n19\nNone\nerror -32601 Method not found\n7\n['hello', 5]\n";
    let address = server.address().to_string();
    assert_eq!(run(python, SCRIPT, &["specification", &address]), lines);
}

#[test]
fn the_example_s_client_calls_the_tutorials_server() {
    let Some(python) = python() else { return };
    let server = ServerProcess::start(&mut command(python, "json_rpc/rpc_server.py", &[]));
    let mut call = Command::new(example::executable("16_json_rpc"));
    let output = call.args(["call", &server.address().to_string()]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "15\n5\n50\n2.0\n");
}
