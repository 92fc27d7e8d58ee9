//! Bad input on Hprose's wire: each is answered with an error, and the next call works.
#![cfg(feature = "hprose")]

pub mod support;
#[path = "support/values.rs"]
pub mod values;

use ninestep::protocol::hprose::Hprose;
use ninestep::{Procedures, Server, ThreadPerConnection, Value, demo};
use serde_bytes::Bytes;
use support::http::{HttpRaw, post_with};
use support::{ServerThread, within};
use values::{answered, packed};

fn procedures() -> Procedures {
    demo::procedures()
        .on("pair", |a: Value, b: Value| [a, b])
        .on("panic", || -> i64 { panic!("asked to") })
        .on("byte", |value: i8| value)
        .on("text", |length: usize| "x".repeat(length))
}

/// Asks a server in turn.
fn ask(asks: impl FnOnce(&mut dyn FnMut(&str) -> String) + Send + 'static) {
    within("Hprose", || {
        let server = Server::new(procedures()).protocol(Hprose::default().max_message(100_000));
        let server = ServerThread::run(server, ThreadPerConnection::default());
        let mut raw = HttpRaw::connect(server.address());
        asks(&mut |body| {
            raw.send(&post_with("/", "", body));
            let response = raw.response();
            assert_eq!(response.status, 200, "{body}: {response:?}");
            response.body
        });
    });
}

/// An error that contains this, after which the next call works.
#[track_caller]
fn error(ask: &mut dyn FnMut(&str) -> String, body: &str, why: &str) {
    let answer = ask(body);
    assert!(answer.starts_with("Es") && answer.contains(why), "{body}: {answer}");
    assert_eq!(ask("Cs3\"add\"a2{12}z"), "R3z");
}

#[test]
fn what_is_no_message_is_an_error() {
    ask(|ask| {
        let whole = "Cs4\"pair\"a2{m1{s2\"ab\"D20121221T151435.123Z}b2\"xy\"}tz";
        for end in 0..whole.len() {
            if end != whole.len() - 1 {
                error(ask, &whole[..end], "");
            }
        }
        for (body, why) in [
            ("", "the bytes end"),
            ("zz", "expected 'C' at byte 0, not 'z'"),
            ("Rnz", "expected 'C' at byte 0"),
            ("Cs4\"ping\"zz", "1 bytes follow"),
            ("Cs4\"ping\"", "the bytes end"),
            ("Cs4\"ping\"fz", "expected 'z' at byte 9, not 'f'"),
            ("Cs4\"ping\"a{}fz", "expected 'z'"),
            ("C4z", "no tag 0x34"),
            ("Cr0;z", "no tag 0x72"),
        ] {
            error(ask, body, why);
        }
    });
}

#[test]
fn values_that_make_no_sense_are_errors() {
    ask(|ask| {
        let mut wrong = |value: &str, why: &str| {
            error(ask, &format!("Cs4\"echo\"a1{{{value}}}z"), why);
        };
        for integer in [
            "i;",
            "ix;",
            "i1.0;",
            "i2147483648;",
            "i-2147483649;",
            "i 1;",
            "l;",
            "l--1;",
            "l999999999999999999999999999999999999999999;",
        ] {
            wrong(integer, "is no integer");
        }
        wrong("i1", "the bytes end");
        for number in ["d;", "dx;", "d1,5;"] {
            wrong(number, "is no number");
        }
        for number in ["d1e999;", "dinf;", "dnan;", "dInfinity;"] {
            wrong(number, "is out of range");
        }
        wrong("l170141183460469231731687303715884105727;", "i128");
        wrong("I", "no tag");
        wrong("I1", "no tag");
        for tag in ["x", "C", "z", "Z", "+", "\u{1}", "ü"] {
            wrong(tag, "no tag");
        }
        for text in ["s5\"abc\"", "s999999999999999999999999\"abc\"", "s4294967295\"abc\"", "u"] {
            wrong(text, "");
        }
        wrong("s2\"abc\"", "expected '\"'");
        wrong("s-1\"abc\"", "is no length");
        wrong("s+3\"abc\"", "is no length");
        wrong("b9999999\"abc\"", "the bytes end");
        wrong("b2\"abc\"", "expected");
        wrong("a2{1}", "no tag 0x7d");
        wrong("a1{12}", "expected '}'");
        wrong("a4000000000{1}", "no tag 0x7d");
        wrong("m1{s1\"a\"}", "no tag 0x7d");
        wrong("m1{n1}", "key is not a text");
        wrong("m1{a{}1}", "key is not a text");
        wrong("m1{r0;1}", "contains itself");
        wrong("m2{ua1ua2}", "\"a\" is given twice");
        wrong("m2{s2\"ab\"1r2;2}", "\"ab\" is given twice");
        wrong("r0;", "a value contains itself");
        wrong("a1{r1;}", "a value contains itself");
        wrong("a2{a1{1}a1{r3;}}", "a value contains itself");
        wrong("r1;", "nothing has the reference 1");
        wrong("a2{r2;s2\"ab\"}", "nothing has the reference 2");
        wrong("r-1;", "is no reference");
        wrong("o0{}", "there is no class 0");
        wrong("c1\"P\"{}", "a class is followed by an object");
        wrong("c1\"P\"{}c1\"Q\"{}o0{}", "a class is followed by an object");
        wrong("c1\"P\"{}o1{}", "there is no class 1");
        wrong("c1\"P\"1{1}o0{1}", "key is not a text");
        wrong("c1\"P\"2{uaua}o0{12}", "\"a\" is given twice");
        wrong("c1\"P\"1{ua}o0{}", "no tag 0x7d");
        wrong("c1\"P\"1{ua}o0{12}", "expected '}'");
        for date in [
            "D2012122;",
            "D20121229",
            "D20121229T12;",
            "T1234x6;",
            "T123456.12;",
            "T123456.;",
            "D20121229.123;",
            "D20121229T",
            "T123456.123456789123;",
        ] {
            wrong(date, "");
        }
        wrong("g{AFA7F4B1-A64D-46FA-886F-ED7FBCE569BX}", "a GUID is");
        wrong("g{AFA7F4B1A64D46FA886FED7FBCE569B6----}", "a GUID is");
        wrong("g[AFA7F4B1-A64D-46FA-886F-ED7FBCE569B6]", "expected '{'");
    });
}

#[test]
fn bad_utf_8_is_an_error() {
    for text in [&b"\xc3\x28"[..], b"\xff", b"\xed\xa0\xb4", b"\xf0\x9d\x84", b"\xc0\x80"] {
        for value in [[b"u", text].concat(), [b"s1\"", text, b"\""].concat()] {
            let call = [b"Cs1\"x\"a1{", &*value, b"}z"].concat();
            let answer = answered(&Hprose::default(), &call, None);
            assert!(answer.starts_with(b"Es"), "{}", answer.escape_ascii());
        }
    }
    let name = answered(&Hprose::default(), b"Cs1\"\xff\"z", None);
    assert_eq!(name, b"Es19\"a text is not UTF-8\"z");
}

#[test]
fn nesting_and_expansion_have_limits() {
    ask(|ask| {
        let deep =
            |depth: usize| format!("Cs4\"echo\"{}{}z", "a1{".repeat(depth), "}".repeat(depth));
        let flat = |depth: usize| deep(depth).replace("{}", "{1}");
        assert!(ask(&flat(64)).starts_with("Ra1{a1{"));
        error(ask, &flat(65), "nest deeper than allowed");
        error(ask, &flat(20_000), "nest deeper than allowed");
        // Ten times ten times ten ... of the same.
        let mut laughs = "a2{s3\"lol\"a3{r2;r2;r2;}}".to_owned();
        assert!(ask(&format!("Cs4\"echo\"a1{{{laughs}}}z")).starts_with("Ra2{s3\"lol\"a3{"));
        laughs = "s3\"lol\"".to_owned();
        for level in 1..=9 {
            laughs.push_str(&format!("a10{{{}}}", format!("r{level};").repeat(10)));
        }
        error(
            ask,
            &format!("Cs4\"echo\"a10{{{laughs}}}z"),
            "without references a message has over 100000 bytes",
        );
        // Depth by references: each list is in the one before it.
        let mut chain = "a{}".to_owned();
        for level in 2..71 {
            chain.push_str(&format!("a1{{r{level};}}"));
        }
        let call = format!("Cs4\"echo\"a1{{a70{{{chain}}}}}z");
        error(ask, &call, "nest deeper than allowed");
        // A class's names stand in the message once, and in each object's value.
        let (name, objects) = ("x".repeat(1000), "o0{n}".repeat(101));
        let class = format!("c1\"A\"1{{s1000\"{name}\"}}");
        let call = format!("Cs4\"echo\"a1{{a101{{{class}{objects}}}}}z");
        error(ask, &call, "without references a message has over 100000 bytes");
        error(ask, "Cs4\"text\"a1{i100000;}z", "a message has at most 100000 bytes");
        let many = |count: usize| format!("{}z", "Cs4\"ping\"".repeat(count));
        assert!(ask(&many(1000)).starts_with("Rs4\"pong\"Rs4\"pong\""));
        error(ask, &many(1001), "a message has at most 1000 calls");
    });
}

#[test]
fn arguments_that_do_not_fit_are_errors() {
    ask(|ask| {
        error(ask, "Cs3\"add\"a1{1}z", "argument 2 (b) is missing");
        error(ask, "Cs3\"add\"z", "argument 1 (a) is missing");
        error(ask, "Cs3\"add\"a3{123}z", "3 arguments were given");
        error(ask, "Cs3\"add\"a2{1s3\"two\"}z", "argument 2 (b)");
        error(ask, "Cs3\"add\"a2{1l9223372036854775808;}z", "argument 2 (b)");
        error(ask, "Cs4\"byte\"a1{i128;}z", "128");
        error(ask, "Cs4\"nope\"z", "there is no procedure \"nope\"");
        error(ask, "Cs5\"panic\"z", "panic failed inside");
    });
    for arguments in [Value::Map(vec![]), Value::Int(1), Value::from("text")] {
        let error = packed(&Hprose::default(), arguments).unwrap_err();
        assert!(error.contains("Hprose has no names for them"), "{error}");
    }
    let error = packed(&Hprose::default().max_message(100), ("x".repeat(100),)).unwrap_err();
    assert_eq!(error, "a message has at most 100 bytes");
    assert!(packed(&Hprose::default(), (Bytes::new(b"\0"),)).is_ok());
}
