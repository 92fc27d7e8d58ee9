//! JSON-RPC 2.0: its specification, and what is not in it. Over HTTP and over TCP the messages are
//! the same.
#![cfg(feature = "json-rpc")]

pub mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use ninestep::protocol::json_rpc::JsonRpc;
use ninestep::protocol::{
    Answer, Arrived, Call, Calls, Message, Outcome, Outgoing, Protocol, Request,
};
use ninestep::{
    Channel, ClientStub, Error, Fault, Procedures, ProtocolError, Recorder, Server, Step,
    ThreadPerConnection, Value, demo,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Value as Json, json};
use support::http::HttpRaw;
use support::{ServerThread, within};

/// The procedures of the specification's examples, the demo's, and some for the corners.
fn procedures() -> Procedures {
    demo::procedures()
        .on_named("subtract", &["minuend", "subtrahend"], |minuend: i64, subtrahend: i64| {
            minuend - subtrahend
        })
        .on_all("update", |_: Value| ())
        .on_all("sum", |numbers: Vec<i64>| numbers.iter().sum::<i64>())
        .on_all("notify_sum", |_: Value| ())
        .on_all("notify_hello", |_: Value| ())
        .on("get_data", || ("hello", 5))
        .on("nan", || f64::NAN)
        .on("infinite", || [1.0, f32::NEG_INFINITY])
        .on("deep", |depth: usize| {
            (1..depth).fold(Value::List(vec![]), |value, _| Value::List(vec![value]))
        })
        .on("largest", || u64::MAX)
        .on("bits", |exact: f64| exact.to_bits())
        .on("text", |length: usize| "x".repeat(length))
        .on("numbers", || BTreeMap::from([(1, true)]))
        .on("fail", || -> Result<(), Fault> {
            Err(Fault::new(7, "\"no\"").with_data(Value::List(vec![Value::Int(1)])))
        })
        .on("panic", || -> i64 { panic!("asked to") })
}

/// Asks a server in turn over HTTP.
fn ask(asks: impl FnOnce(&mut dyn FnMut(&str) -> String) + Send + 'static) {
    within("JSON-RPC", || {
        let server = Server::new(procedures()).protocol(JsonRpc::over_http());
        let server = ServerThread::run(server, ThreadPerConnection::default());
        let mut raw = HttpRaw::connect(server.address());
        asks(&mut |body| {
            let response = raw.ask(body);
            assert_eq!(response.status, 200, "{body}: {response:?}");
            response.body
        });
    });
}

fn parsed(text: &str) -> Json {
    match text {
        "" => Json::Null,
        text => serde_json::from_str(text).unwrap_or_else(|why| panic!("{text}: {why}")),
    }
}

/// Section 7 of the specification, to the letter, but for `-->` and `<--` in front.
const EXAMPLES: [(&str, &str); 15] = [
    (
        r#"{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}"#,
        r#"{"jsonrpc": "2.0", "result": 19, "id": 1}"#,
    ),
    (
        r#"{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}"#,
        r#"{"jsonrpc": "2.0", "result": -19, "id": 2}"#,
    ),
    (
        r#"{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}"#,
        r#"{"jsonrpc": "2.0", "result": 19, "id": 3}"#,
    ),
    (
        r#"{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}"#,
        r#"{"jsonrpc": "2.0", "result": 19, "id": 4}"#,
    ),
    (r#"{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}"#, ""),
    (r#"{"jsonrpc": "2.0", "method": "foobar"}"#, ""),
    (
        r#"{"jsonrpc": "2.0", "method": "foobar", "id": "1"}"#,
        r#"{"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "1"}"#,
    ),
    (
        r#"{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]"#,
        r#"{"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}"#,
    ),
    (
        r#"{"jsonrpc": "2.0", "method": 1, "params": "bar"}"#,
        r#"{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}"#,
    ),
    (
        r#"[
  {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
  {"jsonrpc": "2.0", "method"
]"#,
        r#"{"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}"#,
    ),
    (
        r#"[]"#,
        r#"{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}"#,
    ),
    (
        r#"[1]"#,
        r#"[
  {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}
]"#,
    ),
    (
        r#"[1,2,3]"#,
        r#"[
  {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
  {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
  {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}
]"#,
    ),
    (
        r#"[
        {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
        {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "get_data", "id": "9"} 
    ]"#,
        r#"[
        {"jsonrpc": "2.0", "result": 7, "id": "1"},
        {"jsonrpc": "2.0", "result": 19, "id": "2"},
        {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
        {"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "5"},
        {"jsonrpc": "2.0", "result": ["hello", 5], "id": "9"}
    ]"#,
    ),
    (
        r#"[
        {"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}
    ]"#,
        "",
    ),
];

#[test]
fn the_specifications_examples() {
    ask(|ask| {
        for (asked, answered) in EXAMPLES {
            assert_eq!(parsed(&ask(asked)), parsed(answered), "{asked}");
        }
    });
}

#[test]
fn the_specifications_examples_on_lines() {
    within("lines", || {
        let server = Server::new(procedures()).protocol(JsonRpc::over_tcp());
        let server = ServerThread::run(server, ThreadPerConnection::default());
        let raw = Channel::new(server.address()).connect().unwrap();
        let mut came = Vec::new();
        for (asked, answered) in EXAMPLES {
            raw.send(format!("{}\r\n", asked.replace('\n', " ")).as_bytes()).unwrap();
            if answered.is_empty() {
                continue;
            }
            while !came.ends_with(b"\n") {
                assert_ne!(raw.receive(&mut came).unwrap(), 0, "{asked}");
            }
            assert_eq!(parsed(str::from_utf8(&came).unwrap()), parsed(answered), "{asked}");
            came.clear();
        }
        raw.finish_sending();
        assert_eq!(raw.receive(&mut came).unwrap(), 0, "nothing was said to notifications");
    });
}

#[test]
fn an_id_comes_back_as_it_was_written() {
    ask(|ask| {
        for id in [
            "1",
            "-7",
            "1.50",
            "1e3",
            "123456789012345678901234567890",
            r#""\u0041\/""#,
            r#""""#,
            "null",
        ] {
            for call in ["add", "nope"] {
                let asked =
                    format!(r#"{{"jsonrpc":"2.0","method":"{call}","params":[1,2],"id": {id} }}"#);
                let answered = ask(&asked);
                assert!(answered.ends_with(&format!(r#","id":{id}}}"#)), "{asked}: {answered}");
            }
        }
        for id in ["true", "[]", "{}"] {
            let asked = format!(r#"{{"jsonrpc":"2.0","method":"add","params":[1,2],"id":{id}}}"#);
            assert_eq!(ask(&asked), invalid("null"), "{id}");
        }
    });
}

fn invalid(id: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","error":{{"code":-32600,"message":"Invalid Request"}},"id":{id}}}"#
    )
}

#[test]
fn what_is_no_call_is_refused() {
    ask(|ask| {
        for asked in [
            r#"{"method":"ping","id":1}"#,
            r#"{"jsonrpc":"1.0","method":"ping","id":1}"#,
            r#"{"jsonrpc":2.0,"method":"ping","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","method":null,"id":1}"#,
            r#"{"jsonrpc":"2.0","method":["ping"],"id":1}"#,
            r#"{"jsonrpc":"2.0","method":"ping","params":null,"id":1}"#,
            r#"{"jsonrpc":"2.0","method":"ping","params":"x","id":1}"#,
            r#"{"jsonrpc":"2.0","method":"ping","params":1,"id":1}"#,
        ] {
            assert_eq!(ask(asked), invalid("1"), "{asked}");
        }
        for asked in [
            "1",
            "null",
            r#""x""#,
            "{}",
            r#"{"jsonrpc":"2.0","method":"ping","method":"add","id":1}"#,
            r#"{"jsonrpc":"2.0","method":"ping","id":1,"id":2}"#,
            r#"{"jsonrpc":"2.0","method":"ping","params":[],"params":[],"id":1}"#,
            r#"{"method":"ping"}"#,
        ] {
            assert_eq!(ask(asked), invalid("null"), "{asked}");
        }
        for asked in [
            "",
            "x",
            "{",
            r#"{"jsonrpc":"2.0","method":"ping","id":1"#,
            r#"{"jsonrpc":"2.0","method":"ping","id":1}}"#,
            r#"{"jsonrpc":"2.0","method":"ping","id":1} {}"#,
            r#"{"jsonrpc":"2.0","method":"ping","id":01}"#,
            r#"{"id":1,"id":2,"#,
            "[1,]",
            "[1",
            "[] []",
            "NaN",
        ] {
            let answered = ask(asked);
            assert!(answered.contains(r#""code":-32700"#), "{asked}: {answered}");
            assert!(answered.ends_with(r#""id":null}"#), "{asked}: {answered}");
        }
        // Members that nobody knows are nobody's business.
        let asked = r#"{"jsonrpc":"2.0","method":"ping","id":1,"trace":[{"a":1}],"result":2}"#;
        assert_eq!(ask(asked), r#"{"jsonrpc":"2.0","result":"pong","id":1}"#);
    });
}

#[test]
fn a_call_in_the_usual_form_is_read_as_any_other() {
    let methods = ["subtract", "sub\\u0074ract", "sub\u{1}tract", "nothing", "", r#"a","x":"b"#];
    let params = [
        "[42,23]",
        " [42, 23] ",
        r#"{"minuend":42,"subtrahend":23}"#,
        r#"["}","id":1}"]"#,
        r#"[42,23],"params":[1,2]"#,
        r#"[42,23],"id":9"#,
        "[42,23",
        "[42,23]]",
        "[[[42]]]",
        "5",
        "",
    ];
    let ids = ["1", "0", "00", "01", "-1", "+1", "1.5", "1e2", "\"1\"", "null", "[1]", " 1 ", ""];
    ask(move |ask| {
        for method in methods {
            for params in params {
                for id in ids {
                    let call = format!(
                        r#"{{"jsonrpc":"2.0","method":"{method}","params":{params},"id":{id}}}"#
                    );
                    assert_eq!(ask(&call), ask(&format!(" {call}")), "{call}");
                }
            }
        }
    });
}

#[test]
fn text_that_is_not_utf8_is_no_json() {
    within("bytes", || {
        let server = Server::new(procedures()).protocol(JsonRpc::over_http());
        let server = ServerThread::run(server, ThreadPerConnection::default());
        let mut raw = HttpRaw::connect(server.address());
        let asked = r#"{"jsonrpc":"2.0","method":"echo","params":["?"],"id":1}"#;
        let mut bytes = support::http::post(asked);
        let at = bytes.iter().rposition(|byte| *byte == b'?').unwrap();
        bytes[at] = 0xff;
        raw.send(&bytes);
        assert!(raw.response().body.contains(r#""code":-32700"#));
        assert!(raw.ask(asked).body.contains(r#""result":"?""#));
    });
}

/// The outcome of a call with these arguments, given as JSON: a result, or code and message.
fn outcome(
    ask: &mut dyn FnMut(&str) -> String,
    procedure: &str,
    params: &str,
) -> Result<Json, (i64, String)> {
    let asked = format!(r#"{{"jsonrpc":"2.0","method":"{procedure}","params":{params},"id":1}}"#);
    let mut answered = parsed(&ask(&asked));
    assert_eq!(answered["id"], 1, "{asked}: {answered}");
    match answered.get("error") {
        Some(error) => {
            let message = error["message"].as_str().unwrap().to_owned();
            Err((error["code"].as_i64().unwrap(), message))
        }
        None => Ok(answered["result"].take()),
    }
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    ask(|ask| {
        for (procedure, params, says) in [
            ("add", "[1]", "argument 2 (b) is missing"),
            ("add", "[1,2,3]", "3 arguments were given"),
            ("add", "{\"a\":1}", "argument 2 (b) is missing"),
            ("add", "{\"a\":1,\"b\":2,\"c\":3}", "there is no argument \"c\""),
            ("add", "{\"a\":1,\"b\":2,\"a\":1}", "\"a\" is given twice"),
            ("add", "[1,\"2\"]", "argument 2 (b): invalid type: string"),
            ("add", "[1,2.0]", "invalid type: floating point `2.0`, expected i64"),
            ("add", "[1,null]", "invalid type: null, expected i64"),
            ("add", "[9223372036854775808,0]", "expected i64"),
            ("add", "[-9223372036854775809,0]", "expected i64"),
            ("add", "[18446744073709551616,0]", "expected i64"),
            ("add", "[1e2,0]", "expected i64"),
            ("update", "[{\"a\":{\"x\":1,\"x\":2}}]", "\"x\" is given twice"),
            ("update", "[{\"a\":1,\"\\u0061\":2}]", "\"a\" is given twice"),
        ] {
            let (code, message) = outcome(ask, procedure, params).unwrap_err();
            assert_eq!(code, -32602, "{procedure}{params}: {message}");
            assert!(message.contains(says), "{procedure}{params}: {message}");
            // Whoever called through a stub has not seen the JSON.
            assert!(!message.contains(" column "), "{procedure}{params}: {message}");
        }
        assert_eq!(outcome(ask, "add", "[9223372036854775807,0]"), Ok(json!(i64::MAX)));
        assert_eq!(outcome(ask, "echo", "[18446744073709551615]"), Ok(json!(u64::MAX)));
        assert_eq!(outcome(ask, "divide", "[1e20,2]"), Ok(json!(5e19)));
        assert_eq!(outcome(ask, "divide", "[10,5]"), Ok(json!(2.0)));
    });
}

#[test]
fn a_number_with_a_fraction_arrives_to_the_last_bit() {
    // Read by the quicker way that is nearly right, each of these becomes another number.
    for exact in [0.9209610185998117_f64, 5.445618932859895, -8.124e-310] {
        assert_eq!(
            came(&format!(r#"{{"jsonrpc":"2.0","result":{exact:?},"id":1}}"#)),
            Ok(vec![(Some(1), Ok(Value::Float(exact)))])
        );
        ask(move |ask| {
            assert_eq!(outcome(ask, "bits", &format!("[{exact:?}]")), Ok(json!(exact.to_bits())));
            let echoed =
                ask(&format!(r#"{{"jsonrpc":"2.0","method":"echo","params":[{exact:?}],"id":1}}"#));
            assert_eq!(echoed, format!(r#"{{"jsonrpc":"2.0","result":{exact:?},"id":1}}"#));
        });
    }
}

#[test]
fn nesting_has_a_limit() {
    ask(|ask| {
        let lists = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let maps = |depth| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert!(outcome(ask, "update", &lists(64)).is_ok());
        assert!(outcome(ask, "update", &maps(64)).is_ok());
        for params in [lists(65), maps(65), lists(1000), lists(1_000_000)] {
            let (code, message) = outcome(ask, "update", &params).unwrap_err();
            assert_eq!((code, message.contains("nest too deep")), (-32602, true), "{message}");
        }
        // What is ignored may nest as it likes.
        let asked = format!(r#"{{"jsonrpc":"2.0","method":"ping","id":1,"x":{}}}"#, lists(100_000));
        assert_eq!(ask(&asked), r#"{"jsonrpc":"2.0","result":"pong","id":1}"#);
        assert!(ask(&lists(100_000)).contains("Invalid Request"));
        assert!(outcome(ask, "deep", "[64]").is_ok());
        assert_eq!(outcome(ask, "deep", "[65]").unwrap_err().0, -32603);
    });
}

#[test]
fn results_that_json_has_no_form_for_are_faults() {
    ask(|ask| {
        for procedure in ["nan", "infinite"] {
            let (code, message) = outcome(ask, procedure, "[]").unwrap_err();
            assert_eq!(code, -32603);
            assert!(message.contains("not finite"), "{message}");
        }
        let (code, message) = outcome(ask, "text", "[4194304]").unwrap_err();
        assert_eq!((code, message.contains("at most 4194304 bytes")), (-32603, true), "{message}");
        assert_eq!(outcome(ask, "panic", "[]"), Err((-32603, "panic failed inside".to_owned())));
        assert_eq!(outcome(ask, "largest", "[]"), Ok(json!(u64::MAX)));
        assert_eq!(outcome(ask, "numbers", "[]"), Ok(json!({"1": true})));
        assert_eq!(outcome(ask, "echo", "[\"\\u0000\\\"\\n\"]"), Ok(json!("\0\"\n")));
        assert_eq!(
            ask(r#"{"jsonrpc":"2.0","method":"fail","id":1}"#),
            r#"{"jsonrpc":"2.0","error":{"code":7,"message":"\"no\"","data":[1]},"id":1}"#
        );
        assert_eq!(
            ask(r#"{"jsonrpc":"2.0","method":"divide","params":[10,5],"id":1}"#),
            r#"{"jsonrpc":"2.0","result":2.0,"id":1}"#
        );
    });
}

#[test]
fn a_batch_has_a_limit_and_every_call_in_it_its_own_outcome() {
    ask(|ask| {
        let call = r#"{"jsonrpc":"2.0","method":"ping","id":1}"#;
        let batch = |count| format!("[{}]", vec![call; count].join(","));
        assert_eq!(parsed(&ask(&batch(1000))).as_array().unwrap().len(), 1000);
        assert_eq!(ask(&batch(1001)), invalid("null"));
        let answered = ask(
            r#"[{"jsonrpc":"2.0","method":"panic","id":1},[],{"jsonrpc":"2.0","method":"nan","id":2},{"jsonrpc":"2.0","method":"ping","id":3}]"#,
        );
        let codes: Vec<_> = parsed(&answered)
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["error"]["code"].clone())
            .collect();
        assert_eq!(codes, [json!(-32603), json!(-32600), json!(-32603), Json::Null]);
    });
}

/// A call's bytes, after something that was there before and must stay.
fn packed(arguments: &impl Serialize, id: Option<u32>) -> Result<String, String> {
    let mut request = Request { bytes: b"before".to_vec(), ..Request::default() };
    let call = Outgoing { id, procedure: "p\"", arguments, deadline: None };
    let packed = JsonRpc::over_http().max_message(100).pack(&call, &mut request);
    assert!(packed.is_ok() || request.bytes == b"before", "nothing of a failure stays");
    let bytes = String::from_utf8(request.bytes).unwrap();
    packed.map(|()| bytes.strip_prefix("before").unwrap().to_owned())
}

#[test]
fn a_client_packs_calls() {
    let call = |params: &str| Ok(format!(r#"{{"jsonrpc":"2.0","method":"p\""{params},"id":1}}"#));
    assert_eq!(packed(&(), Some(1)), call(""));
    assert_eq!(packed(&(1, "x"), Some(1)), call(r#","params":[1,"x"]"#));
    assert_eq!(packed(&[0.1_f32; 2], Some(1)), call(r#","params":[0.1,0.1]"#));
    assert_eq!(packed(&json!({"a": [], "b": {}}), Some(1)), call(r#","params":{"a":[],"b":{}}"#));
    assert_eq!(packed(&(None::<i64>, Some(true)), Some(1)), call(r#","params":[null,true]"#));
    assert_eq!(packed(&(), None), Ok(r#"{"jsonrpc":"2.0","method":"p\""}"#.to_owned()));
    assert_eq!(packed(&(f64::NAN,), Some(1)), Err("a number is not finite".to_owned()));
    assert_eq!(
        packed(&(u128::MAX,), Some(1)),
        Err("an integer does not fit into 64 bits".to_owned())
    );
    assert_eq!(
        packed(&("x".repeat(100),), Some(1)),
        Err("a message has at most 100 bytes".to_owned())
    );
    for no_arguments in [json!(1), json!("x"), json!(true)] {
        assert!(packed(&no_arguments, Some(1)).unwrap_err().contains("a tuple"));
    }
    let deep = |depth| (1..depth).fold(json!([]), |value, _| json!([value]));
    assert!(packed(&deep(20), Some(1)).is_ok());
    assert!(packed(&deep(65), Some(1)).unwrap_err().contains("deeper"));
}

/// What a client makes of a message: ids and outcomes.
type Came = Vec<(Option<u32>, Result<Value, Fault>)>;

fn came(message: &str) -> Result<Came, ProtocolError> {
    let mut came = Vec::new();
    JsonRpc::default().unpack(Message::new(message.as_bytes()), &mut |arrived| {
        came.push(match arrived {
            Arrived::Outcome { id, outcome } => {
                (Some(id), outcome.map(|packed| packed.unpack().unwrap()))
            }
            Arrived::Refused(fault) => (None, Err(fault)),
            Arrived::Bye { .. } => panic!("{message}"),
        });
    })?;
    Ok(came)
}

#[test]
fn a_client_unpacks_responses() {
    let one = |id, outcome| Ok(vec![(id, outcome)]);
    let fault = Fault::new(7, "no");
    for (message, expected) in [
        (r#"{"jsonrpc":"2.0","result":15,"id":1}"#, one(Some(1), Ok(Value::Int(15)))),
        (r#" {"id":1,"result":null,"x":[1],"jsonrpc":"2.0"}"#, one(Some(1), Ok(Value::Null))),
        (
            r#"{"jsonrpc":"2.0","error":{"code":7,"message":"no"},"id":1}"#,
            one(Some(1), Err(fault.clone())),
        ),
        (
            r#"{"jsonrpc":"2.0","error":{"code":7,"message":"no","data":{"a":1.5}},"id":1}"#,
            one(
                Some(1),
                Err(fault.clone().with_data(Value::Map(vec![("a".into(), Value::Float(1.5))]))),
            ),
        ),
        (r#"{"jsonrpc":"2.0","error":{"code":7,"message":"no"},"id":null}"#, one(None, Err(fault))),
        (
            r#"{"jsonrpc":"2.0","error":{"code":99999999999,"message":"no"},"id":1}"#,
            one(Some(1), Err(Fault::new(i32::MAX, "no"))),
        ),
        (
            r#"{"jsonrpc":"2.0","error":{"code":-2147483649,"message":"no"},"id":1}"#,
            one(Some(1), Err(Fault::new(i32::MIN, "no"))),
        ),
        (
            r#"[{"jsonrpc":"2.0","result":1,"id":2},{"jsonrpc":"2.0","result":2,"id":1}]"#,
            Ok(vec![(Some(2), Ok(Value::Int(1))), (Some(1), Ok(Value::Int(2)))]),
        ),
        ("[]", Ok(vec![])),
    ] {
        assert_eq!(came(message), expected, "{message}");
    }
    for broken in [
        "",
        "x",
        "1",
        "{}",
        r#"{"result":15,"id":1}"#,
        r#"{"jsonrpc":"1.0","result":15,"id":1}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","result":15}"#,
        r#"{"jsonrpc":"2.0","result":15,"id":"1"}"#,
        r#"{"jsonrpc":"2.0","result":15,"id":-1}"#,
        r#"{"jsonrpc":"2.0","result":15,"result":16,"id":1}"#,
        r#"{"jsonrpc":"2.0","result":{"a":1,"a":2},"id":1}"#,
        r#"{"jsonrpc":"2.0","error":{"code":"7","message":"no"},"id":1}"#,
        r#"{"jsonrpc":"2.0","method":"news"}"#,
        r#"{"jsonrpc":"2.0","error":"no","id":1}"#,
        r#"{"jsonrpc":"2.0","result":15,"id":1}}"#,
        r#"[1]"#,
    ] {
        assert!(matches!(came(broken), Err(ProtocolError::Malformed(_))), "{broken}");
    }
    let deep =
        format!(r#"{{"jsonrpc":"2.0","result":{}{},"id":1}}"#, "[".repeat(65), "]".repeat(65));
    assert!(matches!(came(&deep), Err(ProtocolError::Malformed(_))));
}

/// A server that says more than it was asked.
#[test]
fn a_client_passes_over_lines_for_nobody() {
    within("lines for nobody", || {
        let (channel, connection) = Channel::in_memory().unwrap();
        let serving = thread::spawn(move || {
            let mut came = Vec::new();
            for id in 1..=3 {
                came.clear();
                while !came.ends_with(b"\n") {
                    assert_ne!(connection.receive(&mut came).unwrap(), 0);
                }
                let answer = match id {
                    // The last words of a server that could not read a call are everybody's.
                    3 => r#"{"jsonrpc":"2.0","error":{"code":7,"message":"no"},"id":null}"#
                        .to_owned(),
                    // For JSON they are one number.
                    2 => r#"{"jsonrpc":"2.0","result":15,"id":2.0}"#.to_owned(),
                    id => format!(r#"{{"jsonrpc":"2.0","result":15,"id":{id}}}"#),
                };
                for line in [
                    "",
                    " \r",
                    r#"{"jsonrpc":"2.0","method":"news","params":[1]}"#,
                    r#"{"jsonrpc":"2.0","method":"ask","id":1}"#,
                    r#"[{"jsonrpc":"2.0","method":"news"}]"#,
                    r#"{"jsonrpc":"2.0","result":1,"id":7}"#,
                    &answer,
                ] {
                    connection.send(format!("{line}\n").as_bytes()).unwrap();
                }
            }
        });
        let stub = ClientStub::new(&channel.protocol(JsonRpc::over_tcp())).unwrap();
        assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
        assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
        let error = stub.call::<i64>("add", (10, 5)).unwrap_err();
        assert!(matches!(&error, Error::Fault(it) if *it == Fault::new(7, "no")), "{error:?}");
        serving.join().unwrap();
    });
}

#[test]
fn a_response_in_the_usual_form_is_read_as_any_other() {
    let results = [
        "15",
        "[15]",
        r#"{"a":1,"a":2}"#,
        r#"",\"id\":1}""#,
        r#"15,"id":1"#,
        "[15",
        "15]",
        "x",
        "",
    ];
    for result in results {
        for id in ["1", "0", "01", "-1", "+1", "4294967296", "1.5", "\"1\"", "null", ""] {
            let response = format!(r#"{{"jsonrpc":"2.0","result":{result},"id":{id}}}"#);
            let [usual, other] = [came(&response), came(&format!(" {response}"))];
            assert_eq!(usual.map_err(|_| ()), other.map_err(|_| ()), "{response}");
        }
    }
}

#[test]
fn a_line_has_a_limit() {
    within("long lines", || {
        let server = Server::new(procedures()).protocol(JsonRpc::over_tcp().max_message(100));
        let server = ServerThread::run(server, ThreadPerConnection::default());
        let raw = Channel::new(server.address()).connect().unwrap();
        let call = r#"{"jsonrpc":"2.0","method":"ping","id":1}"#;
        raw.send(format!("{call:100}\n{}", " ".repeat(101)).as_bytes()).unwrap();
        let mut came = Vec::new();
        while raw.receive(&mut came).unwrap() > 0 {}
        let told = String::from_utf8(came).unwrap();
        let lines: Vec<_> = told.lines().map(parsed).collect();
        assert_eq!(lines[0]["result"], "pong");
        assert_eq!((&lines[1]["error"]["code"], &lines[1]["id"]), (&json!(-32700), &Json::Null));
        assert_eq!(lines.len(), 2);
    });
}

#[test]
fn a_client_calls_over_both_roads() {
    for protocol in [JsonRpc::over_http, JsonRpc::over_tcp] {
        within("a client", move || {
            let server = Server::new(procedures()).protocol(protocol());
            let server = ServerThread::run(server, ThreadPerConnection::default());
            let stub =
                ClientStub::new(&Channel::new(server.address()).protocol(protocol())).unwrap();
            assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
            let by_name = json!({"subtrahend": 10, "minuend": 5});
            assert_eq!(stub.call::<i64>("subtract", by_name).unwrap(), -5);
            stub.notify("update", ([1, 2],)).unwrap();
            let error = stub.call::<String>("add", (10, 5)).unwrap_err();
            assert!(matches!(error, Error::Unpack(_)), "{error:?}");
            let error = stub.call::<i64>("add", (f64::NAN,)).unwrap_err();
            assert!(matches!(error, Error::Pack(_)), "{error:?}");
            let error = stub.call::<i64>("nope", ()).unwrap_err();
            assert!(matches!(&error, Error::Fault(it) if it.code == Fault::NO_SUCH_PROCEDURE));
            assert_eq!(stub.call::<u64>("largest", ()).unwrap(), u64::MAX);
            let mut batch = stub.batch();
            let calls: Vec<_> =
                (0..2500).map(|n| batch.send::<i64>("add", (n, 1)).unwrap()).collect();
            batch.flush().unwrap();
            for (n, call) in calls.into_iter().enumerate() {
                assert_eq!(call.wait().unwrap(), n as i64 + 1);
            }
        });
    }
}

#[test]
fn the_nine_steps_are_told_over_http() {
    within("nine steps", || {
        let steps = Arc::new(Recorder::default());
        let (channel, connection) = Channel::in_memory().unwrap();
        let server = Server::new(procedures()).protocol(JsonRpc::over_http());
        let server = server.observer(steps.clone());
        let serving = thread::spawn(move || server.serve(connection));
        let channel = channel.protocol(JsonRpc::over_http()).observer(steps.clone());
        let sum: i64 = ClientStub::new(&channel).unwrap().call("add", (10, 5)).unwrap();
        assert_eq!(sum, 15);
        serving.join().unwrap();
        let mut told = steps.take();
        // Step 3 is told after the bytes are gone, and the server may be quicker.
        told.sort_by_key(|it| it.step);
        assert_eq!(told.iter().map(|it| it.step).collect::<Vec<_>>(), Step::ALL);
        assert!(told.iter().all(|it| it.id == 1), "{told:?}");
        assert!(told[..6].iter().all(|it| it.procedure == "add"), "{told:?}");
        let call = r#"{"jsonrpc":"2.0","method":"add","params":[10,5],"id":1}"#;
        for step in [1, 3] {
            assert_eq!(told[step].bytes, call.as_bytes());
        }
        let sent = String::from_utf8(told[2].bytes.clone()).unwrap();
        assert!(sent.starts_with("POST / HTTP/1.1\r\n") && sent.ends_with(call), "{sent}");
        for step in [6, 7] {
            assert_eq!(told[step].bytes, br#"{"jsonrpc":"2.0","result":15,"id":1}"#);
        }
    });
}

/// Calls that take whatever comes.
struct Anything(Procedures);

impl Calls for Anything {
    fn call(
        &mut self,
        call: Call<'_, '_>,
        reply: &mut dyn FnMut(Outcome<'_>) -> Result<(), Fault>,
    ) {
        let outcome = match call.arguments.unpack::<Value>() {
            Ok(value) => reply(Ok(&value)),
            Err(error) => reply(Err(Fault::new(Fault::WRONG_ARGUMENTS, error))),
        };
        outcome.unwrap();
    }

    fn procedures(&self) -> &Procedures {
        &self.0
    }
}

/// Something that is nearly a message, and sometimes is.
fn nearly_json() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(r#"{"jsonrpc":"2.0","method":"echo","params":["#.to_owned()),
        Just(r#"],"id":1}"#.to_owned()),
        Just(r#"{"jsonrpc":"2.0","result":"#.to_owned()),
        Just(r#","id":7}"#.to_owned()),
        Just(r#""error":{"code":-1,"message":"no"}"#.to_owned()),
        r#"[\[\]{}:,"\\ntrue0-9.eE+ -]{0,8}"#,
        r#""(\\u[0-9a-c][0-9a-f]{3}|[a-z])*""#,
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn whatever_comes_is_answered_in_json(text in nearly_json(), bytes in vec(any::<u8>(), 0..40)) {
        let protocol = JsonRpc::over_http();
        for message in [text.as_bytes(), &bytes[..]] {
            let mut answer = Answer::default();
            let mut calls = Anything(Procedures::new());
            protocol.answer(Message::new(message), &mut calls, &mut answer).unwrap();
            if !answer.bytes.is_empty() {
                let answered: Json = serde_json::from_slice(&answer.bytes).unwrap();
                let text = str::from_utf8(message);
                let no_json = text.is_err() || serde_json::from_str::<IgnoredAny>(text.unwrap()).is_err();
                prop_assert_eq!(answered["error"]["code"] == -32700, no_json, "{}", answered);
            }
            let _ = protocol.unpack(Message::new(message), &mut |_| {});
        }
    }
}
