//! The native wire, byte for byte: the golden vectors of `wire/vectors.json`, which a program in
//! another language can read too, and how Rust's types become the wire's.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::num::NonZeroU8;
use std::time::{Duration, Instant};

use ninestep::protocol::native::frame::{self, Frame, FrameFinder};
use ninestep::protocol::native::{Native, ValueError, explain, pack, unpack};
use ninestep::protocol::{
    Answer, Arrived, Call, Calls, Finder, Framing, Message, Outcome, Outgoing, Protocol, Request,
    Side,
};
use ninestep::{Fault, Procedures, ProtocolError, Value};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteBuf, Bytes};
use serde_json::Value as Json;

/// How deep values may nest, as both ends agree unless told otherwise.
const DEPTH: usize = 64;

fn vectors() -> Json {
    serde_json::from_str(include_str!("wire/vectors.json")).unwrap()
}

fn entries<'a>(vectors: &'a Json, list: &str) -> &'a [Json] {
    let entries = vectors[list].as_array().unwrap();
    assert!(!entries.is_empty());
    entries
}

fn text<'a>(entry: &'a Json, field: &str) -> &'a str {
    entry[field].as_str().unwrap_or_else(|| panic!("{field} of {entry}"))
}

fn number<T: TryFrom<i64>>(entry: &Json, field: &str) -> T {
    let number = entry[field].as_i64().and_then(|number| number.try_into().ok());
    number.unwrap_or_else(|| panic!("{field} of {entry}"))
}

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// The value that the vectors' JSON stands for.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Int(number.as_i64().unwrap()),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(special) => {
            let (what, content) = special.iter().next().unwrap();
            let text = || content.as_str().unwrap();
            match what.as_str() {
                "$int" => match text().parse() {
                    Ok(integer) => Value::Int(integer),
                    Err(_) => Value::BigInt(text().parse().unwrap()),
                },
                "$float" => Value::Float(text().parse().unwrap()),
                "$bytes" => Value::Bytes(bytes(text())),
                "$map" => {
                    let pair = |pair: &Json| (text_of(&pair[0]), value(&pair[1]));
                    Value::Map(content.as_array().unwrap().iter().map(pair).collect())
                }
                other => panic!("no such notation: {other}"),
            }
        }
    }
}

fn text_of(json: &Json) -> String {
    json.as_str().unwrap().to_owned()
}

/// Floats compare by what they print, so that "not a number" is itself and -0.0 is not 0.0.
fn assert_same(one: &Value, other: &Value, name: &str) {
    assert_eq!(format!("{one:?}"), format!("{other:?}"), "{name}");
}

fn packed(value: &(impl Serialize + ?Sized)) -> Vec<u8> {
    let mut out = Vec::new();
    pack(value, DEPTH, &mut out).unwrap();
    out
}

#[test]
fn golden_greeting() {
    let greeting = bytes(text(&vectors(), "greeting"));
    assert_eq!(Native::default().hello(), greeting);
    assert_eq!(frame::GREETING, greeting[..]);
}

#[test]
fn golden_values() {
    let vectors = vectors();
    for entry in entries(&vectors, "values") {
        let (name, bytes) = (text(entry, "name"), bytes(text(entry, "hex")));
        let value = value(&entry["value"]);
        assert_eq!(packed(&value), bytes, "{name}");
        assert_same(&unpack(&bytes, DEPTH).unwrap(), &value, name);
        unpack::<IgnoredAny>(&bytes, DEPTH).unwrap();
    }
    for entry in entries(&vectors, "read_only") {
        let (name, bytes) = (text(entry, "name"), bytes(text(entry, "hex")));
        assert_same(&unpack(&bytes, DEPTH).unwrap(), &value(&entry["value"]), name);
    }
}

/// Cutting any golden value short leaves no value, and neither does a further byte.
#[test]
fn golden_values_have_one_length() {
    for entry in entries(&vectors(), "values") {
        let (name, bytes) = (text(entry, "name"), bytes(text(entry, "hex")));
        for cut in 0..bytes.len() {
            let cut_short = unpack::<Value>(&bytes[..cut], DEPTH);
            assert_eq!(cut_short, Err(ValueError::Truncated), "{name} cut at {cut}");
        }
        let longer = [&bytes[..], b"_"].concat();
        assert_eq!(unpack::<Value>(&longer, DEPTH), Err(ValueError::TrailingBytes(1)), "{name}");
    }
}

/// Id, procedure, arguments, and how many milliseconds the caller still waits.
type Called = (u32, String, Value, Option<u32>);

/// Notes the one call that it is given, and answers it.
struct Answering<'a> {
    answer: Result<Value, Fault>,
    called: Option<Called>,
    check: &'a dyn Fn(Result<(), Fault>),
}

impl Calls for Answering<'_> {
    fn call(
        &mut self,
        call: Call<'_, '_>,
        reply: &mut dyn FnMut(Outcome<'_>) -> Result<(), Fault>,
    ) {
        let arguments = erased_value(call.arguments);
        let procedure = str::from_utf8(call.procedure).unwrap().to_owned();
        self.called = Some((call.id, procedure, arguments, call.patience_ms));
        let outcome: Outcome<'_> = match &self.answer {
            Ok(value) => Ok(value),
            Err(fault) => Err(fault.clone()),
        };
        (self.check)(reply(outcome));
    }

    fn procedures(&self) -> &Procedures {
        unreachable!("the native wire lists no procedures")
    }
}

fn erased_value(packed: ninestep::protocol::Packed<'_, '_>) -> Value {
    packed.unpack().unwrap()
}

/// What a server says to this message, with the call that it found in it.
fn answer(message: &[u8], answer: Result<Value, Fault>) -> (Vec<u8>, Option<Called>) {
    let mut calls = Answering { answer, called: None, check: &|replied| replied.unwrap() };
    let mut out = Answer::default();
    Native::default().answer(Message::new(message), &mut calls, &mut out).unwrap();
    (out.bytes, calls.called)
}

#[derive(Debug, PartialEq)]
enum Came {
    Reply(u32, Value),
    Fault(u32, Fault),
    Refused(Fault),
    Bye(u32),
}

fn came(message: &[u8]) -> Result<Came, ProtocolError> {
    let mut came = None;
    Native::default().unpack(Message::new(message), &mut |arrived| {
        came = Some(match arrived {
            Arrived::Outcome { id, outcome: Ok(result) } => Came::Reply(id, erased_value(result)),
            Arrived::Outcome { id, outcome: Err(fault) } => Came::Fault(id, fault),
            Arrived::Refused(fault) => Came::Refused(fault),
            Arrived::Bye { last } => Came::Bye(last),
        });
    })?;
    Ok(came.unwrap())
}

/// The whole message in a stream that holds one.
fn found(side: Side, stream: &[u8]) -> Vec<u8> {
    let range = Native::default().finder(side).find(stream).unwrap().unwrap();
    assert_eq!(range.end, stream.len());
    stream[range].to_vec()
}

#[test]
fn golden_frames() {
    for entry in entries(&vectors(), "frames") {
        let (name, bytes) = (text(entry, "name"), bytes(text(entry, "hex")));
        let id = || number::<u32>(entry, "id");
        match text(entry, "kind") {
            kind @ ("call" | "notify") => {
                let (deadline_ms, arguments) =
                    (number::<u32>(entry, "deadline_ms"), value(&entry["arguments"]));
                let procedure = text(entry, "procedure");
                // With a deadline the bytes depend on the clock: that is tested elsewhere.
                if deadline_ms == 0 {
                    let id = (kind == "call").then(id);
                    let call = Outgoing { id, procedure, arguments: &arguments, deadline: None };
                    let mut out = Request::default();
                    Native::default().pack(&call, &mut out).unwrap();
                    assert_eq!(out.bytes, bytes, "{name}");
                }
                let patience = (deadline_ms > 0).then_some(deadline_ms);
                let expected = Some((id(), procedure.to_owned(), arguments, patience));
                let message = found(Side::Server, &[&frame::GREETING[..], &bytes].concat());
                let (answered, called) = answer(&message, Ok(Value::Null));
                assert_eq!(called, expected, "{name}");
                assert_eq!(answered.is_empty(), kind == "notify", "{name}");
            }
            "reply" => {
                let result = value(&entry["value"]);
                let message = found(Side::Client, &bytes);
                assert_eq!(came(&message), Ok(Came::Reply(id(), result.clone())), "{name}");
                assert_eq!(answer(&ping(id()), Ok(result)).0, bytes, "{name}");
            }
            "fault" => {
                let fault = Fault::new(number(entry, "code"), text(entry, "message"));
                let fault = Fault { data: value(&entry["data"]), ..fault };
                let message = found(Side::Client, &bytes);
                if id() == 0 {
                    assert_eq!(came(&message), Ok(Came::Refused(fault.clone())), "{name}");
                    let mut out = Vec::new();
                    Native::default().last_words(&fault, &mut out);
                    assert_eq!(out, bytes, "{name}");
                } else {
                    assert_eq!(came(&message), Ok(Came::Fault(id(), fault.clone())), "{name}");
                    assert_eq!(answer(&ping(id()), Err(fault)).0, bytes, "{name}");
                }
            }
            "bye" => {
                let last = number(entry, "last");
                assert_eq!(came(&found(Side::Client, &bytes)), Ok(Came::Bye(last)), "{name}");
                let mut out = Vec::new();
                Native::default().bye(last, &mut out);
                assert_eq!(out, bytes, "{name}");
            }
            other => panic!("{name}: no such kind: {other}"),
        }
        assert!(!explain::explain(&bytes).iter().any(|field| field.name == "not understood"));
    }
}

fn ping(id: u32) -> Vec<u8> {
    let call = Outgoing { id: Some(id), procedure: "ping", arguments: &(), deadline: None };
    let mut out = Request::default();
    Native::default().pack(&call, &mut out).unwrap();
    out.bytes
}

/// The name of an enum's variant.
fn variant(error: &impl Debug) -> String {
    let shown = format!("{error:?}");
    shown.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()
}

#[test]
fn golden_refusals() {
    for entry in entries(&vectors(), "bad") {
        let (name, bytes) = (text(entry, "name"), bytes(text(entry, "hex")));
        let refused = match text(entry, "to") {
            "value" => {
                let refused = unpack::<Value>(&bytes, DEPTH).unwrap_err();
                // Whoever ignores a value checks it as well.
                let ignored = unpack::<IgnoredAny>(&bytes, DEPTH).unwrap_err();
                assert_eq!(ignored, refused, "{name}");
                variant(&refused)
            }
            "server" => match Native::default().finder(Side::Server).find(&bytes) {
                Err(broken) => variant(&broken),
                Ok(range) => {
                    let mut calls = Answering {
                        answer: Ok(Value::Null),
                        called: None,
                        check: &|_| panic!("it was called"),
                    };
                    let (message, mut out) =
                        (Message::new(&bytes[range.unwrap()]), Answer::default());
                    let broken = Native::default().answer(message, &mut calls, &mut out);
                    assert!(out.bytes.is_empty(), "{name}");
                    variant(&broken.unwrap_err())
                }
            },
            "client" => match Native::default().finder(Side::Client).find(&bytes) {
                Err(broken) => variant(&broken),
                Ok(range) => variant(&came(&bytes[range.unwrap()]).unwrap_err()),
            },
            other => panic!("{name}: to whom? {other}"),
        };
        assert_eq!(refused, text(entry, "error"), "{name}");
    }
}

#[test]
fn a_nesting_of_a_million_is_refused_at_the_limit() {
    let lists = [b"[\0\0\0\x01".repeat(1_000_000), b"_".to_vec()].concat();
    assert_eq!(unpack::<Value>(&lists, DEPTH), Err(ValueError::TooDeep));
    assert!(unpack::<IgnoredAny>(&lists, DEPTH).is_err());
    let maps = [b"{\0\0\0\x01s\0\0\0\0".repeat(1_000_000), b"_".to_vec()].concat();
    assert_eq!(unpack::<Value>(&maps, DEPTH), Err(ValueError::TooDeep));
    assert!(!explain::explain(&[&b"\0\x4c\x4b\x46R\0\0\0\x01"[..], &lists].concat()).is_empty());
}

#[test]
fn depth_counts_containers_and_is_given_back() {
    let in_list = |value| Value::List(vec![value]);
    let in_map = |value| Value::Map(vec![(String::new(), value)]);
    for wrap in [in_list, in_map] {
        let make = |levels: usize| (0..levels).fold(Value::Null, |value, _| wrap(value));
        for limit in [0, 1, 2, 64] {
            let mut out = Vec::new();
            assert_eq!(pack(&make(limit), limit, &mut out), Ok(()));
            assert_eq!(unpack::<Value>(&out, limit), Ok(make(limit)));
            assert_eq!(pack(&make(limit + 1), limit, &mut Vec::new()), Err(ValueError::TooDeep));
            let mut deeper = Vec::new();
            pack(&make(limit + 1), limit + 1, &mut deeper).unwrap();
            assert_eq!(unpack::<Value>(&deeper, limit), Err(ValueError::TooDeep));
        }
    }
    // A hundred neighbours are not deeper than one.
    let variants = vec![(Shape::Point, Shape::Circle(1), Shape::Line(1, 2), square()); 100];
    let mut out = Vec::new();
    pack(&variants, 4, &mut out).unwrap();
    assert_eq!(unpack::<Vec<(Shape, Shape, Shape, Shape)>>(&out, 4).unwrap(), variants);
    assert_eq!(pack(&variants, 3, &mut Vec::new()), Err(ValueError::TooDeep));
    assert!(unpack::<Vec<(Shape, Shape, Shape, Shape)>>(&out, 3).is_err());
}

/// A Rust value is these bytes, and these bytes are that value.
fn is<T: Serialize + DeserializeOwned + PartialEq + Debug>(rust: T, wire: Value) {
    let bytes = packed(&wire);
    assert_eq!(unpack::<Value>(&packed(&rust), DEPTH), Ok(wire), "{rust:?}");
    assert_eq!(packed(&rust), bytes, "{rust:?}");
    assert_eq!(unpack(&bytes, DEPTH), Ok(rust));
}

fn map<const COUNT: usize>(entries: [(&str, Value); COUNT]) -> Value {
    Value::Map(entries.map(|(name, value)| (name.to_owned(), value)).into())
}

fn list<const COUNT: usize>(items: [Value; COUNT]) -> Value {
    Value::List(items.into())
}

const ONE: Value = Value::Int(1);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(i32),
    Line(i32, i32),
    Square { side: i32, at: Option<(i32, i32)> },
    Nested(Box<Shape>),
    Two((), Box<Shape>),
}

fn square() -> Shape {
    Shape::Square { side: 1, at: None }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Empty {}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Wrapped(u16);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair(bool, char);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    integer: i8,
    #[serde(rename = "type")]
    text: String,
    maybe: Option<f32>,
    unit: Unit,
    pair: Pair,
    shapes: Vec<Shape>,
}

#[test]
fn integers() {
    is(0_u8, Value::Int(0));
    is(i8::MIN, Value::Int(-128));
    is(i16::MIN, Value::Int(-32_768));
    is(u16::MAX, Value::Int(65_535));
    is(i32::MIN, Value::Int(i32::MIN.into()));
    is(u32::MAX, Value::Int(u32::MAX.into()));
    is(i64::MIN, Value::Int(i64::MIN));
    is(i64::MAX.cast_unsigned(), Value::Int(i64::MAX));
    is(i64::MAX.cast_unsigned() + 1, Value::BigInt(1 << 63));
    is(u64::MAX, Value::BigInt(u64::MAX));
    is(usize::MAX, Value::BigInt(u64::MAX));
    is(i128::from(i64::MIN), Value::Int(i64::MIN));
    is(i128::from(u64::MAX), Value::BigInt(u64::MAX));
    is(1_u128, ONE);
    is(u128::from(u64::MAX), Value::BigInt(u64::MAX));
    is(NonZeroU8::MIN, ONE);
    for too_big in [i128::from(i64::MIN) - 1, i128::from(u64::MAX) + 1, i128::MIN, i128::MAX] {
        assert_eq!(pack(&too_big, DEPTH, &mut Vec::new()), Err(ValueError::TooBig));
    }
    assert_eq!(pack(&u128::MAX, DEPTH, &mut Vec::new()), Err(ValueError::TooBig));
}

#[test]
fn floats() {
    is(1.5_f64, Value::Float(1.5));
    is(1.5_f32, Value::Float(1.5));
    // A whole number is taken for a float, never the reverse.
    assert_eq!(unpack::<f64>(&packed(&7), DEPTH), Ok(7.0));
    assert_eq!(unpack::<f32>(&packed(&-7), DEPTH), Ok(-7.0));
    assert_eq!(unpack::<f64>(&packed(&u64::MAX), DEPTH), Ok(u64::MAX as f64));
    let says = "invalid type: floating point `1.0`, expected i64";
    assert_eq!(unpack::<i64>(&packed(&1.0), DEPTH), Err(ValueError::Unfit(says.into())));
}

#[test]
fn texts_and_bytes() {
    is('🦀', Value::from("🦀"));
    is("grüße".to_owned(), Value::from("grüße"));
    is(Box::<str>::from("x"), Value::from("x"));
    is(ByteBuf::from([0, 255]), Value::Bytes(vec![0, 255]));
    assert_eq!(packed(&Bytes::new(b"x")), b"y\0\0\0\x01x");

    let bytes = packed(&ByteBuf::from([1, 2, 255]));
    assert_eq!(unpack::<Vec<u8>>(&bytes, DEPTH), Ok(vec![1, 2, 255]));
    assert_eq!(unpack::<Box<[u8]>>(&bytes, DEPTH), Ok(Box::from([1, 2, 255])));
    assert_eq!(unpack::<Vec<i64>>(&bytes, DEPTH), Ok(vec![1, 2, 255]));
    assert_eq!(unpack::<Option<Vec<u8>>>(&bytes, DEPTH), Ok(Some(vec![1, 2, 255])));
    let two = packed(&[Bytes::new(b"x"), Bytes::new(b"y")]);
    assert_eq!(unpack::<Vec<Vec<u8>>>(&two, DEPTH), Ok(vec![vec![b'x'], vec![b'y']]));
    assert!(unpack::<Vec<String>>(&bytes, DEPTH).is_err());
    // A `Vec<u8>` does not know that it is bytes, and neither kind is a text.
    is(vec![1_u8, 2], list([ONE, Value::Int(2)]));
    assert_eq!(unpack::<ByteBuf>(&packed(&[1, 2]), DEPTH), Ok(ByteBuf::from([1, 2])));
    assert!(unpack::<String>(&bytes, DEPTH).is_err());
    assert!(unpack::<char>(&packed("two"), DEPTH).is_err());

    // Nothing is copied that need not be.
    let (text, bytes) = (packed("lent"), packed(Bytes::new(b"lent")));
    assert_eq!(unpack::<&str>(&text, DEPTH), Ok("lent"));
    assert_eq!(unpack::<&[u8]>(&bytes, DEPTH), Ok(&b"lent"[..]));
}

#[test]
fn options_and_units() {
    is(None::<i64>, Value::Null);
    is(Some(1), ONE);
    is((), Value::Null);
    is(Unit, Value::Null);
    is(Some("x".to_owned()), Value::from("x"));
    is(vec![None, Some(1)], list([Value::Null, ONE]));
    // What JSON cannot tell apart either.
    assert_eq!(unpack::<Option<Option<i64>>>(&packed(&Some(None::<i64>)), DEPTH), Ok(None));
}

#[test]
fn tuples_and_sequences() {
    is((1, "x".to_owned()), list([ONE, Value::from("x")]));
    is([1, 1, 1], list([ONE, ONE, ONE]));
    is(Vec::<i64>::new(), list([]));
    is(vec![vec![1], vec![]], list([list([ONE]), list([])]));
    is(Wrapped(1), ONE);
    is(Pair(true, 'x'), list([Value::Bool(true), Value::from("x")]));

    let three = packed(&(1, 2, 3));
    assert!(unpack::<(i64, i64, i64, i64)>(&three, DEPTH).is_err(), "too few");
    let too_many = unpack::<(i64, i64)>(&three, DEPTH);
    assert_eq!(too_many, Err(ValueError::Unfit("1 more values than expected".into())));
    let inside = packed(&((1, 2, 3), 4));
    assert!(unpack::<((i64, i64), i64)>(&inside, DEPTH).is_err());
}

#[test]
fn structs() {
    let rust = Everything {
        integer: -1,
        text: "x".into(),
        maybe: None,
        unit: Unit,
        pair: Pair(false, 'y'),
        shapes: vec![Shape::Point],
    };
    let wire = [
        ("integer", Value::Int(-1)),
        ("type", Value::from("x")),
        ("maybe", Value::Null),
        ("unit", Value::Null),
        ("pair", list([Value::Bool(false), Value::from("y")])),
        ("shapes", list([Value::from("Point")])),
    ];
    is(Empty {}, map([]));

    // Old and new peers: the order is free, an option may be missing, a stranger is passed over.
    let [integer, text, _, unit, pair, shapes] = wire.clone();
    let stranger = ("stranger", list([map([("deep", list([ONE]))])]));
    let other = map([shapes, stranger, pair, integer, unit, text]);
    assert_eq!(unpack::<Everything>(&packed(&other), DEPTH).as_ref(), Ok(&rust));
    is(rust, map(wire));

    let missing = unpack::<Pairs>(&packed(&map([("a", ONE)])), DEPTH);
    assert_eq!(missing, Err(ValueError::Unfit("missing field `b`".into())));
    let twice = unpack::<Pairs>(&packed(&map([("a", ONE), ("a", ONE)])), DEPTH);
    assert_eq!(twice, Err(ValueError::Unfit("duplicate field `a`".into())));
    assert_eq!(unpack(&packed(&[1, 2]), DEPTH), Ok(Pairs { a: 1, b: 2 }), "by position");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pairs {
    a: i64,
    b: i64,
}

#[test]
fn enums() {
    is(Shape::Point, Value::from("Point"));
    is(Shape::Circle(1), map([("Circle", ONE)]));
    is(Shape::Line(1, 1), map([("Line", list([ONE, ONE]))]));
    is(square(), map([("Square", map([("side", ONE), ("at", Value::Null)]))]));
    is(
        Shape::Nested(Box::new(Shape::Nested(Box::new(Shape::Point)))),
        map([("Nested", map([("Nested", Value::from("Point"))]))]),
    );
    is(
        Shape::Two((), Box::new(square())),
        map([("Two", list([Value::Null, packed_value(&square())]))]),
    );
    is(Ok::<i64, String>(1), map([("Ok", ONE)]));
    is(vec![Some(Shape::Point), None], list([Value::from("Point"), Value::Null]));

    for unfit in [
        Value::from("Triangle"),
        Value::from("Circle"),
        map([("Triangle", ONE)]),
        map([("Circle", Value::from("round"))]),
        map([("Line", list([ONE]))]),
        map([("Line", list([ONE, ONE, ONE]))]),
        map([("Circle", ONE), ("Point", Value::Null)]),
        map([]),
        list([Value::from("Point")]),
        Value::Null,
        ONE,
    ] {
        let refused = unpack::<Shape>(&packed(&unfit), DEPTH);
        assert!(matches!(refused, Err(ValueError::Unfit(_))), "{unfit}: {refused:?}");
    }
}

fn packed_value(rust: &impl Serialize) -> Value {
    unpack(&packed(rust), DEPTH).unwrap()
}

#[test]
fn maps() {
    is(BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 1)]), map([("a", ONE), ("b", ONE)]));
    is(BTreeMap::from([(-1, 1), (2, 1)]), map([("-1", ONE), ("2", ONE)]));
    is(BTreeMap::from([(u64::MAX, 1)]), map([("18446744073709551615", ONE)]));
    is(BTreeMap::from([(i64::MIN, 1)]), map([("-9223372036854775808", ONE)]));
    is(BTreeMap::from([(255_u8, 1)]), map([("255", ONE)]));
    is(BTreeMap::from([(false, 1), (true, 1)]), map([("false", ONE), ("true", ONE)]));
    is(BTreeMap::from([('🦀', 1)]), map([("🦀", ONE)]));
    is(BTreeMap::from([(Wrapped(7), 1)]), map([("7", ONE)]));
    is(HashMap::from([(Key::North, 1)]), map([("North", ONE)]));

    for not_a_number in ["x", "", "1.5", "256", "-1"] {
        let refused = unpack::<BTreeMap<u8, i64>>(&packed(&map([(not_a_number, ONE)])), DEPTH);
        assert!(matches!(refused, Err(ValueError::Unfit(_))), "{not_a_number:?}: {refused:?}");
    }
    let no_text = |value: &dyn Fn(&mut Vec<u8>) -> Result<(), ValueError>| {
        assert_eq!(value(&mut Vec::new()), Err(ValueError::KeyNotText));
    };
    no_text(&|out| pack(&BTreeMap::from([((1, 2), 3)]), DEPTH, out));
    no_text(&|out| pack(&BTreeMap::from([(Some(1), 3)]), DEPTH, out));
    no_text(&|out| pack(&BTreeMap::from([((), 3)]), DEPTH, out));
    no_text(&|out| pack(&BTreeMap::from([(vec![1], 3)]), DEPTH, out));
}

#[derive(Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Key {
    North,
}

#[test]
fn a_value_of_another_type_is_named() {
    let says = |refused: Result<(), ValueError>, expected: &str| match refused {
        Err(ValueError::Unfit(why)) => assert!(why.contains(expected), "{why}"),
        other => panic!("{other:?}"),
    };
    says(unpack::<i64>(&packed("ten"), DEPTH).map(drop), "string \"ten\", expected i64");
    says(unpack::<u8>(&packed(&256), DEPTH).map(drop), "integer `256`, expected u8");
    says(unpack::<u64>(&packed(&-1), DEPTH).map(drop), "integer `-1`, expected u64");
    says(unpack::<i64>(&packed(&u64::MAX), DEPTH).map(drop), "expected i64");
    says(unpack::<String>(&packed(&1), DEPTH).map(drop), "integer `1`, expected a string");
    says(unpack::<bool>(&packed(&()), DEPTH).map(drop), "expected a boolean");
    says(unpack::<()>(&packed(&1), DEPTH), "expected unit");
    says(unpack::<Vec<i64>>(&packed(&map([])), DEPTH).map(drop), "map, expected a sequence");
}

/// A call's bytes, after something that was there before and must stay.
fn packed_call(
    native: Native,
    arguments: &impl Serialize,
    deadline: Option<Instant>,
) -> Result<Vec<u8>, String> {
    let mut request = Request { bytes: b"before".to_vec(), ..Request::default() };
    let call = Outgoing { id: Some(1), procedure: "p", arguments, deadline };
    let packed = native.pack(&call, &mut request);
    let mut out = request.bytes;
    assert!(out.starts_with(b"before"));
    assert!(packed.is_ok() || out == b"before", "nothing of a failure stays");
    packed.map(|()| out.split_off(6))
}

#[test]
fn arguments_are_a_list_or_a_map() {
    fn packs(arguments: impl Serialize) -> Result<Vec<u8>, String> {
        packed_call(Native::default(), &arguments, None).map(|mut call| call.split_off(18))
    }
    assert_eq!(packs(()), Ok(packed(&list([]))));
    assert_eq!(packs((1,)), Ok(packed(&list([ONE]))));
    assert_eq!(packs(vec!["x"]), Ok(packed(&["x"])));
    assert_eq!(packs(Pair(true, 'x')), Ok(packed(&(true, 'x'))));
    assert_eq!(packs(Empty {}), Ok(packed(&map([]))));
    assert_eq!(packs(Pairs { a: 1, b: 1 }), Ok(packed(&map([("a", ONE), ("b", ONE)]))));
    assert_eq!(packs(BTreeMap::from([("a", 1)])), Ok(packed(&map([("a", ONE)]))));
    for (refused, says) in [
        (packs(1), "not an integer"),
        (packs("x"), "not a text"),
        (packs(true), "not a boolean"),
        (packs(1.5), "not a float"),
        (packs(Bytes::new(b"x")), "not bytes"),
        (packs((u128::MAX,)), "does not fit into 64 bits"),
    ] {
        let why = refused.unwrap_err();
        assert!(why.contains(says), "{why}");
    }
}

#[test]
fn a_deadline_is_the_time_that_is_left() {
    let left = |deadline| {
        let call = packed_call(Native::default(), &(), Some(deadline)).unwrap();
        u32::from_be_bytes(*call[9..].first_chunk().unwrap())
    };
    let now = Instant::now();
    assert!((3_590_000..=3_600_000).contains(&left(now + Duration::from_secs(3_600))));
    assert_eq!(left(now), 1, "a deadline that has passed is not none");
    assert_eq!(left(now + Duration::from_secs(1 << 30)), u32::MAX);
}

#[test]
fn a_message_is_as_long_as_the_limit_and_no_longer() {
    let head = packed_call(Native::default(), &("",), None).unwrap().len() - 4;
    let native = Native { max_message: 100, ..Native::default() };
    let longest = packed_call(native, &("x".repeat(100 - head),), None).unwrap();
    assert_eq!(longest.len(), 104);
    let refused = packed_call(native, &("x".repeat(101 - head),), None).unwrap_err();
    assert_eq!(refused, "a message of 101 bytes is over the limit of 100");
    assert_eq!(native.finder(Side::Client).find(&longest), Ok(Some(0..104)));
    assert_eq!(
        FrameFinder::new(false, 99).find(&longest),
        Err(ProtocolError::TooLong { length: 100, limit: 99 })
    );
}

#[test]
fn frames() {
    let mut out = b"before".to_vec();
    let start = frame::begin(&mut out, b'R', 7);
    out.push(b'_');
    frame::end(&mut out, start, 6).unwrap();
    assert_eq!(out, b"before\0\0\0\x06R\0\0\0\x07_");
    assert_eq!(Frame::read(&out[6..]), Ok(Frame { kind: b'R', id: 7, body: b"_" }));
    assert_eq!(Frame::read(&out[6..14]), Err(ProtocolError::TooShort(8)));

    let start = frame::begin(&mut out, b'R', 8);
    out.extend([0; 10]);
    let refused = frame::end(&mut out, start, 14);
    assert_eq!(refused, Err(ProtocolError::TooLong { length: 15, limit: 14 }));
    assert_eq!(out.len(), 16, "nothing of it stays");
}

#[test]
fn a_finder_waits_for_the_whole_message() {
    let stream = [&frame::GREETING[..], &ping(1), &ping(2)].concat();
    let end = 4 + ping(1).len();
    let mut finder = Native::default().finder(Side::Server);
    for cut in 0..end {
        assert_eq!(finder.find(&stream[..cut]), Ok(None), "{cut}");
    }
    assert_eq!(finder.find(&stream), Ok(Some(4..end)));
    // The greeting has been; the same bytes would now be a length.
    assert_eq!(finder.find(&stream[end..]), Ok(Some(0..ping(2).len())));
    assert!(matches!(finder.find(&stream), Err(ProtocolError::TooLong { .. })));
}

#[test]
fn an_outcome_that_cannot_be_packed_leaves_nothing() {
    let deep = (0..70).fold(Value::Null, |value, _| Value::List(vec![value]));
    let mut out = Answer { bytes: b"before".to_vec(), ..Answer::default() };
    let check = |replied: Result<(), Fault>| {
        assert_eq!(replied.unwrap_err().code, Fault::INTERNAL);
    };
    let mut calls = Answering { answer: Ok(deep), called: None, check: &check };
    Native::default().answer(Message::new(&ping(1)), &mut calls, &mut out).unwrap();
    assert_eq!(out.bytes, b"before");
}
