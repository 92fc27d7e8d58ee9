//! What becomes of Rust's values in Protocol Buffers, without a `.proto` file.
#![cfg(feature = "grpc")]

#[path = "grpc/bytes.rs"]
pub mod bytes;

use std::collections::{BTreeMap, HashMap};

use bytes::{answered, body, packed, result, there_and_back, unpacked};
use ninestep::Value;
use ninestep::protocol::grpc::{Grpc, explain};
use ninestep::protocol::http::HeaderMap;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

fn grpc() -> Grpc {
    Grpc::service("S")
}

#[track_caller]
fn looks(arguments: impl Serialize, bytes: &[u8]) {
    let packed = packed(&grpc(), arguments).unwrap();
    assert_eq!(packed.escape_ascii().to_string(), bytes.escape_ascii().to_string());
}

#[track_caller]
fn refused(arguments: impl Serialize, why: &str) {
    let error = packed(&grpc(), arguments).unwrap_err();
    assert!(error.contains(why), "{error}");
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Shape {
    Empty,
    Circle(f64),
    Rectangle { width: u8, height: u16 },
    Pair(i8, String),
}

#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Color {
    Red,
    Green,
    Blue,
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Everything {
    a: bool,
    b: (i8, i16, i32, i64),
    c: (u8, u16, u32, u64),
    d: f32,
    e: f64,
    f: char,
    g: String,
    #[serde(with = "serde_bytes")]
    h: Vec<u8>,
    i: Option<Box<Everything>>,
    j: Vec<(i32, Option<String>)>,
    k: HashMap<i16, Vec<Shape>>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    l: Vec<BTreeMap<bool, String>>,
    m: Shape,
    #[serde(alias = "other")]
    n: [Option<u8>; 3],
    o: (),
    p: Lists,
    q: Vec<Color>,
    r: HashMap<u64, HashMap<String, Option<Color>>>,
}

type Lists = (Vec<f32>, Vec<f64>, Vec<bool>, Vec<u64>, Vec<Vec<i64>>, Vec<String>);

#[test]
fn the_rust_type_chooses_the_wire_type() {
    looks((), b"");
    looks((1_i64, 2_u8), b"\x08\x01\x10\x02");
    looks((150,), b"\x08\x96\x01");
    looks((-1,), b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    looks((i64::MIN,), b"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01");
    looks((u64::MAX,), b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    looks((true, false), b"\x08\x01\x10\0");
    looks((0.5_f64, 0.5_f32), b"\x09\0\0\0\0\0\0\xe0?\x15\0\0\0?");
    looks(("testing", 'x'), b"\x0a\x07testing\x12\x01x");
    looks((serde_bytes::Bytes::new(b"\xff"),), b"\x0a\x01\xff");
    // What is left out keeps its number, and what is there is written even if it is 0.
    looks((None::<i8>, Some(0)), b"\x10\0");
    looks((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), &{
        let low: Vec<u8> = (0..15).flat_map(|n| [(n + 1) << 3, n]).collect();
        [&low[..], b"\x80\x01\x0f"].concat()
    });
    // The examples of protobuf's own documentation: a nested message, packed numbers.
    looks((None::<i8>, None::<i8>, (150,)), b"\x1a\x03\x08\x96\x01");
    looks(
        (0, 0, 0, 0, 0, [3, 270, 86942].to_vec()),
        b"\x08\0\x10\0\x18\0\x20\0\x28\0\x32\x06\x03\x8e\x02\x9e\xa7\x05",
    );
    looks((vec![0.5_f32, 0.25], Vec::<i64>::new()), b"\x0a\x08\0\0\0?\0\0\x80>");
    looks((vec!["a", "", "b"],), b"\x0a\x01a\x0a\0\x0a\x01b");
    looks((vec![(1, "a")],), b"\x0a\x05\x08\x01\x12\x01a");
    looks(
        (BTreeMap::from([("a", 1), ("b", 2)]),),
        b"\x0a\x05\x0a\x01a\x10\x01\x0a\x05\x0a\x01b\x10\x02",
    );
    looks(
        (BTreeMap::from([(-1_i8, None::<i8>)]),),
        b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    );
    looks((BTreeMap::from([(true, vec!["x", "y"])]),), b"\x0a\x08\x08\x01\x12\x01x\x12\x01y");
    looks((vec![vec![1, 2], Vec::new()],), b"\x0a\x04\x0a\x02\x01\x02\x0a\0");
    looks((Color::Green,), b"\x08\x01");
    looks((vec![Color::Red, Color::Blue],), b"\x0a\x02\0\x02");
    looks((Shape::Rectangle { width: 1, height: 2 },), b"\x0a\x06\x1a\x04\x08\x01\x10\x02");
    // A length of two bytes, and of three.
    let long = "x".repeat(200);
    looks(((&long,),), &[b"\x0a\xcb\x01\x0a\xc8\x01", long.as_bytes()].concat());
    let long = "x".repeat(20_000);
    looks(((&long,),), &[b"\x0a\xa4\x9c\x01\x0a\xa0\x9c\x01", long.as_bytes()].concat());
    // Arguments may be a list, or a struct.
    looks(vec![1, 2], b"\x08\x01\x10\x02");
    #[derive(Serialize)]
    struct Named {
        #[serde(skip_serializing_if = "Option::is_none")]
        a: Option<i8>,
        b: i8,
    }
    looks(Named { a: None, b: 1 }, b"\x10\x01");
}

#[test]
fn a_result_is_a_message_or_its_field_1() {
    #[derive(Serialize)]
    struct Reply {
        message: &'static str,
        times: u8,
    }
    let looks = |value: &dyn ninestep::protocol::Pack, bytes: &[u8]| {
        let answer = answered(&grpc(), &body(b""), Some(value));
        assert_eq!(answer.bytes.escape_ascii().to_string(), body(bytes).escape_ascii().to_string());
    };
    looks(&15, b"\x08\x0f");
    looks(&(), b"");
    looks(&None::<i64>, b"");
    looks(&Reply { message: "hi", times: 2 }, b"\x0a\x02hi\x10\x02");
    looks(&(1, "x"), b"\x08\x01\x12\x01x");
    looks(&vec![1, 2], b"\x0a\x02\x01\x02");
    looks(&vec!["a", "b"], b"\x0a\x01a\x0a\x01b");
    looks(&BTreeMap::from([(1, 2)]), b"\x0a\x04\x08\x01\x10\x02");
    looks(&Color::Blue, b"\x08\x02");
    looks(&Shape::Circle(0.5), b"\x0a\x09\x11\0\0\0\0\0\0\xe0?");
}

#[test]
fn what_has_no_form_is_refused() {
    refused((vec![Some(1), None],), "cannot hold nothing");
    refused((vec![Value::Int(1), Value::Float(0.5)],), "of one type, not an integer and a double");
    refused((vec![Value::Int(1), Value::Bool(true)],), "not an integer and a boolean");
    refused((vec![Value::from("x"), Value::Bytes(vec![1])],), "not a text and bytes");
    refused((vec![Shape::Empty, Shape::Circle(1.0)],), "not an integer and a message");
    refused((BTreeMap::from([((1, 2), 1)]),), "key is not a text");
    refused((u128::MAX,), "an integer does not fit into 64 bits");
    refused(7, "arguments are a tuple");
    refused("text", "arguments are a tuple");
    refused(BTreeMap::from([("a", 1)]), "arguments by name need a .proto file");
    refused(vec![1_i8; 19_000], "over 18999 fields");
    let mut deep = Value::List(Vec::new());
    for _ in 0..64 {
        deep = Value::List(vec![deep]);
    }
    refused((deep,), "nest deeper");
    let error = packed(&grpc().max_message(100), ("x".repeat(100),)).unwrap_err();
    assert_eq!(error, "a message of 102 bytes is over the limit of 100");
}

#[test]
fn what_is_not_there_is_zero_empty_or_nothing() {
    let grpc = grpc();
    #[derive(Deserialize, Debug, PartialEq, Default)]
    struct Defaults {
        a: i64,
        b: f64,
        c: String,
        d: Option<i64>,
        e: Vec<i64>,
        f: HashMap<String, i64>,
        g: (bool, u8),
        h: Option<(bool, u8)>,
        #[serde(with = "serde_bytes")]
        i: Vec<u8>,
        j: (),
    }
    assert_eq!(result::<Defaults>(&grpc, b"").unwrap(), Defaults::default());
    assert_eq!(result::<i64>(&grpc, b"").unwrap(), 0);
    assert_eq!(result::<Option<i64>>(&grpc, b"").unwrap(), None);
    assert_eq!(result::<String>(&grpc, b"").unwrap(), "");
    assert!(result::<Vec<i64>>(&grpc, b"").unwrap().is_empty());
    assert_eq!(result::<Value>(&grpc, b"").unwrap(), Value::Null);
    assert_eq!(result::<Color>(&grpc, b"").unwrap(), Color::Red);
    result::<()>(&grpc, b"").unwrap();
    // A map's entry may lack its key as well as its value.
    assert_eq!(result::<HashMap<String, i64>>(&grpc, b"\x0a\0").unwrap()[""], 0);
    assert_eq!(result::<HashMap<u8, String>>(&grpc, b"\x0a\0").unwrap()[&0], "");
    assert!(!result::<HashMap<bool, bool>>(&grpc, b"\x0a\0").unwrap()[&false]);
    // A type that holds itself for certain ends somewhere.
    #[derive(Serialize, Deserialize, Debug)]
    struct Endless {
        again: Box<Endless>,
    }
    assert!(result::<Endless>(&grpc, b"").unwrap_err().contains("nest deeper"));
}

#[test]
fn fields_come_in_any_order_and_the_last_counts() {
    let grpc = grpc();
    assert_eq!(result::<(i64, i64)>(&grpc, b"\x10\x02\x08\x01").unwrap(), (1, 2));
    assert_eq!(result::<(i64, i64)>(&grpc, b"\x08\x07\x10\x02\x08\x01").unwrap(), (1, 2));
    assert_eq!(result::<i64>(&grpc, b"\x08\x07\x08\x01").unwrap(), 1);
    // Items of a list, packed and not, with another field between them.
    let mixed = b"\x08\x01\x10\x09\x0a\x02\x02\x03\x08\x04";
    assert_eq!(result::<(Vec<i64>, i64)>(&grpc, mixed).unwrap(), (vec![1, 2, 3, 4], 9));
    let map = b"\x0a\x04\x08\x01\x10\x02\x10\x09\x0a\x04\x10\x04\x08\x03";
    let (map, nine) = result::<(BTreeMap<i8, i8>, i8)>(&grpc, map).unwrap();
    assert_eq!((map, nine), (BTreeMap::from([(1, 2), (3, 4)]), 9));
}

#[test]
fn unknown_fields_and_groups_are_passed_over() {
    let unknown = b"\x98\x06\x01\x9a\x06\x03abc\x99\x06\0\0\0\0\0\0\0\0\x9d\x06\0\0\0\0\x9b\x06\x08\x01\x13\x18\x01\x14\x9c\x06";
    let message = [unknown, &b"\x08\x01"[..], unknown, b"\x10\x02", unknown].concat();
    assert_eq!(result::<(i64, i64)>(&grpc(), &message).unwrap(), (1, 2));
    // A group in the place of a field that is wanted is unknown too.
    assert_eq!(result::<i64>(&grpc(), b"\x0b\x08\x05\x0c").unwrap(), 0);
}

#[test]
fn a_value_takes_what_the_bytes_can_say() {
    let grpc = grpc();
    let shown = |message: &[u8]| result::<Value>(&grpc, message).unwrap().to_string();
    assert_eq!(shown(b"\x08\x0f"), "15");
    assert_eq!(shown(b"\x09\0\0\0\0\0\0\xe0?"), "0.5");
    assert_eq!(shown(b"\x0d\0\0\0?"), "0.5");
    assert_eq!(shown(b"\x0a\x02hi"), "\"hi\"");
    assert_eq!(shown(b"\x0a\x02\xff\0"), "<2 bytes>");
    assert_eq!(shown(b"\x0a\x01a\x0a\x01b"), "[\"a\", \"b\"]");
    assert_eq!(shown(b"\x08\x01\x1a\x01x"), r#"{"1": 1, "3": "x"}"#);
    // As arguments, in their places.
    let arguments = answered(&grpc, &body(b"\x08\x01\x1a\x01x"), None);
    let error = unpacked::<Value>(&grpc, &arguments.bytes, &arguments.trailers).unwrap_err();
    assert!(error.contains("cannot hold nothing"), "{error}");
}

#[test]
fn an_integer_becomes_any_type_that_it_fits() {
    let grpc = grpc();
    assert_eq!(result::<u8>(&grpc, b"\x08\xff\x01").unwrap(), 255);
    assert_eq!(result::<f64>(&grpc, b"\x08\x03").unwrap(), 3.0);
    assert!(result::<bool>(&grpc, b"\x08\x02").unwrap());
    assert_eq!(there_and_back::<u64>(&grpc, &u64::MAX).unwrap(), u64::MAX);
    assert_eq!(there_and_back::<i64>(&grpc, &i64::MIN).unwrap(), i64::MIN);
    assert_eq!(there_and_back::<f64>(&grpc, &0.1_f32).unwrap(), f64::from(0.1_f32));
    for (message, why) in [
        (&b"\x08\x80\x02"[..], "integer `256`, expected u8"),
        (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "18446744073709551615"),
        (b"\x09\0\0\0\0\0\0\xf0?", "floating point `1.0`, expected u8"),
        (b"\x0a\x01x", "expected u8"),
    ] {
        let error = result::<u8>(&grpc, message).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    assert!(result::<i8>(&grpc, b"\x08\x80\x01").unwrap_err().contains("`128`, expected i8"));
    assert!(result::<String>(&grpc, b"\x08\x01").unwrap_err().contains("expected a string"));
    assert_eq!(result::<String>(&grpc, b"\x0a\x01\xff").unwrap_err(), "a text is not UTF-8");
    assert!(result::<Color>(&grpc, b"\x08\x03").unwrap_err().contains("0 <= i < 3"));
    assert!(result::<Color>(&grpc, b"\x0a\0").unwrap_err().contains("one entry"));
}

#[test]
fn of_entries_with_one_key_the_last_counts() {
    let twice = b"\x0a\x04\x08\x01\x10\x02\x0a\x04\x08\x05\x10\x06\x0a\x04\x08\x01\x10\x03";
    let expected = HashMap::from([(1, 3), (5, 6)]);
    assert_eq!(result::<HashMap<i8, i8>>(&grpc(), twice).unwrap(), expected);
    // A key that is not there is 0, or empty.
    let zero = b"\x0a\x04\x08\0\x10\x02\x0a\x02\x10\x03";
    assert_eq!(result::<HashMap<i8, i8>>(&grpc(), zero).unwrap(), HashMap::from([(0, 3)]));
}

#[test]
fn what_is_packed_is_told_from_what_is_not_by_the_type() {
    let grpc = grpc();
    let colors = vec![Color::Blue, Color::Red];
    assert_eq!(there_and_back::<Vec<Color>>(&grpc, &colors).unwrap(), colors);
    assert_eq!(result::<Vec<Color>>(&grpc, b"\x08\x02\x08\0").unwrap(), colors);
    let shapes = vec![Shape::Circle(1.0), Shape::Pair(1, "x".to_owned())];
    assert_eq!(there_and_back::<Vec<Shape>>(&grpc, &shapes).unwrap(), shapes);
    let singles = vec![0.5_f32, -0.25];
    assert_eq!(there_and_back::<Vec<f32>>(&grpc, &singles).unwrap(), singles);
    assert_eq!(result::<Vec<f32>>(&grpc, b"\x0d\0\0\0?").unwrap(), [0.5]);
    assert_eq!(result::<Vec<String>>(&grpc, b"\x0a\0\x0a\x01a").unwrap(), ["", "a"]);
    let error = result::<Vec<f64>>(&grpc, b"\x0a\x07\0\0\0\0\0\0\0").unwrap_err();
    assert_eq!(error, "the bytes end inside a value");
}

#[test]
fn packed_numbers_may_be_none() {
    let grpc = grpc();
    assert!(result::<Vec<i64>>(&grpc, b"\x0a\0").unwrap().is_empty());
    assert!(result::<Vec<Option<f32>>>(&grpc, b"\x0a\0\x0a\0").unwrap().is_empty());
    assert_eq!(result::<Vec<bool>>(&grpc, b"\x0a\0\x0a\x02\x01\0\x0a\0").unwrap(), [true, false]);
    assert_eq!(result::<Vec<i64>>(&grpc, b"\x0a\0\x08\x07").unwrap(), [7]);
    // What comes behind the list is read all the same.
    let (none, seven) = result::<(Vec<u8>, i64)>(&grpc, b"\x0a\0\x10\x07").unwrap();
    assert_eq!((none, seven), (vec![], 7));
    let lists = result::<Vec<Vec<i64>>>(&grpc, b"\x0a\x02\x0a\0\x0a\x03\x0a\x01\x05").unwrap();
    assert_eq!(lists, [vec![], vec![5]]);
    assert!(result::<Vec<Shape>>(&grpc, b"\x0a\0").unwrap_err().contains("one entry"));
    assert!(result::<(i64, i64)>(&grpc, b"\x0a\0").is_err());
    // A type that takes no empty list says so itself.
    #[derive(Deserialize, Debug)]
    #[serde(try_from = "Vec<i64>")]
    struct AtLeastOne;
    impl TryFrom<Vec<i64>> for AtLeastOne {
        type Error = &'static str;

        fn try_from(numbers: Vec<i64>) -> Result<AtLeastOne, &'static str> {
            numbers.first().map(|_| AtLeastOne).ok_or("too few")
        }
    }
    assert_eq!(result::<Vec<AtLeastOne>>(&grpc, b"\x0a\x02\x0a\0").unwrap_err(), "too few");
}

fn shapes() -> impl Strategy<Value = Shape> {
    prop_oneof![
        any::<i32>().prop_map(|x| Shape::Circle(f64::from(x) / 7.0)),
        any::<(u8, u16)>().prop_map(|(width, height)| Shape::Rectangle { width, height }),
        (any::<i8>(), ".*").prop_map(|(a, b)| Shape::Pair(a, b)),
    ]
}

fn colors() -> impl Strategy<Value = Color> {
    prop_oneof![Just(Color::Red), Just(Color::Green), Just(Color::Blue)]
}

fn everything() -> impl Strategy<Value = Everything> {
    let plain = (
        any::<bool>(),
        any::<(i8, i16, i32, i64)>(),
        any::<(u8, u16, u32, u64)>(),
        any::<char>(),
        any::<i32>(),
    );
    let few = || 0..4_usize;
    let texts =
        (".*", any::<Vec<u8>>(), prop::collection::vec(any::<(i32, Option<String>)>(), few()));
    let maps =
        prop::collection::hash_map(any::<i16>(), prop::collection::vec(shapes(), few()), few());
    let more =
        prop::collection::vec(prop::collection::btree_map(any::<bool>(), ".*", few()), few());
    let last = prop_oneof![Just(Shape::Empty), shapes()];
    let floats = prop::collection::vec(any::<i16>().prop_map(f32::from), few());
    let lists = (
        floats.clone(),
        floats.prop_map(|it| it.into_iter().map(f64::from).collect::<Vec<f64>>()),
        any::<Vec<bool>>(),
        any::<Vec<u64>>(),
        prop::collection::vec(any::<Vec<i64>>(), few()),
        any::<Vec<String>>(),
    );
    let inner = prop::collection::hash_map(".*", prop::option::of(colors()), few());
    let nested = prop::collection::hash_map(any::<u64>(), inner, few());
    let rest = (any::<[Option<u8>; 3]>(), lists, prop::collection::vec(colors(), few()), nested);
    let leaf = (plain, texts, maps, more, last, rest).prop_map(
        |((a, b, c, f, x), (g, h, j), k, l, m, (n, p, q, r))| {
            let (d, e) = (x as f32, f64::from(x) / 3.0);
            Everything { a, b, c, d, e, f, g, h, i: None, j, k, l, m, n, o: (), p, q, r }
        },
    );
    leaf.prop_recursive(3, 8, 1, |inner| {
        (inner.clone(), inner)
            .prop_map(|(outer, inner)| Everything { i: Some(Box::new(inner)), ..outer })
    })
}

proptest! {
    #[test]
    fn what_is_packed_comes_back(value in everything()) {
        prop_assert_eq!(there_and_back::<Everything>(&grpc(), &value).unwrap(), value);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
        read_everything(&bytes);
        read_everything(&body(&bytes));
    }

    #[test]
    fn damaged_messages_are_read_without_a_panic(
        value in everything(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = body(&packed(&grpc(), value).unwrap());
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read_everything(&bytes);
    }
}

/// Takes bytes as calls and as results.
fn read_everything(bytes: &[u8]) {
    answered(&grpc(), bytes, None);
    let ended = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
    let _ = unpacked::<Value>(&grpc(), bytes, &ended);
    let _ = unpacked::<Everything>(&grpc(), bytes, &ended);
    let _ = explain::Dump(bytes).to_string();
}
