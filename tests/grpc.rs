//! gRPC with both ends: calls, how they end, deadlines and metadata.
#![cfg(feature = "grpc-proto")]

#[path = "grpc/bytes.rs"]
pub mod bytes;
pub mod support;
#[path = "grpc/talk.rs"]
pub mod talk;

use std::thread;
use std::time::{Duration, Instant};

use bytes::{answered, body, result, unpacked};
use ninestep::protocol::grpc::{Grpc, Proto, metadata};
use ninestep::protocol::http::{Head, HeaderMap, HeaderName};
use ninestep::protocol::{Arrived, Message, Outgoing, Protocol, Request};
use ninestep::{Channel, ClientStub, Error, Execution, Fault, Procedures, Server, Value};
use serde::{Deserialize, Serialize};
use support::within;
use talk::{grpc, heard, stub, with};

fn fault(outcome: ninestep::Result<Value>) -> Fault {
    match outcome {
        Err(Error::Fault(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn calls_cross_with_a_file_and_without() {
    within("calls", || {
        let bare = || Grpc::service("peers.v1.All");
        for (client, server) in
            [(bare(), bare()), (grpc(), grpc()), (bare(), grpc()), (grpc(), bare())]
        {
            let stub = stub(client, server);
            assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
            assert_eq!(stub.call::<i64>("Add", (-10, 5)).unwrap(), -5);
            assert_eq!(
                stub.call::<String>("say_hello", ("Jürgen 🦀",)).unwrap(),
                "Hello, Jürgen 🦀!"
            );
            assert_eq!(stub.call::<String>("peers.v1.All/SayHello", ("",)).unwrap(), "Hello, !");
            stub.call::<()>("sleep", (0,)).unwrap();
            // Its answer is nobody's.
            stub.notify("add", (1, 2)).unwrap();
            let calls: Vec<_> = (0..50).map(|n| stub.send::<i64>("add", (n, n)).unwrap()).collect();
            for (n, sum) in calls.into_iter().enumerate().rev() {
                assert_eq!(sum.wait().unwrap(), 2 * n as i64);
            }
        }
    });
}

#[test]
fn a_slow_call_holds_up_no_other() {
    within("side by side", || {
        let stub = stub(grpc(), grpc());
        let slow = stub.send::<()>("sleep", (2_000,)).unwrap();
        let began = Instant::now();
        for n in 0..20 {
            assert_eq!(stub.call::<i64>("add", (n, n)).unwrap(), 2 * n);
        }
        assert!(began.elapsed() < Duration::from_secs(2), "they waited for the slow one");
        slow.wait().unwrap();
    });
}

#[test]
fn a_fault_comes_back_as_it_was() {
    within("faults", || {
        let stub = stub(grpc(), grpc());
        assert_eq!(fault(stub.call("divide", (1, 0))), Fault::new(1, "division by zero"));
        assert_eq!(
            fault(stub.call("panic", ())),
            Fault::new(Fault::INTERNAL, "panic failed inside")
        );
        let unknown = fault(stub.call("nobody", ()));
        assert_eq!(unknown.code, Fault::NO_SUCH_PROCEDURE);
        assert_eq!(unknown.message, "there is no method \"/peers.v1.All/Nobody\"");
        assert_eq!(unknown.execution(), Execution::No);
        let wrong = fault(stub.call("text", (1,)));
        assert_eq!(wrong.code, Fault::WRONG_ARGUMENTS);
        for code in [i32::MIN, -32099, -1, 0, 1, 2, 5, 16, 17, 1000, i32::MAX] {
            let refused = Fault::new(code, "100 % no\n\u{7f}Jürgen 🦀");
            assert_eq!(fault(stub.call("fail", (code, &refused.message))), refused);
            // Any value may go with it; without a file a text is what the argument can be.
            let told = Fault::new(code, "no").with_data("because");
            assert_eq!(fault(stub.call("refuse", (code, "because"))), told);
        }
        assert_eq!(stub.call::<i64>("add", (1, 2)).unwrap(), 3);
    });
}

/// The trailers of an answer with this fault.
fn trailers(fault: Fault) -> HeaderMap {
    let answer = answered(&Grpc::service("S"), &body(b"\x08"), None);
    // The message is torn, so that the arguments are wrong; the same way is taken by every fault.
    assert_eq!(answer.trailers["grpc-status"], "3");
    let stub = Grpc::service("S").admits(move |_, _| Err(fault.clone()));
    answered(&stub, &body(b""), None).trailers
}

#[test]
fn a_status_says_what_a_fault_is() {
    for (code, status, own) in [
        (2, "2", None),
        (5, "5", None),
        (16, "16", None),
        (1, "2", Some("1")),
        (0, "2", Some("0")),
        (17, "2", Some("17")),
        (-32099, "2", Some("-32099")),
        (Fault::NO_SUCH_PROCEDURE, "12", Some("-32601")),
        (Fault::WRONG_ARGUMENTS, "3", Some("-32602")),
        (Fault::INVALID_CALL, "3", Some("-32600")),
        (Fault::PARSE, "13", Some("-32700")),
        (Fault::INTERNAL, "13", Some("-32603")),
        (Fault::DEADLINE_PASSED, "4", Some("-32001")),
        (Fault::OVERLOADED, "8", Some("-32002")),
        (Fault::STOPPING, "14", Some("-32003")),
        (Fault::NOT_ALLOWED, "7", Some("-32004")),
    ] {
        let trailers = trailers(Fault::new(code, "a%b\nü~"));
        assert_eq!(trailers["grpc-status"], status, "{code}");
        assert_eq!(trailers["grpc-message"], "a%25b%0A%C3%BC~");
        let told = trailers.get("ninestep-fault").map(|it| it.to_str().unwrap());
        assert_eq!(told, own, "{code}");
    }
    let long = trailers(Fault::new(5, "ü".repeat(10_000)).with_data("x".repeat(10_000)));
    assert_eq!(long["grpc-message"], "%C3%BC".repeat(512));
    assert!(!long.contains_key("ninestep-data-bin"));
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs.iter();
    pairs.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
}

/// The fault that a client has of an answer.
fn came(status: u16, pairs: &[(&'static str, &str)]) -> Fault {
    let headers = headers(pairs);
    let head = Some(Head { path: "/S/X", headers: &headers, status, call: 1 });
    let mut came = None;
    let delivered =
        Grpc::service("S").unpack(Message { head, ..Message::new(b"") }, &mut |arrived| {
            if let Arrived::Outcome { outcome: Err(fault), .. } = arrived {
                came = Some(fault);
            }
        });
    delivered.unwrap();
    came.unwrap()
}

#[test]
fn every_status_is_a_fault_that_claims_nothing() {
    for status in 1..=16 {
        let number = status.to_string();
        let fault = came(200, &[("grpc-status", &number), ("grpc-message", "a%25b%C3%BC%zz%ff")]);
        assert_eq!(fault, Fault::new(status, "a%bü%zz\u{fffd}"));
        assert_ne!(fault.execution(), Execution::No);
    }
    for odd in ["17", "-1", "x", ""] {
        assert_eq!(came(200, &[("grpc-status", odd)]), Fault::new(2, ""));
    }
    // What answers in our own words says what it knows.
    let ours = came(200, &[("grpc-status", "14"), ("ninestep-fault", "-32003")]);
    assert_eq!((ours.code, ours.execution()), (Fault::STOPPING, Execution::No));
}

#[test]
fn an_answer_without_a_status_has_http_s() {
    for (http, status) in [
        (200, 2),
        (400, 13),
        (401, 16),
        (403, 7),
        (404, 12),
        (429, 14),
        (500, 2),
        (502, 14),
        (503, 14),
        (504, 14),
        (302, 2),
    ] {
        assert_eq!(came(http, &[]).code, status, "{http}");
        // What has a status of gRPC's has no other.
        assert_eq!(came(http, &[("grpc-status", "5")]).code, 5);
    }
}

#[test]
fn an_answer_must_hold_one_message() {
    let ended = headers(&[("grpc-status", "0")]);
    let grpc = Grpc::service("S").max_message(100);
    for (bytes, why) in [
        (&b""[..], "a body of 0 bytes holds no message (fault 13)"),
        (b"\0\0\0\0", "a body of 4 bytes holds no message (fault 13)"),
        (b"\0\0\0\0\x02\x08", "of a message of 2 bytes came 1 (fault 13)"),
        (b"\0\0\0\0\0\x08", "1 bytes follow the message (fault 12)"),
        (b"\x01\0\0\0\0", "a message is compressed, and nobody said how (fault 13)"),
        (b"\x02\0\0\0\0", "2 is not 0, nor is it 1 (fault 13)"),
        (b"\0\0\0\0\x65", "a message of 101 bytes is over the limit of 100 (fault 8)"),
        (b"\0\xff\xff\xff\xff", "a message of 4294967295 bytes is over the limit of 100 (fault 8)"),
    ] {
        assert_eq!(unpacked::<i64>(&grpc, bytes, &ended).unwrap_err(), why);
    }
    assert_eq!(result::<i64>(&grpc, b"\x08\x0f").unwrap(), 15);
}

/// What a client packs of a call that ends so much later.
fn timeout(left: Duration) -> String {
    let mut request = Request::default();
    let deadline = Some(Instant::now() + left);
    let call = Outgoing { id: Some(1), procedure: "x", arguments: &(), deadline };
    Grpc::service("S").pack(&call, &mut request).unwrap();
    request.headers["grpc-timeout"].to_str().unwrap().to_owned()
}

#[test]
fn a_deadline_is_told_in_eight_digits() {
    assert_eq!(timeout(Duration::ZERO), "1n");
    for (left, unit) in [
        (Duration::from_millis(90), 'n'),
        (Duration::from_secs(1), 'u'),
        (Duration::from_secs(3_600), 'm'),
        (Duration::from_secs(1_000_000), 'S'),
        (Duration::from_secs(1_000_000_000), 'M'),
        (Duration::from_secs(10_000_000_000), 'H'),
    ] {
        let text = timeout(left);
        assert!(text.ends_with(unit) && text.len() <= 9, "{left:?}: {text}");
    }
}

#[test]
fn a_deadline_that_has_passed_is_the_end_of_a_call() {
    within("deadlines", || {
        let patient = stub(grpc(), grpc());
        let hurried = patient.call_timeout(Duration::from_millis(100));
        assert!(matches!(hurried.call::<()>("sleep", (2_000,)), Err(Error::Timeout(_))));
        assert_eq!(patient.call::<i64>("add", (1, 2)).unwrap(), 3);
        for (told, code) in [
            ("0n", Some(Fault::DEADLINE_PASSED)),
            ("10S", None),
            ("99999999H", None),
            ("99999999M", None),
            ("1000m", None),
            ("1000000u", None),
            ("99999999n", None),
            ("100000000n", Some(13)),
            ("10s", Some(13)),
            ("S", Some(13)),
            ("+1S", Some(13)),
            ("-1S", Some(13)),
            ("1.5S", Some(13)),
            ("10", Some(13)),
            ("", Some(13)),
        ] {
            let stub = stub(with(grpc(), "grpc-timeout", told), grpc());
            match (stub.call::<i64>("add", (1, 2)), code) {
                (Ok(3), None) => {}
                (Err(Error::Fault(fault)), Some(code)) => assert_eq!(fault.code, code, "{told}"),
                other => panic!("{told}: {other:?}"),
            }
        }
    });
}

#[test]
fn metadata_cross_both_ways() {
    within("metadata", || {
        let (client, told) = heard(Grpc::with_proto(talk::proto()).sends(|procedure, headers| {
            metadata::set_bytes(
                headers,
                HeaderName::from_static("trace-bin"),
                procedure.as_bytes(),
            );
        }));
        let stub = stub(client, grpc());
        assert_eq!(stub.call::<i64>("add", (1, 2)).unwrap(), 3);
        let answered = told.recv().unwrap();
        assert_eq!(answered["served-by"], "ninestep");
        assert_eq!(metadata::bytes(&answered, "trace-bin").unwrap(), b"add");
    });
    within("a refusal", || {
        let (client, told) = heard(with(grpc(), "token", "bad"));
        let stub = stub(client, grpc());
        let refused = fault(stub.call("add", (1, 2)));
        assert_eq!(refused, Fault::new(Fault::NOT_ALLOWED, "no"));
        assert_eq!(refused.execution(), Execution::No);
        assert_eq!(told.recv().unwrap()["served-by"], "ninestep");
    });
    for (text, bytes) in [
        ("AP8", Some(&b"\0\xff"[..])),
        ("AP8=", Some(b"\0\xff")),
        ("AA==", Some(b"\0")),
        ("AP8, AAAA", Some(b"\0\xff")),
        ("", Some(b"")),
        ("A", None),
        ("?", None),
    ] {
        let came = metadata::bytes(&headers(&[("x-bin", text)]), "x-bin");
        assert_eq!(came.as_deref(), bytes, "{text}");
    }
    assert_eq!(metadata::bytes(&HeaderMap::new(), "x-bin"), None);
}

#[test]
fn a_compressed_message_is_refused_in_the_words_of_grpc() {
    within("compression", || {
        let (client, told) = heard(with(grpc(), "grpc-encoding", "gzip"));
        let stub = stub(client, grpc());
        assert_eq!(fault(stub.call("add", (1, 2))).code, 12);
        assert_eq!(told.recv().unwrap()["grpc-accept-encoding"], "identity");
    });
    within("no compression", || {
        let stub = stub(with(grpc(), "grpc-encoding", "identity"), grpc());
        assert_eq!(stub.call::<i64>("add", (1, 2)).unwrap(), 3);
    });
}

#[test]
fn a_service_that_is_not_served_has_no_methods() {
    within("services", || {
        let two = || Grpc::service("First").and_service("a.b.Second");
        let stub = stub(two(), two());
        for path in ["add", "First/Add", "a.b.Second/Add", "First/ADD"] {
            assert_eq!(stub.call::<i64>(path, (1, 2)).unwrap(), 3, "{path}");
        }
        for path in ["Third/Add", "Second/Add", "First/Add/Add", "/Add"] {
            let fault = fault(stub.call(path, (1, 2)));
            assert_eq!(fault.code, Fault::NO_SUCH_PROCEDURE, "{path}");
        }
    });
    within("any service", || {
        let stub = stub(Grpc::default(), Grpc::default());
        assert_eq!(stub.call::<i64>("Any/Add", (1, 2)).unwrap(), 3);
        let error = stub.call::<i64>("add", (1, 2)).unwrap_err();
        assert!(matches!(error, Error::Pack(why) if why == "of which service is add?"));
    });
}

#[test]
fn a_method_is_the_procedure_that_is_most_like_it() {
    within("names", || {
        let procedures = Procedures::new()
            .on("ADD", || "alike")
            .on("Add", || "the name")
            .on("Second/Add", || "the path")
            .on("say_hello", || "alike");
        let (channel, connection) = Channel::in_memory().unwrap();
        let server = Server::new(procedures).protocol(Grpc::default());
        thread::spawn(move || server.serve(connection));
        let stub = ClientStub::new(&channel.protocol(Grpc::service("First"))).unwrap();
        for (method, found) in [
            ("add", "the name"),
            ("First/Add", "the name"),
            ("Second/Add", "the path"),
            ("Second/aDD", "alike"),
            ("sayHello", "alike"),
            ("First/SAY_hello", "alike"),
        ] {
            assert_eq!(stub.call::<String>(method, ()).unwrap(), found, "{method}");
        }
    });
}

#[test]
fn everything_that_a_file_can_declare_crosses() {
    #[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
    struct Kinds {
        b: i32,
        c: u64,
        j: serde_bytes::ByteBuf,
        k: Color,
        o: Vec<Point>,
        r: Option<i32>,
        left: Option<i32>,
        right: Option<String>,
        s: Vec<f64>,
    }
    #[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
    struct Point {
        x: i32,
        next: Option<Box<Point>>,
    }
    #[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
    #[serde(rename_all = "UPPERCASE")]
    enum Color {
        Green,
        Blue,
    }
    within("everything", || {
        let stub = stub(grpc(), grpc());
        let last = Point { x: -2, next: None };
        let kinds = Kinds {
            b: i32::MIN,
            c: u64::MAX,
            j: serde_bytes::ByteBuf::from([0xff, 0]),
            k: Color::Blue,
            o: vec![Point { x: 1, next: Some(Box::new(last.clone())) }, last],
            r: Some(0),
            left: None,
            right: Some(String::new()),
            s: vec![0.1, -0.0],
        };
        let came: Kinds = stub.call("everything", kinds.clone()).unwrap();
        assert_eq!(came, kinds);
        let Kinds { o, .. } = stub.call("everything", Kinds { o: Vec::new(), ..kinds }).unwrap();
        assert!(o.is_empty());
    });
}

#[test]
fn a_stream_is_refused_at_both_ends() {
    within("streams", || {
        let stub = stub(grpc(), grpc());
        let error = stub.call::<Value>("watch", ()).unwrap_err();
        assert!(matches!(error, Error::Pack(why) if why.contains("is a method of streams")));
    });
    within("streams without a file", || {
        let stub = stub(Grpc::service("peers.v1.All"), grpc());
        assert_eq!(fault(stub.call("watch", ())).code, 12);
    });
}

#[test]
fn the_file_that_the_tests_share_is_right() {
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/demo.proto");
    assert!(Proto::load(demo).is_ok());
}
