//! Python's hprose.

use std::process::Command;

use ninestep::protocol::hprose::Hprose;
use ninestep::protocol::{DateTime, Guid};
use ninestep::{Channel, ClientStub, Error, Fault, Value};

use crate::STRATEGIES;
use crate::environment::{command, python, run};
use crate::support::{PATIENCE, ServerProcess, example, within};

const SCRIPT: &str = "hprose/peer.py";

/// What comes of the values that both roles echo.
const ECHOES: &str = "'2012-12-21T15:14:35.123456'\n'2012-12-21T15:14:35Z'\n'2012-12-29'\n\
    '03:21:59'\n'afa7f4b1-a64d-46fa-886f-ed7fbce569b6'\n\
    [{'name': 'Tommy', 'age': 24}, {'name': 'Jerry', 'age': 19}, {'name': 'Tommy', 'age': 24}, \
    'Tommy']\nerror a value contains itself\n";

fn stub(server: &ServerProcess) -> ClientStub {
    let channel = Channel::new(server.address()).call_timeout(PATIENCE);
    ClientStub::new(&channel.protocol(Hprose::default())).unwrap()
}

#[test]
fn its_client_gets_every_outcome_under_every_strategy() {
    let Some(python) = python() else { return };
    for strategy in STRATEGIES {
        let server = ServerProcess::serve(&[strategy, &["--protocol", "hprose"]].concat());
        let printed = run(python, SCRIPT, &["client", &server.address().to_string()]);
        let lines = format!(
            "Fa15{{s5\"abort\"s3\"add\"s6\"divide\"s4\"echo\"s4\"leak\"s5\"login\"s8\"multiply\"\
             s8\"overflow\"s5\"panic\"s4\"ping\"s6\"sayBye\"s5\"sayHi\"s5\"sleep\"s4\"spin\"\
             s8\"subtract\"}}z\n15\n2.5\n2.0\n'Hi Jürgen 🦀!'\n'Hi me!'\n'pong'\nNone\n'back'\n\
             {ECHOES}error division by zero\n\
             error expected (a: i64, b: i64): argument 2 (b) is missing\n\
             error there is no procedure \"nowhere\"\nerror panic failed inside\n3\n"
        );
        assert_eq!(printed, lines);
    }
}

#[test]
fn our_client_gets_every_outcome_from_its_server() {
    let Some(python) = python() else { return };
    let server = ServerProcess::start(&mut command(python, SCRIPT, &["server"]));
    let _killer = server.killer();
    within("Python's Hprose server", move || {
        let stub = stub(&server);
        assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
        assert_eq!(stub.call::<i64>("ADD", (i64::MAX, -1)).unwrap(), i64::MAX - 1);
        assert_eq!(stub.call::<f64>("divide", (10, 4)).unwrap(), 2.5);
        let texts = ("ü🦀<&>\r\n\t\0", "", "a", "🦀", ["same", "same"], [f64::INFINITY, 1e300]);
        let given = (texts, (None::<i64>, true, u64::MAX));
        type Given =
            ((String, String, String, String, [String; 2], [f64; 2]), (Option<i64>, bool, u64));
        let ((a, b, c, d, e, f), rest) = stub.call::<Given>("echo", (given,)).unwrap();
        assert_eq!(
            (&*a, &*b, &*c, &*d, e, f),
            (texts.0, "", "a", "🦀", ["same"; 2].map(str::to_owned), texts.5)
        );
        assert_eq!(rest, given.1);

        let (bytes, moment) = (Value::Bytes((0..=255).collect()), DateTime("15:14:35".into()));
        let guid = Guid("afa7f4b1-a64d-46fa-886f-ed7fbce569b6".into());
        let kinds = (1, u64::MAX, 2.5, "x", &bytes, (), [1], (moment, guid));
        assert_eq!(
            stub.call::<Vec<String>>("kinds", kinds).unwrap(),
            ["int", "int", "float", "str", "bytes", "NoneType", "list", "list"]
        );
        let date = DateTime("2012-12-21T15:14:35Z".into());
        let kinds = (
            DateTime("15:14:35".into()),
            &date,
            Guid("afa7f4b1-a64d-46fa-886f-ed7fbce569b6".into()),
        );
        assert_eq!(stub.call::<Vec<String>>("kinds", kinds).unwrap(), ["time", "datetime", "UUID"]);
        assert_eq!(stub.call::<DateTime>("echo", (&date,)).unwrap(), date);

        // Its texts' lengths count characters, and an object has a class.
        let all = stub.call::<Value>("all", ()).unwrap();
        let expected = concat!(
            r#"["the same", "the same", "a🦀b", <2 bytes>, null, 18446744073709551615, "#,
            r#""2012-12-21T15:14:35", "afa7f4b1-a64d-46fa-886f-ed7fbce569b6", "#,
            r#"{"name": "Tommy", "age": 24}, "Tommy"]"#
        );
        assert_eq!(all.to_string(), expected);

        let fault = |outcome: Result<Value, Error>| match outcome {
            Err(Error::Fault(fault)) => fault,
            other => panic!("{other:?}"),
        };
        assert_eq!(fault(stub.call("fail", ("no",))), Fault::new(Fault::INTERNAL, "no"));
        let unknown = "Can't find this function nowhere().";
        assert_eq!(fault(stub.call("nowhere", ())).message, unknown);
        stub.notify("fail", ("nobody looks",)).unwrap();
        let sums: Vec<_> = (0..20).map(|n| stub.send::<i64>("add", (n, n)).unwrap()).collect();
        for (n, sum) in sums.into_iter().enumerate().rev() {
            assert_eq!(sum.wait().unwrap(), 2 * n as i64);
        }
    });
}

#[test]
fn the_example_serves_the_tutorials_client_and_more() {
    let Some(python) = python() else { return };
    let mut serve = Command::new(example::executable("18_hprose"));
    let server = ServerProcess::start(serve.args(["serve", "127.0.0.1:0"]));
    let address = server.address().to_string();
    let lines = "Hi,Python测试和开发! \nBye,Python测试和开发!\n";
    assert_eq!(run(python, "hprose/rpc_client.py", &[&address]), lines);
    let lines = format!(
        "Fa9{{s3\"add\"s6\"divide\"s4\"echo\"s8\"multiply\"s4\"pair\"s4\"ping\"s6\"sayBye\"\
         s5\"sayHi\"s8\"subtract\"}}z\n'Hi,phyger!'\n'Bye,phyger!'\n'pong'\n[['same'], ['same']]\n\
         15\n5\n50\n2.0\n{ECHOES}"
    );
    assert_eq!(run(python, SCRIPT, &["example", &address]), lines);
}

#[test]
fn the_example_s_client_calls_the_tutorials_server() {
    let Some(python) = python() else { return };
    let server = ServerProcess::start(&mut command(python, "hprose/rpc_server.py", &[]));
    let mut call = Command::new(example::executable("18_hprose"));
    let output = call.args(["call", &server.address().to_string()]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Hi,phyger!\nBye,phyger!\n");
}
