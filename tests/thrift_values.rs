//! What becomes of Rust's values on Thrift's wire, with a Thrift file and without.
#![cfg(feature = "thrift")]

use std::collections::{BTreeMap, HashMap};

use ninestep::protocol::thrift::{Idl, Thrift};
use ninestep::protocol::{
    Answer, Arrived, Call, Calls, Finder, Framing, Message, Outcome, Outgoing, Packed, Protocol,
    Request, Side,
};
use ninestep::{Fault, Procedures, Value};
use proptest::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A call of `x`, without its header.
fn packed(thrift: &Thrift, arguments: impl Serialize) -> Result<String, String> {
    let mut request = Request::default();
    let call = Outgoing { id: Some(1), procedure: "x", arguments: &arguments, deadline: None };
    thrift.pack(&call, &mut request)?;
    Ok(request.bytes[13..].escape_ascii().to_string())
}

#[track_caller]
fn looks(arguments: impl Serialize, bytes: &[u8]) {
    let packed = packed(&Thrift::default(), arguments).unwrap();
    assert_eq!(packed, bytes.escape_ascii().to_string());
}

#[track_caller]
fn refused(arguments: impl Serialize, why: &str) {
    let error = packed(&Thrift::default(), arguments).unwrap_err();
    assert!(error.contains(why), "{error}");
}

fn declaring(text: &str) -> Thrift {
    Thrift { idl: Idl::parse(text).unwrap(), ..Thrift::default() }
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Shape {
    Empty,
    Circle(f64),
    Rectangle { width: u8, height: u16 },
    Pair(i8, String),
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Everything {
    a: bool,
    b: (i8, i16, i32, i64),
    c: (u8, u16, u32),
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
    /// A field that is left out, as nothing is, has no value for serde unless there is a default.
    #[serde(default)]
    o: (),
}

#[test]
fn the_rust_type_chooses_the_kind() {
    looks((), b"\0");
    looks(
        (true, 1_i8, 2_i16, 3_i32),
        b"\x02\0\x01\x01\x03\0\x02\x01\x06\0\x03\0\x02\x08\0\x04\0\0\0\x03\0",
    );
    looks(
        (1_u8, 2_u16, 3_u32),
        b"\x06\0\x01\0\x01\x08\0\x02\0\0\0\x02\x0a\0\x03\0\0\0\0\0\0\0\x03\0",
    );
    looks((0.5_f32, 'x'), b"\x04\0\x01?\xe0\0\0\0\0\0\0\x0b\0\x02\0\0\0\x01x\0");
    looks((serde_bytes::Bytes::new(b"\xff"),), b"\x0b\0\x01\0\0\0\x01\xff\0");
    // What is left out keeps its number.
    looks((None::<i8>, 1_i8), b"\x03\0\x02\x01\0");
    looks(
        (vec![1_i8, 2], Vec::<i64>::new()),
        b"\x0f\0\x01\x03\0\0\0\x02\x01\x02\x0f\0\x02\x0b\0\0\0\0\0",
    );
    looks((BTreeMap::from([(1_i16, "a")]),), b"\x0d\0\x01\x06\x0b\0\0\0\x01\0\x01\0\0\0\x01a\0");
    looks(((1_i8, "a"),), b"\x0c\0\x01\x03\0\x01\x01\x0b\0\x02\0\0\0\x01a\0\0");
    looks((Shape::Empty,), b"\x08\0\x01\0\0\0\0\0");
    looks(
        (Shape::Rectangle { width: 1, height: 2 },),
        b"\x0c\0\x01\x0c\0\x03\x06\0\x01\0\x01\x08\0\x02\0\0\0\x02\0\0\0",
    );
    // Arguments may be a list, or a struct.
    looks(vec![1_i8, 2], b"\x03\0\x01\x01\x03\0\x02\x02\0");
    #[derive(Serialize)]
    struct Named {
        #[serde(skip_serializing_if = "Option::is_none")]
        a: Option<i8>,
        b: i8,
    }
    looks(Named { a: None, b: 1 }, b"\x03\0\x02\x01\0");
}

#[test]
fn what_has_no_form_is_refused() {
    refused((u64::MAX,), "18446744073709551615 does not fit into an i64");
    refused((BTreeMap::from([(u64::MAX, 1)]),), "does not fit into an i64");
    refused((vec![Some(1), None],), "cannot hold nothing");
    refused((BTreeMap::from([("a", ())]),), "cannot hold nothing");
    refused(
        (vec![Value::Int(1), Value::Float(0.5)],),
        "values of one kind, not an i64 and a double",
    );
    refused((vec![Shape::Empty, Shape::Circle(1.0)],), "not an i32 and a struct");
    refused((BTreeMap::from([((1, 2), 1)]),), "key is not a text");
    refused(7, "arguments are a tuple");
    refused("text", "arguments are a tuple");
    refused(BTreeMap::from([("a", 1)]), "arguments by name need a Thrift file");
    refused(vec![1_i8; 32768], "over 32767 fields");
    let mut deep = Value::List(Vec::new());
    for _ in 0..64 {
        deep = Value::List(vec![deep]);
    }
    refused((deep,), "nest deeper");
    let small = Thrift { max_message: 100, ..Thrift::default() };
    let error = packed(&small, ("x".repeat(100),)).unwrap_err();
    assert_eq!(error, "a message of 121 bytes is over the limit of 100");
}

#[test]
fn a_file_chooses_the_kind() {
    let thrift = declaring(
        "enum Color { RED = 3 }  union Either { 5: i32 left, 6: string right }
         struct Node { 2: i16 value, 1: optional Node next }
         service S { void x(7: i8 a, 2: double b, 3: Color c, 4: list<i16> d, 5: set<Color> e,
            6: map<Color, i32> f, 8: Node g, 9: Either h, 10: uuid i, 11: binary j) }",
    );
    let one = |at: usize, value: Value| {
        let mut arguments = vec![Value::Null; 10];
        arguments[at] = value;
        packed(&thrift, arguments)
    };
    let map = |name: &str, value: Value| Value::Map(vec![(name.to_owned(), value)]);
    let list = |value: Value| Value::List(vec![value]);
    for (at, value, bytes) in [
        (0, Value::Int(1), &b"\x03\0\x07\x01\0"[..]),
        (1, Value::Int(1), b"\x04\0\x02?\xf0\0\0\0\0\0\0\0"),
        (2, Value::from("RED"), b"\x08\0\x03\0\0\0\x03\0"),
        (2, Value::Int(9), b"\x08\0\x03\0\0\0\x09\0"),
        (3, list(Value::Int(1)), b"\x0f\0\x04\x06\0\0\0\x01\0\x01\0"),
        (3, Value::List(Vec::new()), b"\x0f\0\x04\x06\0\0\0\0\0"),
        (4, list(Value::from("RED")), b"\x0e\0\x05\x08\0\0\0\x01\0\0\0\x03\0"),
        (5, map("RED", Value::Int(1)), b"\x0d\0\x06\x08\x08\0\0\0\x01\0\0\0\x03\0\0\0\x01\0"),
        (
            6,
            map("next", map("value", Value::Int(1))),
            b"\x0c\0\x08\x0c\0\x01\x06\0\x02\0\x01\0\0\0",
        ),
        (6, list(Value::Int(1)), b"\x0c\0\x08\x06\0\x02\0\x01\0\0"),
        (7, map("right", Value::from("r")), b"\x0c\0\x09\x0b\0\x06\0\0\0\x01r\0\0"),
        (
            8,
            Value::Bytes(vec![7; 16]),
            b"\x10\0\x0a\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\0",
        ),
        (9, Value::from("b"), b"\x0b\0\x0b\0\0\0\x01b\0"),
    ] {
        assert_eq!(one(at, value.clone()).unwrap(), bytes.escape_ascii().to_string(), "{value}");
    }
    for (at, value, why) in [
        (0, Value::Int(128), "128 does not fit into a byte"),
        (0, Value::Int(-129), "-129 does not fit into a byte"),
        (0, Value::Float(1.0), "the Thrift file has a byte here, and the value is a float"),
        (2, Value::from("BLUE"), "the Thrift enum Color has no value \"BLUE\""),
        (3, list(Value::Int(40_000)), "40000 does not fit into an i16"),
        (3, Value::from("x"), "has a list here, and the value is a text"),
        (5, map("BLUE", Value::Int(1)), "has no value \"BLUE\""),
        (6, map("nope", Value::Int(1)), "has no field \"nope\" here"),
        (6, Value::List(vec![Value::Null; 3]), "has 2 fields here, and no more"),
        (8, Value::Bytes(vec![7; 15]), "has a uuid here, and the value is bytes"),
        (9, Value::Bool(true), "has a string here, and the value is a boolean"),
    ] {
        let error = one(at, value.clone()).unwrap_err();
        assert!(error.contains(why), "{value}: {error}");
    }
    assert!(packed(&thrift, vec![Value::Null; 11]).unwrap_err().contains("has 10 fields here"));
}

/// Answers every call with one value, or with its own arguments.
struct Answering<'a>(Option<&'a dyn ninestep::protocol::Pack>);

impl Calls for Answering<'_> {
    fn call(
        &mut self,
        call: Call<'_, '_>,
        reply: &mut dyn FnMut(Outcome<'_>) -> Result<(), Fault>,
    ) {
        let answered = match (self.0, call.arguments.unpack::<Value>()) {
            (Some(value), Ok(_)) => reply(Ok(value)),
            (None, Ok(arguments)) => reply(Ok(&arguments)),
            (_, Err(why)) => reply(Err(Fault::new(Fault::WRONG_ARGUMENTS, why))),
        };
        if let Err(fault) = answered {
            reply(Err(fault)).expect("a fault can be packed");
        }
    }

    fn procedures(&self) -> &Procedures {
        unreachable!("Thrift lists nothing")
    }
}

/// What a client unpacks from the reply that has this result.
fn there_and_back<T: DeserializeOwned>(
    thrift: &Thrift,
    value: &impl Serialize,
) -> Result<T, String> {
    let (mut request, mut answer) = (Request::default(), Answer::default());
    let call = Outgoing { id: Some(7), procedure: "x", arguments: &(), deadline: None };
    thrift.pack(&call, &mut request).unwrap();
    let message = Message::new(&request.bytes);
    thrift.answer(message, &mut Answering(Some(value)), &mut answer).unwrap();
    let found = thrift.finder(Side::Client).find(&answer.bytes).unwrap();
    assert_eq!(found, Some(0..answer.bytes.len()));
    let mut came = Err("nothing came".to_owned());
    let mut deliver = |arrived: Arrived<'_, '_>| match arrived {
        Arrived::Outcome { id: 7, outcome } => {
            came = outcome.map_err(|fault| fault.message).and_then(Packed::unpack);
        }
        _ => panic!("another outcome"),
    };
    thrift.unpack(Message::new(&answer.bytes), &mut deliver).unwrap();
    came
}

#[test]
fn a_struct_s_field_may_have_two_names_and_an_enum_no_place() {
    let thrift = Thrift::default();
    #[derive(Deserialize, Debug)]
    enum Two {
        Only,
    }
    let error = there_and_back::<Two>(&thrift, &1_i32).unwrap_err();
    assert!(error.contains("expected variant index 0 <= i < 1"), "{error}");
    let error = there_and_back::<Two>(&thrift, &-1_i32).unwrap_err();
    assert!(error.contains("expected an enum"), "{error}");
    let error = there_and_back::<(i64, i64)>(&thrift, &(1, 2, 3)).map(drop);
    assert_eq!(error, Ok(()), "a third field is unknown, and passed over");
    let error = there_and_back::<[i64; 3]>(&thrift, &vec![1; 4]).unwrap_err();
    assert_eq!(error, "more values than expected");
    let error = there_and_back::<(i64, i64, i64)>(&thrift, &(1, 2)).unwrap_err();
    assert!(error.contains("invalid type: unit value"), "{error}");
    assert_eq!(there_and_back::<Vec<i64>>(&thrift, &(1, 2)).unwrap(), [1, 2]);
    let error = there_and_back::<Vec<i64>>(&thrift, &(1, None::<i8>, 2)).unwrap_err();
    assert_eq!(error, "field 2 is missing");
    let value = there_and_back::<Value>(&thrift, &(1, None::<i8>, "x")).unwrap();
    assert_eq!(value.to_string(), r#"{"1": 1, "3": "x"}"#);
    let error = there_and_back::<String>(&thrift, &serde_bytes::Bytes::new(b"\xff")).unwrap_err();
    assert_eq!(error, "a text is not UTF-8");
    assert_eq!(there_and_back::<f64>(&thrift, &3).unwrap(), 3.0);
    assert!(there_and_back::<i64>(&thrift, &3.0).unwrap_err().contains("floating point"));
    assert_eq!(there_and_back::<Option<Option<i8>>>(&thrift, &None::<i8>).unwrap(), None);
}

#[test]
fn only_what_nests_counts_as_deep() {
    let thrift = Thrift::default();
    let pair = Shape::Pair(1, "x".to_owned());
    let shapes = [Shape::Circle(0.5), Shape::Rectangle { width: 1, height: 2 }, pair];
    for shape in shapes {
        let many = vec![shape; 100];
        assert_eq!(there_and_back::<Vec<Shape>>(&thrift, &many).unwrap(), many);
    }
    let many = vec![BTreeMap::from([(1, vec![2])]); 100];
    assert_eq!(there_and_back::<Vec<BTreeMap<i8, Vec<i32>>>>(&thrift, &many).unwrap(), many);
}

/// What a client unpacks from a reply whose result is these bytes.
fn unpacked<T: DeserializeOwned>(result: &[u8]) -> Result<T, String> {
    let reply = [b"\x80\x01\0\x02\0\0\0\x01x\0\0\0\x07", result, b"\0"].concat();
    let mut came = Err("nothing came".to_owned());
    let delivered = Thrift::default().unpack(Message::new(&reply), &mut |arrived| {
        if let Arrived::Outcome { outcome: Ok(result), .. } = arrived {
            came = result.unpack();
        }
    });
    delivered.map_err(|error| error.to_string()).and(came)
}

#[test]
fn a_list_of_a_struct_s_fields_is_in_order() {
    let first_last = unpacked::<(i8, i8)>(b"\x0c\0\0\x03\0\x02\x07\x03\0\x01\x08\0");
    assert!(first_last.unwrap_err().contains("invalid type: unit value"));
    let swapped = b"\x0c\0\0\x03\0\x02\x07\x03\0\x01\x08\0";
    let late = unpacked::<(Option<i8>, i8)>(swapped);
    assert_eq!(late.unwrap_err(), "field 1 comes twice, or after a later one");
    let late = unpacked::<(i8, i8, i8)>(b"\x0c\0\0\x03\0\x01\x07\x03\0\x02\x08\x03\0\x01\x09\0");
    assert_eq!(late.unwrap_err(), "field 1 comes twice, or after a later one");
}

#[test]
fn items_without_a_kind_are_refused() {
    let list = unpacked::<Vec<Option<i8>>>(b"\x0f\0\0\0\0\xff\xff\xff");
    assert_eq!(list.unwrap_err(), "there is no tag 0x00");
    let map = unpacked::<HashMap<i8, Option<i8>>>(b"\x0d\0\0\x03\0\0\xff\xff\xff");
    assert_eq!(map.unwrap_err(), "there is no tag 0x00");
    assert_eq!(unpacked::<Vec<i8>>(b"\x0f\0\0\0\0\0\0\0"), Ok(Vec::new()));
}

fn shapes() -> impl Strategy<Value = Shape> {
    prop_oneof![
        any::<f64>()
            .prop_filter("NaN is not equal to itself", |x| !x.is_nan())
            .prop_map(Shape::Circle),
        any::<(u8, u16)>().prop_map(|(width, height)| Shape::Rectangle { width, height }),
        (any::<i8>(), ".*").prop_map(|(a, b)| Shape::Pair(a, b)),
    ]
}

fn everything() -> impl Strategy<Value = Everything> {
    let plain =
        (any::<bool>(), any::<(i8, i16, i32, i64)>(), any::<(u8, u16, u32)>(), any::<char>());
    let texts =
        (".*", any::<Vec<u8>>(), prop::collection::vec(any::<(i32, Option<String>)>(), 0..4));
    let maps =
        prop::collection::hash_map(any::<i16>(), prop::collection::vec(shapes(), 0..3), 0..4);
    let more = prop::collection::vec(prop::collection::btree_map(any::<bool>(), ".*", 0..3), 0..3);
    let last = prop_oneof![Just(Shape::Empty), shapes()];
    let leaf = (plain, texts, maps, more, last, any::<[Option<u8>; 3]>(), any::<i32>()).prop_map(
        |((a, b, c, f), (g, h, j), k, l, m, n, x)| {
            let (d, e) = (x as f32, f64::from(x) / 3.0);
            Everything { a, b, c, d, e, f, g, h, i: None, j, k, l, m, n, o: () }
        },
    );
    leaf.prop_recursive(3, 8, 1, |inner| {
        (inner.clone(), inner)
            .prop_map(|(outer, inner)| Everything { i: Some(Box::new(inner)), ..outer })
    })
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|x| Value::from(f64::from(x) / 7.0)),
        ".*".prop_map(Value::from),
        any::<Vec<u8>>().prop_map(|bytes| match String::from_utf8(bytes) {
            Ok(text) => Value::Text(text),
            Err(error) => Value::Bytes(error.into_bytes()),
        }),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        // Of one kind, as often as not.
        let same = (inner.clone(), 0..4_usize).prop_map(|(value, count)| vec![value; count]);
        let items = prop_oneof![same, prop::collection::vec(inner, 0..4)];
        prop_oneof![
            items.clone().prop_map(Value::List),
            items.prop_map(|items| {
                Value::Map(
                    items.into_iter().enumerate().map(|(n, it)| (n.to_string(), it)).collect(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_packed_comes_back(value in everything(), is_framed: bool) {
        let thrift = Thrift { framed: is_framed, ..Thrift::default() };
        prop_assert_eq!(there_and_back::<Everything>(&thrift, &value).unwrap(), value);
    }

    #[test]
    fn a_value_is_refused_or_comes_back(value in values()) {
        match there_and_back::<Value>(&Thrift::default(), &value) {
            Ok(came) => prop_assert_eq!(came, value),
            Err(why) => prop_assert!(why.starts_with("the result cannot be packed"), "{}", why),
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>, cut in 0..100_usize) {
        read_everything(&bytes, cut);
    }

    #[test]
    fn damaged_messages_are_read_without_a_panic(
        value in everything(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in 0..100_usize,
    ) {
        let mut request = Request::default();
        let call = Outgoing { id: Some(1), procedure: "x", arguments: &(value,), deadline: None };
        Thrift::default().pack(&call, &mut request).unwrap();
        for (at, byte) in damage {
            let at = at.index(request.bytes.len());
            request.bytes[at] = byte;
        }
        read_everything(&request.bytes, cut);
        request.bytes[3] = 2;
        read_everything(&request.bytes, cut);
    }
}

/// Takes bytes as calls and as replies, with every door open.
fn read_everything(bytes: &[u8], cut: usize) {
    let declared = declaring(
        "struct E { 1: bool a, 9: E i, 7: string g, 11: map<i16, list<E>> k }  enum C { A = 1 }
         service S { E x(1: E e, 3: set<C> c) throws (1: E e) }",
    );
    for thrift in [Thrift::default(), declared] {
        let mut finder = thrift.finder(Side::Server);
        let whole = thrift.finder(Side::Server).find(bytes);
        // Whatever came in two pieces is found as if it had come in one.
        match finder.find(&bytes[..cut.min(bytes.len())]) {
            Ok(None) => assert_eq!(finder.find(bytes), whole),
            Ok(found) => assert_eq!(Ok(found), whole),
            Err(_) => assert!(whole.is_err()),
        }
        let mut answer = Answer::default();
        let _ = thrift.answer(Message::new(bytes), &mut Answering(None), &mut answer);
        let _ = thrift.unpack(Message::new(bytes), &mut |arrived| {
            if let Arrived::Outcome { outcome: Ok(value), .. } = arrived {
                let _ = value.unpack::<Value>();
            }
        });
        let _ = thrift.unpack(Message::new(bytes), &mut |arrived| {
            if let Arrived::Outcome { outcome: Ok(value), .. } = arrived {
                let _ = value.unpack::<Everything>();
            }
        });
        let _ = ninestep::protocol::thrift::explain::Dump(bytes).to_string();
    }
}
