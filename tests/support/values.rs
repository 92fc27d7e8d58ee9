//! Values of all shapes, there and back over any protocol, as bytes alone.

use std::collections::{BTreeMap, HashMap};

use ninestep::protocol::{
    Answer, Arrived, Call, Calls, Message, Outcome, Outgoing, Pack, Packed, Protocol, Request,
};
use ninestep::{Fault, Procedures, Value};
use proptest::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// What an enum can look like.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Shape {
    Empty,
    Circle(f64),
    Rectangle { width: u8, height: u16 },
    Pair(i8, String),
}

/// A struct with everything in it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Everything {
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
    n: [Option<u8>; 3],
    o: (),
}

fn shapes() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Empty),
        any::<i32>().prop_map(|x| Shape::Circle(f64::from(x) / 7.0)),
        any::<(u8, u16)>().prop_map(|(width, height)| Shape::Rectangle { width, height }),
        (any::<i8>(), "\\PC*").prop_map(|(a, b)| Shape::Pair(a, b)),
    ]
}

/// Structs with everything in them, and no control characters.
pub fn everything() -> impl Strategy<Value = Everything> {
    let letter = prop::char::range('\u{20}', '\u{d7ff}').prop_filter("XML", |it| *it != '\u{7f}');
    let plain = (any::<bool>(), any::<(i8, i16, i32, i64)>(), any::<(u8, u16, u32)>(), letter);
    let items = prop::collection::vec((any::<i32>(), prop::option::of("\\PC*")), 0..4);
    let texts = ("\\PC*", any::<Vec<u8>>(), items);
    let maps =
        prop::collection::hash_map(any::<i16>(), prop::collection::vec(shapes(), 0..3), 0..4);
    let more =
        prop::collection::vec(prop::collection::btree_map(any::<bool>(), "\\PC*", 0..3), 0..3);
    let leaf = (plain, texts, maps, more, shapes(), any::<[Option<u8>; 3]>(), any::<i32>())
        .prop_map(|((a, b, c, f), (g, h, j), k, l, m, n, x)| {
            let (d, e) = (x as f32, f64::from(x) / 3.0);
            Everything { a, b, c, d, e, f, g, h, i: None, j, k, l, m, n, o: () }
        });
    leaf.prop_recursive(3, 8, 1, |inner| {
        (inner.clone(), inner)
            .prop_map(|(outer, inner)| Everything { i: Some(Box::new(inner)), ..outer })
    })
}

/// Values of any type; their texts are of any characters.
pub fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("equal to itself", |it| !it.is_nan()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "\\PC*".prop_map(Value::from),
        "[a-c𝄞\"]{0,3}".prop_map(Value::from),
        any::<Vec<u8>>().prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let items = prop::collection::vec(inner, 0..4);
        prop_oneof![
            items.clone().prop_map(Value::List),
            items.prop_map(|items| {
                let named = |(n, it): (usize, Value)| (format!("n{n}"), it);
                Value::Map(items.into_iter().enumerate().map(named).collect())
            }),
        ]
    })
}

/// A packed call of `x`.
pub fn packed(protocol: &dyn Protocol, arguments: impl Serialize) -> Result<String, String> {
    let mut request = Request::default();
    let call = Outgoing { id: Some(1), procedure: "x", arguments: &arguments, deadline: None };
    protocol.pack(&call, &mut request)?;
    Ok(String::from_utf8(request.bytes)
        .unwrap_or_else(|no| no.into_bytes().escape_ascii().to_string()))
}

/// Answers every call with one value, or with its own arguments.
pub struct Answering<'a>(pub Option<&'a dyn Pack>, pub Procedures);

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
        &self.1
    }
}

/// What a client unpacks from this message.
pub fn unpacked<T: DeserializeOwned>(protocol: &dyn Protocol, bytes: &[u8]) -> Result<T, String> {
    let mut came = Err("nothing came".to_owned());
    let mut deliver = |arrived: Arrived<'_, '_>| match arrived {
        Arrived::Outcome { outcome, .. } => {
            came = outcome.map_err(|fault| fault.to_string()).and_then(Packed::unpack);
        }
        _ => panic!("another outcome"),
    };
    protocol.unpack(Message::new(bytes), &mut deliver).map_err(|why| why.to_string())?;
    came
}

/// What a server answers to this message when the result is this.
pub fn answered(protocol: &dyn Protocol, bytes: &[u8], value: Option<&dyn Pack>) -> Vec<u8> {
    let mut answer = Answer::default();
    let mut calls = Answering(value, Procedures::new());
    protocol.answer(Message::new(bytes), &mut calls, &mut answer).expect("it can be answered");
    answer.bytes
}

/// What a client unpacks from the reply that has this result.
pub fn there_and_back<T: DeserializeOwned>(
    protocol: &dyn Protocol,
    value: &impl Serialize,
) -> Result<T, String> {
    let mut request = Request::default();
    let call = Outgoing { id: Some(7), procedure: "x", arguments: &(), deadline: None };
    protocol.pack(&call, &mut request)?;
    unpacked(protocol, &answered(protocol, &request.bytes, Some(value)))
}

/// What a server gets of arguments, and sends back.
pub fn echoed(protocol: &dyn Protocol, arguments: &impl Serialize) -> Result<Value, String> {
    let mut request = Request::default();
    let call = Outgoing { id: Some(7), procedure: "x", arguments, deadline: None };
    protocol.pack(&call, &mut request)?;
    unpacked(protocol, &answered(protocol, &request.bytes, None))
}

/// Takes bytes as calls and as replies.
pub fn read_everything(protocol: &dyn Protocol, bytes: &[u8]) {
    answered(protocol, bytes, None);
    let _ = unpacked::<Value>(protocol, bytes);
    let _ = unpacked::<Everything>(protocol, bytes);
}
