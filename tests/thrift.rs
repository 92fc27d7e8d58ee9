//! Thrift's binary protocol, byte by byte. The bytes of calls and replies are those that thriftpy2
//! 0.7.1 writes.
#![cfg(feature = "thrift")]

pub mod support;
#[path = "thrift/talk.rs"]
pub mod talk;

use std::collections::{BTreeMap, HashMap};

use ninestep::protocol::thrift::{Idl, Thrift};
use ninestep::{Channel, ClientStub, Error, Fault, Value};
use serde::{Deserialize, Serialize};
use support::within;
use talk::{Talk, framed, idl, old, procedures, thrift};

const ADD: &[u8] = b"\x80\x01\0\x01\0\0\0\x03add\0\0\0\0\x0a\0\x01\0\0\0\0\0\0\0\x0a\x0a\0\x02\0\0\0\0\0\0\0\x05\0";
const ADDED: &[u8] = b"\x80\x01\0\x02\0\0\0\x03add\0\0\0\0\x0a\0\0\0\0\0\0\0\0\0\x0f\0";

/// What thriftpy2 asks, and what its own server answers.
const GOLDEN: [(&[u8], &[u8]); 9] = [
    (ADD, ADDED),
    (
        b"\x80\x01\0\x01\0\0\0\x06divide\0\0\0\0\x04\0\x01@$\0\0\0\0\0\0\x04\0\x02@\x10\0\0\0\0\0\0\0",
        b"\x80\x01\0\x02\0\0\0\x06divide\0\0\0\0\x04\0\0@\x04\0\0\0\0\0\0\0",
    ),
    (
        b"\x80\x01\0\x01\0\0\0\x06divide\0\0\0\0\x04\0\x01?\xf0\0\0\0\0\0\0\x04\0\x02\0\0\0\0\0\0\0\0\0",
        b"\x80\x01\0\x02\0\0\0\x06divide\0\0\0\0\x0c\0\x01\x0b\0\x01\0\0\0\x10division by zero\0\0",
    ),
    (
        b"\x80\x01\0\x01\0\0\0\x04ping\0\0\0\0\0",
        b"\x80\x01\0\x02\0\0\0\x04ping\0\0\0\0\x0b\0\0\0\0\0\x04pong\0",
    ),
    (
        b"\x80\x01\0\x01\0\0\0\x05login\0\0\0\0\x0b\0\x01\0\0\0\x04root\x0b\0\x02\0\0\0\x03pwd\0",
        b"\x80\x01\0\x02\0\0\0\x05login\0\0\0\0\x0b\0\0\0\0\0\x13 Login successful !\0",
    ),
    // A oneway call and the one after it, which alone is answered.
    (
        b"\x80\x01\0\x04\0\0\0\x06notify\0\0\0\0\x0b\0\x01\0\0\0\x02hi\0\x80\x01\0\x01\0\0\0\x07nothing\0\0\0\0\0",
        b"\x80\x01\0\x02\0\0\0\x07nothing\0\0\0\0\0",
    ),
    (
        b"\x80\x01\0\x01\0\0\0\x04flag\0\0\0\0\x02\0\x01\x01\x03\0\x02\xff\x06\0\x03\x01,\x08\0\x04\0\x01\x11p\x04\0\x05?\xe0\0\0\0\0\0\0\0",
        b"\x80\x01\0\x02\0\0\0\x04flag\0\0\0\0\x02\0\0\x01\0",
    ),
    (
        b"\x80\x01\0\x01\0\0\0\x05paths\0\0\0\0\x0e\0\x01\x06\0\0\0\x02\0\x01\0\x02\x08\0\x03\0\0\0\x05\x0c\0\x07\x08\0\x01\0\0\0\x07\x08\0\x02\0\0\0\x08\0\x0d\0\x09\x08\x02\0\0\0\x01\0\0\0\x01\x01\x0b\0\x0a\0\0\0\x02\xff\0\0",
        b"\x80\x01\0\x02\0\0\0\x05paths\0\0\0\0\x0d\0\0\x0b\x0f\0\0\0\x01\0\0\0\x01a\x0c\0\0\0\x02\x08\0\x01\0\0\0\x01\x08\0\x02\xff\xff\xff\xfe\0\x08\0\x01\0\0\0\x03\x08\0\x02\0\0\0\x04\x0b\0\x04\0\0\0\x01z\0\0",
    ),
    // The words are Apache's: thriftpy2 leaves them out.
    (
        b"\x80\x01\0\x01\0\0\0\x04nope\0\0\0\x07\0",
        b"\x80\x01\0\x03\0\0\0\x04nope\0\0\0\x07\x0b\0\x01\0\0\0\x15Unknown function nope\x08\0\x02\0\0\0\x01\0",
    ),
];

#[test]
fn calls_are_answered_byte_for_byte() {
    within("the golden calls", || {
        let talk = Talk::to(thrift());
        for (call, reply) in GOLDEN {
            talk.ask(call, reply);
        }
    });
}

#[test]
fn framed_is_answered_framed_and_the_old_header_with_the_old_header() {
    within("other wraps", || {
        let talk = Talk::to(thrift());
        let (old_add, old_added) = (old(ADD), old(ADDED));
        assert_eq!(&old_add[..12], b"\0\0\0\x03add\x01\0\0\0\0");
        for (call, reply) in [
            (framed(ADD), framed(ADDED)),
            (old_add.clone(), old_added.clone()),
            (framed(&old_add), framed(&old_added)),
            (ADD.to_vec(), ADDED.to_vec()),
        ] {
            talk.ask(&call, &reply);
        }
    });
}

#[test]
fn a_call_may_come_a_byte_at_a_time_and_two_at_once() {
    within("torn and joined calls", || {
        let talk = Talk::to(thrift());
        for (call, reply) in
            [(ADD, ADDED), (&framed(ADD), &framed(ADDED)), (&old(ADD), &old(ADDED))]
        {
            for byte in &call[..call.len() - 1] {
                talk.send(&[*byte]);
            }
            talk.ask(&call[call.len() - 1..], reply);
            talk.ask(&call.repeat(3), &reply.repeat(3));
        }
    });
}

#[test]
fn the_client_asks_byte_for_byte() {
    within("a client", || {
        let (channel, server) = Channel::in_memory().unwrap();
        let stub = ClientStub::new(&channel.protocol(thrift())).unwrap();
        let asked = |bytes: &[u8]| {
            let mut came = Vec::new();
            while came.len() < bytes.len() && server.receive(&mut came).unwrap() > 0 {}
            assert_eq!(came.escape_ascii().to_string(), bytes.escape_ascii().to_string());
        };
        let sum = stub.send::<i64>("add", (10, 5)).unwrap();
        asked(&[&ADD[..14], b"\x01", &ADD[15..]].concat());
        let quotient = stub.send::<f64>("divide", (1, 0)).unwrap();
        asked(&[&GOLDEN[2].0[..17], b"\x02", &GOLDEN[2].0[18..]].concat());
        stub.notify("notify", ("hi",)).unwrap();
        asked(&GOLDEN[5].0[..28]);

        // Replies are told apart by their number, in whichever order they come.
        server.send(&[&GOLDEN[2].1[..17], b"\x02", &GOLDEN[2].1[18..]].concat()).unwrap();
        server.send(&framed(&[&ADDED[..14], b"\x01", &ADDED[15..]].concat())).unwrap();
        assert_eq!(sum.wait().unwrap(), 15);
        let fault = quotient.wait().unwrap_err();
        assert!(matches!(fault, Error::Fault(it) if it == Fault::new(1, "division by zero")));
    });
}

#[test]
fn client_and_server_understand_each_other_framed_and_not() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Point {
        x: i32,
        y: i32,
        label: Option<String>,
    }
    for is_framed in [false, true] {
        within("both ends", move || {
            let talk = Talk::to(thrift());
            let stub = talk.stub(Thrift { framed: is_framed, ..thrift() });
            assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
            assert_eq!(stub.call::<String>("ping", ()).unwrap(), "pong");
            stub.call::<()>("nothing", ()).unwrap();
            let p = Point { x: 7, y: 8, label: None };
            let by_name = BTreeMap::from([("e", Value::Int(1)), ("a", Value::Int(2))]);
            assert_eq!(stub.call::<Value>("reversed", by_name).unwrap().to_string(), "[1, 2]");
            let paths: HashMap<String, Vec<Point>> = stub
                .call("paths", (vec![1, 2], "GREEN", &p, HashMap::from([(1, true)]), "raw"))
                .unwrap();
            let points = [
                Point { x: 1, y: -2, label: None },
                Point { x: 3, y: 4, label: Some("z".to_owned()) },
            ];
            assert_eq!(paths["a"], points);
        });
    }
}

#[test]
fn a_fault_is_a_declared_exception_or_an_application_exception() {
    within("faults", || {
        let talk = Talk::to(thrift());
        let stub = talk.stub(thrift());
        let fault =
            |procedure: &str, arguments: Value| match stub.call::<Value>(procedure, arguments) {
                Err(Error::Fault(fault)) => fault,
                other => panic!("{other:?}"),
            };
        let none = || Value::List(Vec::new());
        assert_eq!(fault("nope", none()), Fault::new(-32601, "Unknown function nope"));
        // Declared as `throws (2: NotFound e)`, with a code and a reason.
        let data = Value::Map(vec![("code".to_owned(), Value::Int(404))]);
        assert_eq!(fault("find", none()), Fault::new(2, "not there").with_data(data));
        // Not declared there: Thrift has no place for the code.
        assert_eq!(fault("refuse", none()), Fault::new(-32603, "no"));
        assert_eq!(fault("panic", none()), Fault::new(-32603, "panic failed inside"));
        let two = Value::List(vec![Value::Int(1)]);
        let why = "expected (i64, i64): argument 2 is missing";
        assert_eq!(fault("add", two), Fault::new(-32602, why));
        assert_eq!(stub.call::<i64>("add", (1, 2)).unwrap(), 3);
    });
}

#[test]
fn an_exception_that_no_file_declares_is_a_fault_all_the_same() {
    within("exceptions without a file", || {
        let talk = Talk::to(thrift());
        let stub = talk.stub(Thrift::default());
        let fault = stub.call::<f64>("divide", (1.0, 0.0)).unwrap_err();
        assert!(matches!(fault, Error::Fault(it) if it == Fault::new(1, "division by zero")));
        let Err(Error::Fault(fault)) = stub.call::<()>("find", ()) else { panic!("no fault") };
        // The first text is the message, and a field has a number for its name.
        let data = Value::Map(vec![("1".to_owned(), Value::Int(404))]);
        assert_eq!(fault, Fault::new(2, "not there").with_data(data));
    });
}

#[test]
fn a_oneway_call_is_never_answered() {
    within("oneway", || {
        let talk = Talk::to(thrift());
        let stub = talk.stub(thrift());
        stub.notify("notify", ("one",)).unwrap();
        // Neither an unknown procedure nor a wrong argument is worth a word.
        stub.notify("nope", ()).unwrap();
        stub.notify("byte", ("one",)).unwrap();
        assert_eq!(stub.call::<i64>("notified", ()).unwrap(), 1);
        // Nobody would answer, so nobody must wait.
        let error = stub.call::<()>("notify", ("two",)).unwrap_err();
        assert!(matches!(error, Error::Pack(why) if why.contains("oneway")), "a call waits");
        // Old clients call a oneway function as any other, and wait for nothing.
        talk.send(b"\x80\x01\0\x01\0\0\0\x06notify\0\0\0\0\x0b\0\x01\0\0\0\x02hi\0");
        talk.ask(ADD, ADDED);
    });
}

#[test]
fn arguments_may_come_in_another_order() {
    within("another order", || {
        let (call, quotient) = GOLDEN[1];
        let swapped = [&call[..18], &call[29..40], &call[18..29], b"\0"].concat();
        for protocol in [thrift(), Thrift::default()] {
            Talk::to(protocol).ask(&swapped, quotient);
        }
    });
}

#[test]
fn unknown_fields_are_passed_over() {
    within("unknown fields", || {
        let talk = Talk::to(thrift());
        // One of every kind before, between and after the arguments; they are numbered 0, -1, 90.
        let unknown = b"\x02\0\x5a\x01\x03\xff\xff\x07\x04\0\x5a\0\0\0\0\0\0\0\0\x06\0\0\0\x01\
            \x08\0\x5a\0\0\0\x01\x0b\0\x5a\0\0\0\x02no\x0c\0\x5a\x0c\0\x01\x08\0\x02\0\0\0\x03\0\0\
            \x0d\0\x5a\x0b\x0c\0\0\0\x01\0\0\0\x01k\0\x0e\0\x5a\x06\0\0\0\x02\0\x01\0\x02\
            \x0f\0\x5a\x0f\0\0\0\x01\x02\0\0\0\x01\x01\x10\0\x5a0123456789abcdef\x0d\0\x5a\0\0\0\0\0\0";
        let call = [&ADD[..15], unknown, &ADD[15..26], unknown, &ADD[26..37], unknown, b"\0"];
        talk.ask(&call.concat(), ADDED);
        talk.ask(&framed(&call.concat()), &framed(ADDED));
    });
}

#[test]
fn a_reply_to_nobody_and_one_without_a_result() {
    within("odd replies", || {
        let (channel, server) = Channel::in_memory().unwrap();
        let stub = ClientStub::new(&channel.protocol(Thrift::default())).unwrap();
        let number = stub.send::<i64>("number", ()).unwrap();
        let maybe = stub.send::<Option<i64>>("maybe", ()).unwrap();
        let big = stub.send::<i8>("big", ()).unwrap();
        server.send(b"\x80\x01\0\x03\0\0\0\x03old\0\0\0\0\x0b\0\x01\0\0\0\0\0").unwrap();
        server.send(b"\x80\x01\0\x02\0\0\0\0\0\0\0\x01\0").unwrap();
        server.send(b"\x80\x01\0\x02\0\0\0\0\0\0\0\x02\x08\0\x09\0\0\0\x01\0").unwrap();
        server.send(b"\x80\x01\0\x02\0\0\0\0\0\0\0\x03\x08\0\0\0\0\x01\0\0").unwrap();
        assert!(matches!(number.wait(), Err(Error::Unpack(why)) if why.contains("unit value")));
        assert_eq!(maybe.wait().unwrap(), None);
        assert!(matches!(big.wait(), Err(Error::Unpack(why)) if why.contains("256")));
    });
}

#[test]
fn every_type_of_application_exception_is_understood() {
    within("application exceptions", || {
        let (channel, server) = Channel::in_memory().unwrap();
        let stub = ClientStub::new(&channel.protocol(Thrift::default())).unwrap();
        for (number, code) in [
            (0, Fault::INTERNAL),
            (1, Fault::NO_SUCH_PROCEDURE),
            (2, Fault::INVALID_CALL),
            (5, Fault::INTERNAL),
            (6, Fault::INTERNAL),
            (7, Fault::WRONG_ARGUMENTS),
            (99, Fault::INTERNAL),
        ] {
            let call = stub.send::<()>("x", ()).unwrap();
            let mut reply = b"\x80\x01\0\x03\0\0\0\x01x\0\0\0\0\x08\0\x02\0\0\0\0\0".to_vec();
            (reply[12], reply[19]) = (call.id() as u8, number);
            server.send(&reply).unwrap();
            let expected = Fault::new(code, format!("application exception {number}"));
            assert!(matches!(call.wait(), Err(Error::Fault(it)) if it == expected), "{number}");
        }
    });
}

#[test]
fn a_refusal_ends_the_connection_with_its_reason() {
    within("a refusal", || {
        let (channel, connection) = Channel::in_memory().unwrap();
        let server = ninestep::Server::new(procedures()).protocol(Thrift::default());
        let stub = ClientStub::new(&channel.protocol(Thrift::default())).unwrap();
        let call = stub.send::<i64>("add", (1, 2)).unwrap();
        server.serve(connection.refused(Fault::new(Fault::OVERLOADED, "no room")));
        assert!(matches!(call.wait(), Err(Error::Fault(it)) if it.message == "no room"));
    });
}

#[test]
fn the_file_that_the_tests_share_is_right() {
    assert!(Idl::parse(idl()).is_ok());
}
