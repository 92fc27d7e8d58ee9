//! Bad input on Thrift's wire: what can still be answered is, and nothing is believed.
#![cfg(feature = "thrift")]

pub mod support;
#[path = "thrift/talk.rs"]
pub mod talk;

use std::time::{Duration, Instant};

use ninestep::protocol::thrift::{Thrift, kind};
use ninestep::protocol::{AnyFinder, Finder, Framing, Side};
use ninestep::{Channel, ClientStub, Error, ProtocolError};
use support::within;
use talk::{Talk, framed, old, thrift};

const ADD: &[u8] = b"\x80\x01\0\x01\0\0\0\x03add\0\0\0\x07\x0a\0\x01\0\0\0\0\0\0\0\x0a\x0a\0\x02\0\0\0\0\0\0\0\x05\0";
const ADDED: &[u8] = b"\x80\x01\0\x02\0\0\0\x03add\0\0\0\x07\x0a\0\0\0\0\0\0\0\0\0\x0f\0";
/// A call of `echo` up to its first field.
const ECHO: &[u8] = b"\x80\x01\0\x01\0\0\0\x04echo\0\0\0\x07";

fn finder() -> AnyFinder {
    Thrift::default().finder(Side::Server)
}

/// An application exception.
fn exception(name: &str, seqid: u8, message: &str, number: u8) -> Vec<u8> {
    let text =
        |text: &str| [&u32::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat();
    let head = [b"\x80\x01\0\x03", &*text(name), &[0, 0, 0, seqid, 11, 0, 1]].concat();
    [head, text(message), vec![8, 0, 2, 0, 0, 0, number, 0]].concat()
}

/// The bytes of `echo` with this one argument.
fn echo(kind: u8, value: &[u8]) -> Vec<u8> {
    [ECHO, &[kind, 0, 1], value, b"\0"].concat()
}

#[test]
fn no_beginning_of_a_message_is_a_message() {
    let long = b"\x0c\0\x01\x0f\0\x01\x0c\0\0\0\x02\x0b\0\x01\0\0\0\x03abc\0\0\x0d\0\x02\x0b\x02\0\0\0\x01\0\0\0\x01k\x01\0";
    let long = [ECHO, &long[..], b"\0"].concat();
    for message in [ADD.to_vec(), framed(ADD), old(ADD), long.clone(), framed(&long), old(&long)] {
        for end in 0..message.len() {
            assert_eq!(finder().find(&message[..end]), Ok(None), "{end} of {message:?}");
        }
        let twice = message.repeat(2);
        assert_eq!(finder().find(&twice), Ok(Some(0..message.len())));
    }
}

#[test]
fn a_connection_that_ends_inside_a_message_gets_last_words() {
    for message in [ADD.to_vec(), framed(ADD)] {
        for end in 1..message.len() {
            let torn = message[..end].to_vec();
            within("a torn message", move || {
                let talk = Talk::to(Thrift::default());
                talk.send(&torn);
                talk.finish();
                let why = format!("the connection ended {end} bytes into a message");
                assert_eq!(talk.message(), exception("", 0, &why, 7));
                assert_eq!(talk.message(), b"");
            });
        }
    }
}

/// What is said last, unframed, before the connection is closed.
#[track_caller]
fn last_words(bytes: &[u8], why: &str) {
    let error = finder().find(bytes).unwrap_err();
    assert_eq!(error.to_string(), why);
    let (bytes, words) = (bytes.to_vec(), exception("", 0, why, 7));
    within("last words", move || {
        let talk = Talk::to(Thrift::default());
        talk.send(ADD);
        assert_eq!(talk.message(), ADDED);
        talk.send(&bytes);
        assert_eq!(talk.message(), words);
        assert_eq!(talk.message(), b"");
    });
}

#[test]
fn a_message_whose_end_cannot_be_known_ends_the_connection() {
    last_words(&echo(1, b""), "a message cannot be read: there is no tag 0x01");
    last_words(&echo(99, b""), "a message cannot be read: there is no tag 0x63");
    last_words(
        &echo(kind::LIST, b"\x05\0\0\0\x01"),
        "a message cannot be read: there is no tag 0x05",
    );
    last_words(
        b"\x80\x02\0\x01\0\0\0\x03add",
        "the first bytes are [80, 02, 00, 01], not a greeting of this wire",
    );
    last_words(
        b"\x82\x21\0\x01",
        "the first bytes are [82, 21, 00, 01], not a greeting of this wire",
    );
    last_words(
        b"GET / HTTP/1.1\r\n\r\n",
        "the first bytes are [47, 45, 54, 20], not a greeting of this wire",
    );
    last_words(
        b"9ST\x01\0\0\0\x27",
        "the first bytes are [39, 53, 54, 01], not a greeting of this wire",
    );
}

#[test]
fn a_length_or_count_beyond_the_limit_ends_the_connection() {
    let too_long = |bytes: &[u8], length: u64| {
        last_words(bytes, &format!("a message of {length} bytes is over the limit of 4194304"));
    };
    // Negative lengths are lengths beyond the limit.
    too_long(b"\x80\x01\0\x01\xff\xff\xff\xff", 12 + (1 << 32) - 1);
    too_long(&echo(kind::STRING, b"\xff\xff\xff\xff"), 16 + 3 + 4 + (1 << 32) - 1);
    too_long(&echo(kind::STRING, b"\x7f\xff\xff\xff"), 16 + 3 + 4 + (1 << 31) - 1);
    too_long(&echo(kind::LIST, b"\x0a\xff\xff\xff\xff"), 16 + 3 + 5 + 8 * ((1 << 32) - 1));
    // Containers of containers promise a byte for each at least: CVE-2020-13949.
    too_long(&echo(kind::LIST, b"\x0c\x7f\xff\xff\xff"), 16 + 3 + 5 + (1 << 31) - 1);
    too_long(&echo(kind::SET, b"\x0f\x7f\xff\xff\xff"), 16 + 3 + 5 + (1 << 31) - 1);
    too_long(&echo(kind::MAP, b"\x0b\x0c\x7f\xff\xff\xff"), 16 + 3 + 6 + (1 << 32) - 2);
    too_long(b"\x00\x40\x00\x01\x80\x01\0\x01", (4 << 20) + 1);
    too_long(b"\x7f\xff\xff\xff\x80\x01\0\x01", (1 << 31) - 1);
    too_long(&ECHO.iter().copied().chain(endless(4 << 20)).collect::<Vec<_>>(), (4 << 20) + 4);
}

/// Fields that never end.
fn endless(length: usize) -> impl Iterator<Item = u8> {
    b"\x02\0\x63\x01".iter().copied().cycle().take(length)
}

#[test]
fn values_that_nest_too_deep_end_the_connection() {
    let too_deep = "a message cannot be read: lists and maps nest deeper than allowed";
    for (kind, level) in [
        (kind::STRUCT, &b"\x0c\0\x01"[..]),
        (kind::LIST, b"\x0f\0\0\0\x01"),
        (kind::SET, b"\x0e\0\0\0\x01"),
        (kind::MAP, b"\x02\x0d\0\0\0\x01\x01"),
    ] {
        last_words(&echo(kind, &level.repeat(400_000)), too_deep);
        // Unknown fields as well.
        let unknown = [ECHO, &[kind, 0, 99], &level.repeat(400_000), b"\0"].concat();
        last_words(&unknown, too_deep);
    }
}

#[test]
fn what_is_wrong_inside_a_message_is_a_fault_and_the_next_call_works() {
    within("faults", || {
        let talk = Talk::to(thrift());
        let refused = |call: &[u8], name: &str, why: &str| {
            talk.send(call);
            let expected = exception(name, 7, why, 7);
            assert_eq!(
                talk.message().escape_ascii().to_string(),
                expected.escape_ascii().to_string()
            );
            talk.ask(ADD, ADDED);
        };
        let named = |name: &str, fields: &[u8]| {
            let length = u8::try_from(name.len()).unwrap();
            [&b"\x80\x01\0\x01\0\0\0"[..], &[length], name.as_bytes(), b"\0\0\0\x07", fields, b"\0"]
                .concat()
        };
        refused(&named("add", b""), "add", "expected (i64, i64): argument 1 is missing");
        refused(
            &named("add", b"\x0b\0\x01\0\0\0\x01x"),
            "add",
            "expected (i64, i64): argument 1: invalid type: string \"x\", expected i64",
        );
        refused(
            &named("add", b"\x04\0\x01\0\0\0\0\0\0\0\0"),
            "add",
            "expected (i64, i64): argument 1: invalid type: floating point `0.0`, expected i64",
        );
        let twice = b"\x08\0\x01\0\0\0\x01\x08\0\x01\0\0\0\x01";
        refused(&named("add", twice), "add", "expected (i64, i64): argument 1 is given twice");
        for (bytes, number) in
            [(&b"\x06\0\x01\x01\x2c"[..], 300), (b"\x08\0\x01\xff\xff\xff\x7f", -129)]
        {
            let why = format!(
                "expected (i8): argument 1: invalid value: integer `{number}`, expected i8"
            );
            refused(&named("byte", bytes), "byte", &why);
        }
        refused(
            &echo(kind::BOOL, b"\x02"),
            "echo",
            "expected (Value): argument 1: a boolean is 0 or 1, not 2",
        );
        refused(
            &named("login", b"\x0b\0\x01\0\0\0\x02\xc3\x28"),
            "login",
            "expected (String, String): argument 1: a text is not UTF-8",
        );
        refused(
            &echo(kind::MAP, b"\x04\x02\0\0\0\x01\0\0\0\0\0\0\0\0\x01"),
            "echo",
            "expected (Value): argument 1: a map's key is a text, an integer or a boolean, not a double",
        );
        refused(
            &echo(kind::MAP, b"\x03\x02\0\0\0\x02\x01\x01\x01\x01"),
            "echo",
            "expected (Value): argument 1: \"1\" is given twice",
        );
        refused(
            &echo(kind::STRUCT, &[&twice[..], b"\0"].concat()),
            "echo",
            "expected (Value): argument 1: \"1\" is given twice",
        );
        refused(&named("flag", b"\x02\0\x01\x01\x03\0\x02\x01\x06\0\x03\xff\xff\x08\0\x04\0\0\0\0\x04\0\x05\0\0\0\0\0\0\0\0"), "flag",
            "expected (bool, i8, u16, i32, f32): argument 3: invalid value: integer `-1`, expected u16");
        let deep = [&b"\x0f\0\0\0\x01".repeat(63)[..], b"\x02\0\0\0\x01\x01"].concat();
        refused(
            &echo(kind::LIST, &deep),
            "echo",
            "expected (Value): argument 1: lists and maps nest deeper than allowed",
        );
    });
}

#[test]
fn in_a_frame_anything_may_be_wrong_and_the_next_call_works() {
    within("framed", || {
        let talk = Talk::to(thrift());
        let refused = |message: &[u8], name: &str, seqid: u8, why: &str, number: u8| {
            talk.send(&framed(message));
            let expected = framed(&exception(name, seqid, why, number));
            assert_eq!(
                talk.message().escape_ascii().to_string(),
                expected.escape_ascii().to_string()
            );
            talk.ask(&framed(ADD), &framed(ADDED));
        };
        let ends = "the bytes end inside a value";
        for end in 5..15 {
            refused(&ADD[..end], "", 0, ends, 7);
        }
        for end in 15..ADD.len() {
            refused(&ADD[..end], "add", 7, ends, 7);
        }
        refused(&[ADD, b"more"].concat(), "add", 7, "4 bytes follow the value", 7);
        refused(
            &[&ADD[..4], b"\0\0\0\x02\xc3\x28\0\0\0\x07\0"].concat(),
            "",
            0,
            "a text is not UTF-8",
            7,
        );
        refused(b"\x80\x02\0\x01\0\0\0\x01x\0\0\0\x07\0", "", 0, "there is no tag 0x80", 7);
        refused(&echo(1, b""), "echo", 7, "there is no tag 0x01", 7);
        refused(
            &echo(kind::LIST, &b"\x0f\0\0\0\x01".repeat(400_000)),
            "echo",
            7,
            "lists and maps nest deeper than allowed",
            7,
        );
        refused(&echo(kind::LIST, b"\x00\x7f\xff\xff\xff"), "echo", 7, ends, 7);
        for kind in [0, 2, 3, 5, 255] {
            let message = [&ADD[..3], &[kind], &ADD[4..]].concat();
            refused(&message, "add", 7, &format!("a message of kind {kind} is no call"), 2);
        }
    });
}

#[test]
fn a_server_s_bytes_that_make_no_sense_end_the_client_s_connection() {
    for (bytes, expected) in [
        (&b"\x80\x01\0\x01\0\0\0\x01x\0\0\0\x01\0"[..], ProtocolError::UnexpectedKind(1)),
        (b"\x80\x01\0\x09\0\0\0\x01x\0\0\0\x01\0", ProtocolError::UnexpectedKind(9)),
        (b"HTTP/1.1 400 Bad Request\r\n", ProtocolError::WrongMagic(b"HTTP".to_vec())),
        (b"\x80\x01\0\x02\0", ProtocolError::Torn(5)),
    ] {
        within("a client", move || {
            let (channel, server) = Channel::in_memory().unwrap();
            let stub = ClientStub::new(&channel.protocol(Thrift::default())).unwrap();
            let call = stub.send::<i64>("x", ()).unwrap();
            server.receive(&mut Vec::new()).unwrap();
            server.send(bytes).unwrap();
            drop(server);
            assert!(matches!(call.wait(), Err(Error::Protocol(error)) if error == expected));
        });
    }
}

/// 3.2 MB, in many values.
fn large() -> Vec<u8> {
    let items = b"\0\0\0\x0cabcdefghijkl".repeat(200_000);
    let head = [&[kind::STRING], &200_000_u32.to_be_bytes()[..]].concat();
    echo(kind::LIST, &[head, items].concat())
}

fn time_to_find(message: &[u8], piece: usize) -> Duration {
    let mut finder = finder();
    let begun = Instant::now();
    let mut came = 0;
    let found = loop {
        came = message.len().min(came + piece);
        if let Some(found) = finder.find(&message[..came]).unwrap() {
            break found;
        }
        assert!(came < message.len());
    };
    assert_eq!(found, 0..message.len());
    begun.elapsed()
}

#[test]
fn a_large_message_in_small_pieces_is_walked_through_once() {
    let message = large();
    assert!(message.len() > 3_200_000);
    let fastest = |piece: usize| (0..5).map(|_| time_to_find(&message, piece)).min().unwrap();
    let (whole, pieces) = (fastest(message.len()), fastest(1460));
    // Were it walked through for each piece, this would be a factor of over a thousand.
    assert!(pieces < whole * 50, "{pieces:?} in pieces, {whole:?} at once");
}

#[cfg(feature = "cli")]
#[test]
fn memory_does_not_grow_on_the_word_of_a_count() {
    let server = support::ServerProcess::serve(&["--protocol", "thrift"]);
    let _killer = server.killer();
    within("huge counts", move || {
        let ask = |message: &[u8]| {
            let mut raw = support::Raw::connect(server.address());
            raw.send(message);
            raw.finish_sending();
            while !raw.is_over() {}
        };
        ask(&framed(ADD));
        let before = support::status_kib(server.pid(), "VmHWM:");
        for (kind, value) in [
            (kind::LIST, &b"\x0c\x7f\xff\xff\xff"[..]),
            (kind::LIST, b"\x0a\x7f\xff\xff\xff"),
            (kind::LIST, b"\x00\x7f\xff\xff\xff"),
            (kind::MAP, b"\x0b\x0b\x7f\xff\xff\xff"),
            (kind::STRING, b"\x7f\xff\xff\xff"),
            (kind::STRUCT, b"\x0f\0\x01\x0f\x7f\xff\xff\xff"),
        ] {
            for message in [echo(kind, value), framed(&echo(kind, value)), old(&echo(kind, value))]
            {
                ask(&message);
            }
        }
        // A frame that promises everything and holds nothing.
        ask(b"\x00\x3f\xff\xff\x80\x01\0\x01");
        let grown = support::status_kib(server.pid(), "VmHWM:") - before;
        assert!(grown < 1024, "{grown} KiB more");
    });
}
