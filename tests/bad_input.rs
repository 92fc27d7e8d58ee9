//! What a server does with bytes that make no sense: a typed answer, the connection kept where
//! the framing still holds and closed where it is lost, and everybody else served on.
#![cfg(feature = "cli")]

pub mod support;

use ninestep::{ClientStub, Fault, Value};
use support::{Frame, GREETING, Raw, ServerProcess, call, call_body, frame, packed, within};

/// A server, and a neighbour of those who misbehave: what one peer does is no other's loss.
struct Served {
    server: ServerProcess,
    neighbour: ClientStub,
}

impl Served {
    fn new() -> Served {
        let server = ServerProcess::serve(&["--strategy", "thread"]);
        Served { neighbour: server.client(), server }
    }

    fn raw(&self) -> Raw {
        Raw::connect(self.server.address())
    }

    fn greeted(&self) -> Raw {
        Raw::greeted(self.server.address())
    }

    fn neighbour_is_served(&self) {
        assert_eq!(self.neighbour.call::<i64>("add", (10, 5)).unwrap(), 15);
    }

    /// The bytes, which a client sends first, are answered with this fault, and the connection is
    /// closed.
    fn ends_with_fault(&self, what: &str, bytes: &[u8], code: i32, says: &str) {
        let mut raw = self.raw();
        raw.send(bytes);
        let words = raw.frame();
        assert_eq!(words.id, 0, "{what}: the fault belongs to the connection: {words:?}");
        let (came, message) = words.fault();
        assert_eq!(came, code, "{what}: {message}");
        assert!(message.contains(says), "{what}: {message}");
        assert_eq!(raw.next_frame(), None, "{what}");
        self.neighbour_is_served();
    }

    /// The same after the greeting and a call that was answered.
    fn ends_later_with_fault(&self, what: &str, bytes: &[u8], code: i32, says: &str) {
        self.ends_with_fault(what, &[&GREETING[..], bytes].concat(), code, says);
        let mut raw = self.greeted();
        assert_eq!(raw.ask(1, "add", (10, 5)).result(), Value::Int(15), "{what}");
        raw.send(bytes);
        let words = raw.frame();
        assert_eq!((words.id, words.fault().0), (0, code), "{what}");
        assert_eq!(raw.next_frame(), None, "{what}");
    }

    /// The call, whose id is 7, is answered with this fault, and the connection goes on.
    fn goes_on_after_fault(&self, what: &str, bytes: &[u8], code: i32, says: &str) {
        let mut raw = self.greeted();
        raw.send(bytes);
        let (came, message) = answer_to(&mut raw, 7).fault();
        assert_eq!(came, code, "{what}: {message}");
        assert!(message.contains(says), "{what}: {message}");
        assert_eq!(raw.ask(8, "add", (10, 5)).result(), Value::Int(15), "{what}");
        self.neighbour_is_served();
    }
}

fn answer_to(raw: &mut Raw, id: u32) -> Frame {
    let answer = raw.frame();
    assert_eq!(answer.id, id, "{answer:?}");
    answer
}

/// A call of `procedure` with id 7 whose arguments are these bytes.
fn call_with(procedure: &str, arguments: &[u8]) -> Vec<u8> {
    frame(b'C', 7, &call_body(procedure.as_bytes(), arguments))
}

/// A list of one value, which is these bytes.
fn list_of(value: &[u8]) -> Vec<u8> {
    [b"[\0\0\0\x01", value].concat()
}

#[test]
fn a_greeting_of_something_else() {
    let served = Served::new();
    let cases: [&[u8]; 5] =
        [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0\x01", b"9S\0\x01", b"8", b"\0\0\0\x10"];
    for bytes in cases {
        served.ends_with_fault(&format!("{bytes:02x?}"), bytes, Fault::PARSE, "not a greeting");
    }
}

#[test]
fn a_version_that_nobody_knows() {
    let served = Served::new();
    for version in [0, 2, b'1', 255] {
        let greeting = [b'9', b'S', b'T', version];
        let says = format!("version {version} ");
        served.ends_with_fault("a bare greeting", &greeting, Fault::PARSE, &says);
        let with_call = [&greeting[..], &call(1, "add", (1, 2))].concat();
        served.ends_with_fault("a greeting and a call", &with_call, Fault::PARSE, &says);
    }
}

#[test]
fn a_length_beyond_the_limit_or_below_a_header() {
    let served = Served::new();
    for length in [(4_u32 << 20) + 1, 1 << 31, u32::MAX] {
        let says = format!("{length} bytes is over the limit of 4194304");
        let bytes = length.to_be_bytes();
        served.ends_later_with_fault("too long", &bytes, Fault::PARSE, &says);
    }
    for length in 0_u32..5 {
        let bytes = length.to_be_bytes();
        served.ends_later_with_fault("too short", &bytes, Fault::PARSE, "too short");
    }
}

#[test]
fn the_longest_message_is_answered() {
    let served = Served::new();
    // Everything but the bytes themselves: kind, id, deadline, name, list, tag and length.
    let head = 5 + 4 + 4 + 4 + 5 + 5;
    let most = vec![1_u8; (4 << 20) - head];
    let mut raw = served.greeted();
    let call = call_with("echo", &list_of(&packed(Value::Bytes(most.clone()))));
    assert_eq!(call.len(), 4 + (4 << 20));
    raw.send(&call);
    assert_eq!(answer_to(&mut raw, 7).result(), Value::Bytes(most));

    let over = vec![1_u8; (4 << 20) - head + 1];
    let call = call_with("echo", &list_of(&packed(Value::Bytes(over))));
    served.ends_later_with_fault("one byte more", &call[..4], Fault::PARSE, "over the limit");
}

#[test]
fn a_frame_torn_at_every_byte() {
    let served = Served::new();
    let whole = [&GREETING[..], &call(1, "add", (10, 5))].concat();
    for cut in 0..whole.len() {
        // Leaving rudely, and leaving but staying to hear what is said.
        served.raw().send(&whole[..cut]);
        let mut raw = served.raw();
        raw.send(&whole[..cut]);
        raw.finish_sending();
        if cut > 0 {
            let (code, message) = answer_to(&mut raw, 0).fault();
            assert_eq!(code, Fault::PARSE, "cut at {cut}: {message}");
            let says = format!("ended {cut} bytes into a message");
            assert!(message.contains(&says), "cut at {cut}: {message}");
        }
        assert_eq!(raw.next_frame(), None, "cut at {cut}");
    }
    served.neighbour_is_served();
    let mut raw = served.raw();
    raw.send(&whole);
    raw.finish_sending();
    assert_eq!(answer_to(&mut raw, 1).result(), Value::Int(15));
    assert_eq!(raw.next_frame(), None);
}

#[test]
fn a_call_before_a_torn_frame_is_answered() {
    let served = Served::new();
    let mut raw = served.greeted();
    raw.send(&[call(1, "add", (10, 5)), call(2, "add", (1, 2))[..9].to_vec()].concat());
    raw.finish_sending();
    assert_eq!(answer_to(&mut raw, 1).result(), Value::Int(15));
    let (_, message) = answer_to(&mut raw, 0).fault();
    assert!(message.contains("ended 9 bytes into a message"), "{message}");
    assert_eq!(raw.next_frame(), None);
}

#[test]
fn a_kind_that_is_unknown_or_not_for_a_server() {
    let served = Served::new();
    for kind in [0, b'c', b'X', 255] {
        let says = format!("no frame kind {kind:#04x}");
        let bytes = frame(kind, 7, &call_body(b"add", &packed((1, 2))));
        served.ends_later_with_fault("unknown", &bytes, Fault::INVALID_CALL, &says);
    }
    for kind in [b'R', b'F', b'B'] {
        let bytes = frame(kind, 7, b"\0\0\0\x01");
        served.ends_later_with_fault("ours", &bytes, Fault::INVALID_CALL, "not for this side");
    }
}

#[test]
fn an_id_that_is_not_allowed() {
    let served = Served::new();
    let call = frame(b'C', 0, &call_body(b"add", &packed((1, 2))));
    served.ends_later_with_fault("call", &call, Fault::INVALID_CALL, "id 0 is not allowed");
    let notify = frame(b'N', 7, &call_body(b"add", &packed((1, 2))));
    served.ends_later_with_fault("notify", &notify, Fault::INVALID_CALL, "id 7 is not allowed");
}

#[test]
fn a_body_that_is_no_call() {
    let served = Served::new();
    let truncated = "the bytes end inside a value";
    let head = call_body(b"add", &[]);
    for cut in 0..=head.len() {
        let bytes = frame(b'C', 7, &head[..cut]);
        served.goes_on_after_fault(
            &format!("cut at {cut}"),
            &bytes,
            Fault::INVALID_CALL,
            truncated,
        );
    }
    let mut name_too_long = call_body(b"add", &packed((1, 2)));
    name_too_long[4] = 255;
    let bytes = frame(b'C', 7, &name_too_long);
    served.goes_on_after_fault("a name's length", &bytes, Fault::INVALID_CALL, truncated);

    let bytes = frame(b'C', 7, &call_body(b"a\xffd", &packed((1, 2))));
    let unknown = "there is no procedure \"a\u{fffd}d\"";
    served.goes_on_after_fault("a name", &bytes, Fault::NO_SUCH_PROCEDURE, unknown);

    for (arguments, says) in
        [(&b"_"[..], "nothing"), (b"q\0\0\0\0\0\0\0\x01", "an integer"), (b"!", "an unknown tag")]
    {
        let bytes = call_with("add", arguments);
        let says = format!("arguments are a list or a map, not {says}");
        served.goes_on_after_fault("no list", &bytes, Fault::INVALID_CALL, &says);
    }
}

#[test]
fn an_argument_that_is_no_value() {
    let served = Served::new();
    let not_utf8 = [b"s\0\0\0\x02", &b"\xc3\x28"[..]].concat();
    let cases: [(&str, Vec<u8>, &str); 11] = [
        ("a tag", list_of(b"z"), "no tag 0x7a"),
        ("a boolean", list_of(b"?\x02"), "a boolean is 0 or 1, not 2"),
        ("a cut integer", list_of(b"q\0\0\0"), "the bytes end inside a value"),
        ("a text's length", list_of(b"s\xff\xff\xff\xffabc"), "the bytes end inside a value"),
        ("a byte string's length", list_of(b"y\0\0\0\x04abc"), "the bytes end inside a value"),
        ("a list's count", list_of(b"[\xff\xff\xff\xff__"), "the bytes end inside a value"),
        ("a map's count", list_of(b"{\0\0\0\x02s\0\0\0\x01a_"), "the bytes end inside a value"),
        ("the arguments' count", b"[\0\0\0\x02_".to_vec(), "the bytes end inside a value"),
        ("a text", list_of(&not_utf8), "not UTF-8"),
        ("a key", list_of(b"{\0\0\0\x01q\0\0\0\0\0\0\0\x01_"), "key is not a text"),
        ("trailing bytes", [list_of(b"_"), b"__".to_vec()].concat(), "2 bytes follow the value"),
    ];
    for (what, arguments, says) in cases {
        let bytes = call_with("echo", &arguments);
        served.goes_on_after_fault(what, &bytes, Fault::WRONG_ARGUMENTS, says);
    }
}

#[test]
fn a_deep_nesting() {
    let served = Served::new();
    // As deep as a message can be long: five bytes open a list of one, four are the length of
    // the frame, and the rest is its head.
    let levels = ((4 << 20) - 64) / 5;
    for opens in [&b"[\0\0\0\x01"[..], b"{\0\0\0\x01s\0\0\0\0"] {
        let levels = levels * 5 / opens.len();
        let bytes = call_with("echo", &list_of(&opens.repeat(levels)));
        served.goes_on_after_fault(
            "too deep",
            &bytes,
            Fault::WRONG_ARGUMENTS,
            "nest deeper than allowed",
        );
        // What nobody reads is passed over no deeper.
        let surplus = [b"[\0\0\0\x02_", &opens.repeat(levels)[..]].concat();
        let bytes = call_with("echo", &surplus);
        served.goes_on_after_fault(
            "surplus",
            &bytes,
            Fault::WRONG_ARGUMENTS,
            "nest deeper than allowed",
        );
    }
    // The arguments' list is the first of 64 levels.
    let mut raw = served.greeted();
    raw.send(&call_with("echo", &[b"[\0\0\0\x01".repeat(64), b"_".to_vec()].concat()));
    assert!(matches!(answer_to(&mut raw, 7).result(), Value::List(_)));
    let bytes = call_with("echo", &[b"[\0\0\0\x01".repeat(65), b"_".to_vec()].concat());
    served.goes_on_after_fault("65", &bytes, Fault::WRONG_ARGUMENTS, "nest deeper than allowed");
}

#[test]
fn a_notification_that_makes_no_sense_is_not_answered() {
    let served = Served::new();
    let mut raw = served.greeted();
    for body in
        [b"".to_vec(), call_body(b"nobody", &packed((1,))), call_body(b"panic", b"[\0\0\0\0")]
    {
        raw.send(&frame(b'N', 0, &body));
        assert_eq!(raw.ask(8, "add", (10, 5)).result(), Value::Int(15));
    }
}

#[test]
fn memory_stays_flat() {
    let server = ServerProcess::serve(&["--strategy", "thread"]);
    let _killer = server.killer();
    within("2,000 bad connections", move || {
        let bad: [Vec<u8>; 6] = [
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            [&GREETING[..], &u32::MAX.to_be_bytes()].concat(),
            // The length is allowed, and most of it never comes.
            [&GREETING[..], &(4_u32 << 20).to_be_bytes(), b"C\0\0\0\x07"].concat(),
            [&GREETING[..], &call_with("echo", &list_of(b"[\xff\xff\xff\xff"))].concat(),
            [&GREETING[..], &call_with("echo", &list_of(b"y\xff\xff\xff\xff"))].concat(),
            [&GREETING[..], &frame(b'?', 7, b"what?")].concat(),
        ];
        let misbehave = |rounds: usize| {
            for bytes in bad.iter().cycle().take(rounds) {
                let mut raw = Raw::connect(server.address());
                raw.send(bytes);
                raw.finish_sending();
                while raw.next_frame().is_some() {}
            }
        };
        misbehave(200);
        let before = server.resident_kib();
        misbehave(2_000);
        let grown = server.resident_kib().saturating_sub(before);
        assert!(grown < 3 * 1024, "{grown} KiB more than the {before} KiB before");
        assert_eq!(server.client().call::<i64>("add", (10, 5)).unwrap(), 15);
    });
}
