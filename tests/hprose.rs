//! Hprose 2.0, byte by byte. The bytes of values, calls and replies are those that Python's hprose
//! 1.4.3 writes, or the specification's own.
#![cfg(feature = "hprose")]

pub mod support;
#[path = "support/values.rs"]
pub mod values;

use std::collections::BTreeMap;

use ninestep::protocol::hprose::{Hprose, explain};
use ninestep::protocol::{DateTime, Guid};
use ninestep::{Channel, ClientStub, Fault, Procedures, Server, ThreadPerConnection, Value, demo};
use proptest::prelude::*;
use serde::Deserialize;
use support::http::{HttpRaw, post_with};
use support::{ServerThread, within};
use values::{
    Everything, answered, echoed, everything, packed, read_everything, there_and_back, unpacked,
    values,
};

fn procedures() -> Procedures {
    demo::procedures()
        .on("sayHi", |name: String| format!("Hi,{name}!"))
        .on("pair", |a: Value, b: Value| [a, b])
        .on("Mixed", || "mixed")
        .on("fail", || -> Result<(), Fault> { Err(Fault::new(7, "no 🦀").with_data(1_i64)) })
}

fn serve(procedures: Procedures) -> ServerThread {
    let server = Server::new(procedures).protocol(Hprose::default());
    ServerThread::run(server, ThreadPerConnection::default())
}

/// Asks a server in turn.
fn ask(asks: impl FnOnce(&mut dyn FnMut(&str) -> String) + Send + 'static) {
    within("Hprose", || {
        let server = serve(procedures());
        let mut raw = HttpRaw::connect(server.address());
        asks(&mut |body| {
            raw.send(&post_with("/", "", body));
            let response = raw.response();
            assert_eq!(response.status, 200, "{body}: {response:?}");
            response.body
        });
    });
}

fn list(values: impl Into<Vec<Value>>) -> Value {
    Value::List(values.into())
}

fn map(pairs: &[(&str, Value)]) -> Value {
    Value::Map(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

/// What Python's client asks, and what its server answers.
const GOLDEN: [(&str, &str); 12] = [
    (r#"Cs5"sayHi"a1{s6"phyger"}z"#, r#"Rs10"Hi,phyger!"z"#),
    (r#"Cs5"sayhi"a1{e}z"#, r#"Rs4"Hi,!"z"#),
    (r#"Cs4"ping"z"#, r#"Rs4"pong"z"#),
    (r#"Cs3"add"a2{i10;5}z"#, "Ri15;z"),
    (r#"Cs3"add"a2{l2147483647;1}z"#, "Rl2147483648;z"),
    (r#"Cs6"divide"a2{i10;4}z"#, "Rd2.5;z"),
    (r#"Cs6"divide"a2{i10;5}z"#, "Rd2.0;z"),
    (r#"Cs4"echo"a1{a2{s4"name"r1;}}z"#, ""),
    (r#"Cs4"pair"a2{s5"hello"r1;}z"#, r#"Ra2{s5"hello"r1;}z"#),
    (r#"Cs4"echo"a1{m2{s4"name"s5"Tommy"s3"age"i24;}}tz"#, r#"Rm2{s4"name"s5"Tommy"s3"age"i24;}z"#),
    // The specification's multicall.
    (r#"Cs5"sayHi"a1{s5"world"}Cs3"add"a2{12}z"#, r#"Rs9"Hi,world!"R3z"#),
    (r#"Cs5"sayHi"a1{s5"world"}Cs4"fail"Cs3"add"a2{12}z"#, r#"Rs9"Hi,world!"Es5"no 🦀"R3z"#),
];

#[test]
fn calls_are_answered_byte_for_byte() {
    ask(|ask| {
        for (call, reply) in GOLDEN {
            match reply {
                "" => assert!(ask(call).starts_with("Es23\"a value contains itself")),
                reply => assert_eq!(ask(call), reply, "{call}"),
            }
        }
    });
}

#[test]
fn the_client_asks_byte_for_byte() {
    let protocol = Hprose::default();
    let asks = |arguments: Value, bytes: &str| {
        assert_eq!(packed(&protocol, arguments).unwrap(), format!("Cs1\"x\"{bytes}z"));
    };
    asks(list([]), "");
    asks(list([Value::from("phyger")]), "a1{s6\"phyger\"}");
    asks(list([Value::from("same"), Value::from("same")]), "a2{s4\"same\"r1;}");
    assert_eq!(packed(&protocol, ()).unwrap(), "Cs1\"x\"z");
    assert_eq!(packed(&protocol, (1, 'x')).unwrap(), "Cs1\"x\"a2{1ux}z");
}

/// What Python's hprose writes, and reads. A list is around each.
#[test]
fn every_tag_is_written_and_read() {
    let tommy = map(&[("name", Value::from("Tommy")), ("age", Value::Int(24))]);
    let jerry = map(&[("name", Value::from("Jerry")), ("age", Value::Int(18))]);
    for (value, bytes) in [
        (Value::Int(0), "0"),
        (Value::Int(9), "9"),
        (Value::Int(10), "i10;"),
        (Value::Int(-1), "i-1;"),
        (Value::Int(2147483647), "i2147483647;"),
        (Value::Int(2147483648), "l2147483648;"),
        (Value::Int(-2147483649), "l-2147483649;"),
        (Value::BigInt(u64::MAX), "l18446744073709551615;"),
        (Value::Float(2.0), "d2.0;"),
        (Value::Float(0.1), "d0.1;"),
        (Value::Float(-1e-54), "d-1e-54;"),
        (Value::Float(f64::INFINITY), "I+"),
        (Value::Float(f64::NEG_INFINITY), "I-"),
        (Value::Bool(true), "t"),
        (Value::Bool(false), "f"),
        (Value::Null, "n"),
        (Value::from(""), "e"),
        (Value::from("a"), "ua"),
        (Value::from("∞"), "u∞"),
        // One character, two units of UTF-16.
        (Value::from("𝄞"), "s2\"𝄞\""),
        (Value::from("a𝄞b"), "s4\"a𝄞b\""),
        (Value::from("你好"), "s2\"你好\""),
        (Value::from("\"z"), "s2\"\"z\""),
        (Value::Bytes(vec![]), "b\"\""),
        (Value::Bytes(b"!\"z".to_vec()), "b3\"!\"z\""),
        (list([]), "a{}"),
        (list([Value::Int(1), list([Value::Int(2)])]), "a2{1a1{2}}"),
        (map(&[]), "m{}"),
        (tommy.clone(), "m2{s4\"name\"s5\"Tommy\"s3\"age\"i24;}"),
        // The specification's example; the list around it is one more to count.
        (
            list([tommy, jerry]),
            "a2{m2{s4\"name\"s5\"Tommy\"s3\"age\"i24;}m2{r3;s5\"Jerry\"r5;i18;}}",
        ),
    ] {
        let call = packed(&Hprose::default(), (&value,)).unwrap();
        assert_eq!(call, format!("Cs1\"x\"a1{{{bytes}}}z"));
        assert_eq!(echoed(&Hprose::default(), &(&value,)), Ok(list([value])));
    }
    assert_eq!(packed(&Hprose::default(), (f64::NAN, 0.1_f32)).unwrap(), "Cs1\"x\"a2{Nd0.1;}z");
    assert!(there_and_back::<f64>(&Hprose::default(), &f64::NAN).unwrap().is_nan());
    let keys = BTreeMap::from([(1, true), (70_000, false)]);
    assert_eq!(packed(&Hprose::default(), (&keys,)).unwrap(), "Cs1\"x\"a1{m2{1ti70000;f}}z");
    assert_eq!(there_and_back(&Hprose::default(), &keys), Ok(keys));
    let keys = BTreeMap::from([(true, u64::MAX)]);
    assert_eq!(there_and_back(&Hprose::default(), &keys), Ok(keys));
}

/// JavaScript's hprose has no long integers, and no other form for what is empty.
#[test]
fn a_value_is_taken_as_what_is_wanted() {
    fn came<T: serde::de::DeserializeOwned>(value: &str) -> Result<T, String> {
        unpacked(&Hprose::default(), format!("R{value}z").as_bytes())
    }
    assert_eq!(came::<i64>("d3000000000;"), Ok(3_000_000_000));
    assert_eq!(came::<u64>("d9007199254740992;"), Ok(1 << 53));
    assert_eq!(came::<i64>("d-9007199254740992;"), Ok(-1 << 53));
    assert_eq!(came::<Vec<Option<i64>>>("a2{d1e10;n}"), Ok(vec![Some(10_000_000_000), None]));
    assert_eq!(came::<f64>("d3000000000;"), Ok(3e9));
    assert_eq!(came::<Value>("d3000000000;"), Ok(Value::Float(3e9)));
    for wrong in ["d2.5;", "d9007199254740994;", "N", "I+"] {
        assert!(came::<i64>(wrong).unwrap_err().contains("expected i64"), "{wrong}");
    }
    assert!(came::<u64>("d-3000000000;").unwrap_err().contains("expected u64"));
    assert!(came::<i32>("d3000000000;").unwrap_err().contains("expected i32"));
    assert_eq!(came::<Vec<u8>>("e"), Ok(vec![]));
    assert_eq!(came::<serde_bytes::ByteBuf>("e"), Ok(vec![].into()));
    assert_eq!(came::<String>("e"), Ok(String::new()));
    assert_eq!(came::<Value>("e"), Ok(Value::from("")));
    assert!(came::<Vec<u8>>("ux").is_err());
    ask(|ask| assert_eq!(ask("Cs3\"add\"a2{d3000000000;1}z"), "Rl3000000001;z"));
}

#[test]
fn dates_times_and_guids_are_written_and_read() {
    for (text, bytes) in [
        ("2012-12-29", "D20121229;"),
        ("2012-12-25Z", "D20121225Z"),
        ("03:21:59", "T032159;"),
        ("18:23:43.654Z", "T182343.654Z"),
        ("2012-12-21T15:14:35Z", "D20121221T151435Z"),
        ("2012-12-21T15:14:35.123456Z", "D20121221T151435.123456Z"),
        ("2050-12-28T13:43:59.324543123", "D20501228T134359.324543123;"),
    ] {
        let date = DateTime(text.to_owned());
        let call = packed(&Hprose::default(), (&date, &date)).unwrap();
        assert_eq!(call, format!("Cs1\"x\"a2{{{bytes}{bytes}}}z"));
        assert_eq!(there_and_back(&Hprose::default(), &date), Ok(date));
    }
    for wrong in [
        "",
        "2012",
        "2012-12-29 01:02:03",
        "01:02",
        "01:02:03.1",
        "2012-12-21T15:14:35+02:00",
        "2012-12-2x",
        "T",
    ] {
        let error = packed(&Hprose::default(), (DateTime(wrong.to_owned()),)).unwrap_err();
        assert!(error.contains("is no date, time or GUID"), "{wrong}: {error}");
    }
    let guid = Guid("AFA7F4B1-A64D-46FA-886F-ED7FBCE569B6".to_owned());
    let call = packed(&Hprose::default(), (&guid, "AFA7F4B1-A64D-46FA-886F-ED7FBCE569B6")).unwrap();
    assert!(
        call.starts_with("Cs1\"x\"a2{g{AFA7F4B1-A64D-46FA-886F-ED7FBCE569B6}s36\"AFA7"),
        "{call}"
    );
    assert_eq!(there_and_back(&Hprose::default(), &guid), Ok(guid));
    assert!(packed(&Hprose::default(), (Guid("AFA7F4B1".to_owned()),)).is_err());
}

fn read(value: &str) -> Result<Value, String> {
    unpacked(&Hprose::default(), format!("R{value}z").as_bytes())
}

#[test]
fn references_are_followed() {
    #[derive(Deserialize, Debug, PartialEq)]
    struct Person {
        name: String,
        age: u8,
    }
    let person = |name: &str, age| Person { name: name.to_owned(), age };
    // The specification's example; and Python's, whose fields' names count.
    let class = r#"c6"Person"2{s4"name"s3"age"}"#;
    let two = format!(r#"Ra2{{{class}o0{{s5"Tommy"i24;}}o0{{s5"Jerry"i19;}}}}z"#);
    let people: Vec<Person> = unpacked(&Hprose::default(), two.as_bytes()).unwrap();
    assert_eq!(people, [person("Tommy", 24), person("Jerry", 19)]);
    let again = format!(r#"Ra4{{{class}o0{{s5"Tommy"i24;}}o0{{s5"Jerry"i19;}}r3;r5;}}z"#);
    let people: Vec<Person> = unpacked(&Hprose::default(), again.as_bytes()).unwrap();
    assert_eq!(people[2..], [person("Tommy", 24), person("Jerry", 19)]);

    let one = || list([Value::Int(1)]);
    assert_eq!(read("a3{a1{1}r1;r1;}"), Ok(list([one(), one(), one()])));
    assert_eq!(
        read("a2{m1{s2\"ab\"a1{1}}m1{r2;r3;}}").unwrap().to_string(),
        r#"[{"ab": [1]}, {"ab": [1]}]"#
    );
    let bytes = Value::Bytes(b"xyz".to_vec());
    assert_eq!(read("a2{b3\"xyz\"r1;}"), Ok(list([bytes.clone(), bytes])));
    let date = Value::from("2012-12-29");
    assert_eq!(read("a2{D20121229;r1;}"), Ok(list([date.clone(), date])));
    let guid = "g{AFA7F4B1-A64D-46FA-886F-ED7FBCE569B6}";
    assert_eq!(read(&format!("a2{{{guid}r1;}}")).unwrap().to_string().len(), 2 * 38 + 4);
    // Small values cannot be referred to, and do not count.
    assert_eq!(read("a6{ua1eti10;s2\"ab\"}").map(drop), Ok(()));
    assert_eq!(read("a4{ua1es2\"ab\"}").map(drop), Ok(()));
    assert_eq!(read("a5{ua1es2\"ab\"r1;}").unwrap().to_string(), r#"["a", 1, "", "ab", "ab"]"#);
    // A field's name may be one letter, and refer to an earlier text.
    assert_eq!(
        read(r#"a2{s4"name"c1"P"2{r1;ux}o0{12}}"#).unwrap().to_string(),
        r#"["name", {"name": 1, "x": 2}]"#
    );
    // Into a list of numbers, a reference to one leads as well.
    assert_eq!(unpacked(&Hprose::default(), b"Ra2{a2{12}r1;}z"), Ok(vec![vec![1, 2], vec![1, 2]]));
}

#[test]
fn a_length_may_count_characters() {
    let text = |text: &str| Ok(Value::from(text));
    // By the specification, and by Python.
    assert_eq!(read("s6\"a𝄞b𝄞\""), text("a𝄞b𝄞"));
    assert_eq!(read("s4\"a𝄞b𝄞\""), text("a𝄞b𝄞"));
    assert_eq!(read("u𝄞"), text("𝄞"));
    assert_eq!(read("a2{s2\"𝄞\"s2\"ab\"}").unwrap().to_string(), r#"["𝄞", "ab"]"#);
    assert_eq!(read("a2{s3\"𝄞ab\"r1;}").unwrap().to_string(), r#"["𝄞ab", "𝄞ab"]"#);
    // Both make sense, so the specification is right.
    assert_eq!(read("s2\"𝄞\""), text("𝄞"));
    // One message does not count both ways.
    assert!(read("a2{s2\"𝄞\"s3\"a𝄞b\"}").is_err());
    ask(|ask| {
        assert_eq!(ask("Cs5\"sayHi\"a1{s3\"a𝄞b\"}z"), "Rs8\"Hi,a𝄞b!\"z");
        assert_eq!(ask("Cs5\"sayHi\"a1{s4\"a𝄞b\"}z"), "Rs8\"Hi,a𝄞b!\"z");
    });
}

#[test]
fn an_error_is_understood_whatever_its_length() {
    let error = |bytes: &str| unpacked::<Value>(&Hprose::default(), bytes.as_bytes()).unwrap_err();
    assert_eq!(
        error("Es24\"This is a error example.\"z"),
        "This is a error example. (fault -32603)"
    );
    assert_eq!(error("Eu!z"), "! (fault -32603)");
    assert_eq!(error("Eez"), " (fault -32603)");
    // Python's server counts what is inside, and packs the name of a Python value.
    assert_eq!(error("Es8\"b'not here'\"z"), "not here (fault -32603)");
    assert_eq!(
        error("Es32\"b\"Can't find this function nope().\"\"z"),
        "Can't find this function nope(). (fault -32603)"
    );
    assert_eq!(error("Es3\"b'\\xc3\\xbc!'\"z"), "b'\\xc3\\xbc!' (fault -32603)");
    assert_eq!(error("Es99\"too long\"z"), "too long (fault -32603)");
}

#[test]
fn names_are_listed_and_found_in_any_letters() {
    within("names", || {
        let server = serve(Procedures::new().on("hello", || 1).on("MD5", || 2).on("*", || 3));
        let mut raw = HttpRaw::connect(server.address());
        let names = "Fa3{s1\"*\"s3\"MD5\"s5\"hello\"}z";
        raw.send(&post_with("/", "content-type: application/hprose\r\n", "z"));
        assert_eq!(raw.response().body, names);
        raw.send(b"GET /any HTTP/1.1\r\nhost: test\r\n\r\n");
        let response = raw.response();
        assert_eq!(response.body, names);
        assert!(response.head.contains("content-type: application/hprose"), "{}", response.head);
    });
    ask(|ask| {
        for name in ["Mixed", "mixed", "MIXED"] {
            assert_eq!(ask(&format!("Cs5\"{name}\"z")), "Rs5\"mixed\"z");
        }
        assert!(ask("Cs4\"ECHO\"a1{t}Cs4\"eCho\"a1{f}z").ends_with("RtRfz"));
    });
    within("two of a kind", || {
        let server = serve(Procedures::new().on("a", || 1).on("A", || 2));
        let channel = Channel::new(server.address()).protocol(Hprose::default());
        let stub = ClientStub::new(&channel).unwrap();
        assert_eq!(stub.call::<i64>("a", ()).unwrap(), 1);
        assert_eq!(stub.call::<i64>("A", ()).unwrap(), 2);
        stub.notify("A", ()).unwrap();
        assert_eq!(stub.call::<i64>("a", ()).unwrap(), 1);
    });
}

#[test]
fn every_byte_is_explained() {
    for (call, reply) in GOLDEN {
        for bytes in [call, reply] {
            let fields = explain::explain(bytes.as_bytes());
            let mut at = 0;
            for field in &fields {
                assert_eq!(field.range.start, at);
                at = field.range.end;
            }
            assert_eq!(at, bytes.len());
            if !bytes.contains("r1;}}") {
                assert!(fields.iter().all(|field| field.name != "not understood"), "{bytes}");
            }
        }
    }
    let dump = explain::Dump(br#"Rc1"P"1{s2"ab"}o0{n}z"#).to_string();
    assert!(dump.contains("ab") && dump.contains("nothing"), "{dump}");
    assert_eq!(explain::explain(b"Cs9").last().unwrap().name, "not understood");
}

proptest! {
    #[test]
    fn what_is_packed_comes_back(value in everything()) {
        prop_assert_eq!(there_and_back::<Everything>(&Hprose::default(), &value).unwrap(), value);
    }

    #[test]
    fn a_value_comes_back(value in values()) {
        prop_assert_eq!(echoed(&Hprose::default(), &(&value,)), Ok(list([value])));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>, text in "[CREa-z0-9{};\"]*") {
        for bytes in [&bytes[..], text.as_bytes()] {
            read_everything(&Hprose::default(), bytes);
            read_everything(&Hprose::default(), &[b"Cs1\"x\"a1{", bytes, b"}z"].concat());
            read_everything(&Hprose::default(), &[b"R", bytes, b"z"].concat());
            let _ = explain::Dump(bytes).to_string();
        }
    }

    #[test]
    fn damaged_messages_are_read_without_a_panic(
        value in everything(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let value: Vec<u8> = answered(&Hprose::default(), b"Cs1\"x\"z", Some(&value));
        let mut bytes = value;
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read_everything(&Hprose::default(), &bytes);
        let _ = explain::Dump(&bytes).to_string();
    }
}
