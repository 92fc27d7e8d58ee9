//! `.proto` files read at run time: numbers, names and types, both ways.
#![cfg(feature = "grpc-proto")]

#[path = "grpc/bytes.rs"]
pub mod bytes;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bytes::{answered, body, packed, result, there_and_back};
use ninestep::Value;
use ninestep::protocol::grpc::{Grpc, Proto};
use ninestep::protocol::{Outgoing, Protocol, Request};
use serde::{Deserialize, Serialize};

fn declaring(text: &str) -> Grpc {
    Grpc::with_proto(Proto::parse(&format!("syntax = \"proto3\"; {text}")).unwrap())
}

/// One of everything.
const ALL: &str = r#"
    service S { rpc X(All) returns (All); }
    message All {
        bool a = 20; int32 b = 1; int64 c = 2; uint32 d = 3; uint64 e = 4; sint32 f = 5;
        sint64 g = 6; fixed32 h = 7; fixed64 i = 8; sfixed32 j = 9; sfixed64 k = 10;
        float l = 11; double m = 12; string n = 13; bytes o = 14; Color p = 15; Point q = 16;
        repeated sint32 r = 17; repeated string s = 18; repeated Point t = 19;
        map<string, int32> u = 21; map<sint32, Point> v = 22; optional int32 w = 23;
        oneof choice { int32 left = 24; string right = 25; }
        repeated Color x = 26 [packed = false]; map<bool, Color> y = 27; repeated float z = 28;
    }
    enum Color { RED = 0; GREEN = 5; BLUE = -1; }
    message Point { int32 y = 2; int32 x = 1; optional Point next = 3; }"#;

fn map<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Map(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn list<const N: usize>(values: [Value; N]) -> Value {
    Value::List(values.into())
}

/// What a call with this one argument looks like, and what is read from a result that does.
#[track_caller]
fn field(name: &str, value: Value, message: &[u8]) {
    let grpc = declaring(ALL);
    let packed = packed(&grpc, map([(name, value.clone())])).unwrap();
    assert_eq!(packed.escape_ascii().to_string(), message.escape_ascii().to_string(), "{name}");
    assert_eq!(read(&grpc, message)[name], value, "{name}");
}

fn read(grpc: &Grpc, message: &[u8]) -> BTreeMap<String, Value> {
    result(grpc, message).unwrap()
}

#[test]
fn every_type_has_its_form() {
    let int = Value::Int;
    field("a", Value::from(true), b"\xa0\x01\x01");
    field("b", int(-1), b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    field("c", int(150), b"\x10\x96\x01");
    field("d", int(150), b"\x18\x96\x01");
    field("e", Value::from(u64::MAX), b"\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    field("f", int(-2), b"\x28\x03");
    field("g", int(i64::MIN), b"\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    field("h", int(1), b"\x3d\x01\0\0\0");
    field("i", int(1), b"\x41\x01\0\0\0\0\0\0\0");
    field("j", int(-1), b"\x4d\xff\xff\xff\xff");
    field("k", int(-1), b"\x51\xff\xff\xff\xff\xff\xff\xff\xff");
    field("l", Value::from(0.5), b"\x5d\0\0\0?");
    field("m", Value::from(0.5), b"\x61\0\0\0\0\0\0\xe0?");
    field("n", Value::from("hi"), b"\x6a\x02hi");
    field("o", Value::Bytes(b"hi".to_vec()), b"r\x02hi");
    field("p", Value::from("GREEN"), b"\x78\x05");
    field("p", Value::from("BLUE"), b"\x78\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    let point = map([("x", int(1)), ("y", int(2))]);
    field("q", point.clone(), b"\x82\x01\x04\x08\x01\x10\x02");
    field("r", list([int(1), int(-1)]), b"\x8a\x01\x02\x02\x01");
    field("s", list([Value::from("a"), Value::from("")]), b"\x92\x01\x01a\x92\x01\0");
    field("t", list([point.clone()]), b"\x9a\x01\x04\x08\x01\x10\x02");
    field("u", map([("k", int(3))]), b"\xaa\x01\x05\x0a\x01k\x10\x03");
    field("v", map([("-1", point)]), b"\xb2\x01\x08\x08\x01\x12\x04\x08\x01\x10\x02");
    field("w", int(0), b"\xb8\x01\0");
    field("left", int(7), b"\xc0\x01\x07");
    field("right", Value::from("r"), b"\xca\x01\x01r");
    field("x", list([Value::from("RED"), Value::from("GREEN")]), b"\xd2\x01\x02\0\x05");
    field("y", map([("true", Value::from("GREEN"))]), b"\xda\x01\x04\x08\x01\x10\x05");
    field("z", list([Value::from(0.5)]), b"\xe2\x01\x04\0\0\0?");
}

#[test]
fn a_value_that_does_not_fit_is_refused() {
    let grpc = declaring(ALL);
    let int = Value::Int;
    for (name, value, why) in [
        ("b", int(1 << 31), "2147483648 does not fit into int32"),
        ("d", int(-1), "-1 does not fit into uint32"),
        ("e", int(-1), "-1 does not fit into uint64"),
        ("c", Value::from(u64::MAX), "18446744073709551615 does not fit into int64"),
        ("f", int(1 << 31), "does not fit into sint32"),
        ("h", int(1 << 32), "does not fit into fixed32"),
        ("j", int(1 << 31), "does not fit into sfixed32"),
        ("k", Value::from(u64::MAX), "does not fit into sfixed64"),
        ("l", Value::from(1e300), "does not fit into float"),
        ("c", Value::from(1.5), "has int64 here, and the value is a float"),
        ("c", Value::from(true), "has int64 here, and the value is a boolean"),
        ("a", int(1), "has bool here, and the value is an integer"),
        ("n", int(1), "has string here, and the value is an integer"),
        ("n", Value::Bytes(vec![1]), "has string here, and the value is bytes"),
        ("p", Value::from("PINK"), "the enum Color has no value \"PINK\""),
        ("p", int(1 << 31), "does not fit into an enum"),
        ("q", int(1), "has a message here"),
        ("q", map([("z", int(1))]), "Point has no field \"z\""),
        ("q", list([int(1), int(2), Value::Null, int(4)]), "Point has 3 fields, and no more"),
        ("r", int(1), "has a repeated field here, and the value is an integer"),
        ("r", list([Value::Null]), "cannot hold nothing"),
        (
            "r",
            map([("a", int(1))]),
            "has a repeated field here, and the value is a struct or a map",
        ),
        ("u", list([int(1)]), "has a map here, and the value is a list"),
        ("v", map([("a", int(1))]), "the key a is not sint32"),
        ("y", map([("1", int(1))]), "has bool here, and the value is an integer"),
        ("nope", int(1), "All has no field \"nope\""),
    ] {
        let error = packed(&grpc, map([(name, value.clone())])).unwrap_err();
        assert!(error.contains(why), "{name}, {value}: {error}");
    }
    let both = map([("left", int(1)), ("right", Value::from("r"))]);
    let error = packed(&grpc, both).unwrap_err();
    assert_eq!(error, "right of All is not the only member of its oneof");
    // Nothing is no member.
    packed(&grpc, map([("left", int(1)), ("right", Value::Null)])).unwrap();
}

#[test]
fn what_comes_in_another_type_is_refused() {
    let grpc = declaring(ALL);
    for (message, why) in [
        (&b"\x0a\x01x"[..], "the .proto file has int32 here, and something else came"),
        (b"\x09\0\0\0\0\0\0\0\0", "has int32 here"),
        (b"\x68\x01", "has string here"),
        (b"\x80\x01\x01", "has a message here"),
        (b"\x6a\x01\xff", "a text is not UTF-8"),
        (b"\x8a\x01\x02\x80\x80", "the bytes end inside a value"),
        (b"\xaa\x01\x02\x08\x01", "has string here"),
        (b"\xa8\x01\x01", "a map's entry is a message"),
    ] {
        let error = result::<Value>(&grpc, message).unwrap_err();
        assert!(error.contains(why), "{}: {error}", message.escape_ascii());
    }
}

/// Whoever wrote it has a file with another type for that number.
#[test]
fn an_integer_beyond_32_bits_is_cut_off() {
    let grpc = declaring(ALL);
    for (name, message, value) in [
        ("b", &b"\x08\x80\x80\x80\x80\x08"[..], Value::Int(i32::MIN.into())),
        ("b", b"\x08\xff\xff\xff\xff\x0f", Value::Int(-1)),
        ("d", b"\x18\x85\x80\x80\x80\x10", Value::Int(5)),
        ("d", b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", Value::Int(u32::MAX.into())),
        ("f", b"\x28\x83\x80\x80\x80\x10", Value::Int(-2)),
        ("p", b"\x78\x85\x80\x80\x80\x10", Value::from("GREEN")),
        ("p", b"\x78\xff\xff\xff\xff\x0f", Value::from("BLUE")),
    ] {
        assert_eq!(read(&grpc, message)[name], value, "{}", message.escape_ascii());
    }
}

#[test]
fn a_message_is_read_with_its_defaults() {
    let all = read(&declaring(ALL), b"");
    // What cannot be told from a default value is that; the rest is not there.
    assert_eq!(all["b"], Value::Int(0));
    assert_eq!(all["n"], Value::from(""));
    assert_eq!(all["o"], Value::Bytes(Vec::new()));
    assert_eq!(all["p"], Value::from("RED"));
    assert_eq!(all["r"], list([]));
    assert_eq!(all["u"], map([]));
    for name in ["q", "w", "left", "right"] {
        assert!(!all.contains_key(name), "{name}");
    }
}

#[test]
fn structs_and_enums_are_read_by_name() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct All {
        // In another order than in the file, and not all of them.
        n: String,
        p: Color,
        q: Option<Point>,
        t: Vec<Point>,
        v: BTreeMap<i32, Point>,
        b: i32,
        w: Option<i32>,
        left: Option<i32>,
        right: Option<String>,
        l: f32,
        x: Vec<Color>,
        y: BTreeMap<bool, Color>,
    }
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Point {
        x: i32,
        y: i32,
    }
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    #[serde(rename_all = "UPPERCASE")]
    enum Color {
        Blue,
        Red,
        Green,
    }
    let grpc = declaring(ALL);
    let point = |x| Point { x, y: 2 };
    let all = All {
        n: "hi".to_owned(),
        p: Color::Green,
        q: Some(point(1)),
        t: vec![point(3), point(0)],
        v: BTreeMap::from([(-5, point(4))]),
        b: -7,
        w: Some(0),
        left: None,
        right: Some("r".to_owned()),
        l: 0.1,
        x: vec![Color::Blue, Color::Red],
        y: BTreeMap::from([(false, Color::Blue)]),
    };
    assert_eq!(there_and_back::<All>(&grpc, &all).unwrap(), all);
    // A number that the file does not name.
    assert!(result::<All>(&grpc, b"\x78\x63").unwrap_err().contains("variant index 0 <= i < 3"));
    assert_eq!(read(&grpc, b"\x78\x63")["p"], Value::Int(99));
}

#[test]
fn of_a_oneof_the_last_member_counts() {
    let grpc = declaring(ALL);
    let all = read(&grpc, b"\xc0\x01\x07\xca\x01\x01r");
    assert_eq!((all.get("left"), &all["right"]), (None, &Value::from("r")));
    let all = read(&grpc, b"\xca\x01\x01r\xc0\x01\x07");
    assert_eq!((&all["left"], all.get("right")), (&Value::Int(7), None));

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Either {
        Left(i32),
        Right(String),
    }
    let either = declaring(
        "service S { rpc X(E) returns (E); } message E { oneof e { int32 left = 3; string right = 4; } }",
    );
    assert_eq!(result::<Either>(&either, b"\x22\x01r\x18\x07").unwrap(), Either::Left(7));
    let right = Either::Right("r".to_owned());
    assert_eq!(answered(&either, &body(b""), Some(&right)).bytes, body(b"\x22\x01r"));
    assert_eq!(there_and_back::<Either>(&either, &right).unwrap(), right);
}

#[test]
fn of_entries_with_one_key_the_last_counts() {
    let entry = |key: &[u8], value| [b"\xaa\x01\x05\x0a\x01", key, b"\x10", &[value]].concat();
    let entries = [entry(b"k", 3), entry(b"l", 4), entry(b"k", 5)].concat();
    let expected = map([("k", Value::Int(5)), ("l", Value::Int(4))]);
    assert_eq!(read(&declaring(ALL), &entries)["u"], expected);
}

/// Other parsers merge the two; to take the last would lose what is in the first.
#[test]
fn a_message_that_comes_twice_is_refused() {
    let grpc = declaring(ALL);
    let twice = b"\x82\x01\x02\x08\x01\x82\x01\x02\x10\x02";
    let in_an_entry = b"\xb2\x01\x0a\x08\x01\x12\x02\x08\x01\x12\x02\x10\x02";
    for message in [&twice[..], in_an_entry] {
        let error = result::<Value>(&grpc, message).unwrap_err();
        assert!(error.contains("a message comes twice"), "{error}");
    }
    #[derive(Deserialize, Debug, PartialEq)]
    enum Either {
        #[serde(rename = "point")]
        Point { x: i32, y: i32 },
        #[serde(rename = "number")]
        Number(i32),
    }
    let either = declaring(
        "service S { rpc X(E) returns (E); } message P { int32 x = 1; int32 y = 2; }
         message E { oneof e { P point = 3; int32 number = 4; } }",
    );
    let once = result::<Either>(&either, b"\x20\x07\x1a\x02\x08\x01");
    assert_eq!(once.unwrap(), Either::Point { x: 1, y: 0 });
    assert_eq!(result::<Either>(&either, b"\x20\x07\x20\x08").unwrap(), Either::Number(8));
    let error = result::<Either>(&either, b"\x1a\x02\x08\x01\x1a\x02\x10\x02").unwrap_err();
    assert!(error.contains("a message comes twice"), "{error}");
}

#[test]
fn arguments_have_places_as_well_as_names() {
    let grpc = declaring(
        "service S { rpc X(Pair) returns (Sum); }
         message Pair { sint32 b = 9; sint32 a = 4; } message Sum { sint32 sum = 2; }",
    );
    // The places are those of the numbers.
    assert_eq!(packed(&grpc, (1, 2)).unwrap(), b"\x20\x02\x48\x04");
    assert_eq!(
        packed(&grpc, map([("b", Value::Int(2)), ("a", Value::Int(1))])).unwrap(),
        b"\x48\x04\x20\x02"
    );
    assert_eq!(packed(&grpc, (1, 2, 3)).unwrap_err(), "Pair has 2 fields, and no more");
    assert_eq!(packed(&grpc, (None::<i8>, 2)).unwrap(), b"\x48\x04");
    // A plain result is the message's one field.
    assert_eq!(answered(&grpc, &body(b""), Some(&3)).bytes, body(b"\x10\x06"));
    assert_eq!(result::<i64>(&grpc, b"\x10\x06").unwrap(), 3);
    assert_eq!(result::<i64>(&grpc, b"").unwrap(), 0);
    assert_eq!(result::<Value>(&grpc, b"\x10\x06").unwrap(), Value::Int(3));
    assert_eq!(result::<(i64,)>(&grpc, b"\x10\x06").unwrap(), (3,));
}

#[test]
fn a_result_that_has_no_place_in_the_answer_is_a_fault() {
    let nothing = declaring("service S { rpc X(E) returns (E); } message E {}");
    assert_eq!(there_and_back::<Value>(&nothing, &()).unwrap(), Value::Null);
    let error = there_and_back::<()>(&nothing, &7).unwrap_err();
    assert!(error.contains("E has 0 fields, and this is one value"), "{error}");
    let two =
        declaring("service S { rpc X(P) returns (P); } message P { int32 a = 1; int32 b = 2; }");
    let error = there_and_back::<Value>(&two, &7).unwrap_err();
    assert!(error.contains("P has 2 fields, and this is one value"), "{error}");
    assert_eq!(
        result::<i64>(&two, b"\x08\x01").unwrap_err(),
        "P has 2 fields, and one value is wanted"
    );
    assert_eq!(there_and_back::<(i64, i64)>(&two, &(1, 2)).unwrap(), (1, 2));
    assert_eq!(there_and_back::<Value>(&two, &(1, 2)).unwrap().to_string(), r#"{"a": 1, "b": 2}"#);
    let lists =
        declaring("service S { rpc X(L) returns (L); } message L { repeated string l = 3; }");
    assert_eq!(there_and_back::<Vec<String>>(&lists, &["a", "b"]).unwrap(), ["a", "b"]);
    let maps =
        declaring("service S { rpc X(M) returns (M); } message M { map<string, int32> m = 3; }");
    let counts = BTreeMap::from([("a".to_owned(), 1)]);
    assert_eq!(there_and_back::<BTreeMap<String, i32>>(&maps, &counts).unwrap(), counts);
}

/// The path that a call is posted to.
fn path(grpc: &Grpc, procedure: &str) -> Result<String, String> {
    let mut request = Request::default();
    grpc.pack(&Outgoing { id: Some(1), procedure, arguments: &(), deadline: None }, &mut request)?;
    Ok(request.path.unwrap())
}

#[test]
fn a_method_is_found_by_its_name_or_its_path() {
    let grpc = declaring(
        r#"import "google/protobuf/empty.proto";
        package demo.v1;
        service First { rpc SayHello(google.protobuf.Empty) returns (google.protobuf.Empty); }
        service Second {
            rpc SayHello(google.protobuf.Empty) returns (google.protobuf.Empty);
            rpc lower_case(google.protobuf.Empty) returns (google.protobuf.Empty);
            rpc Watch(google.protobuf.Empty) returns (stream google.protobuf.Empty);
        }"#,
    );
    for name in ["SayHello", "sayHello", "say_hello", "demo.v1.First/SayHello"] {
        assert_eq!(path(&grpc, name).unwrap(), "/demo.v1.First/SayHello");
    }
    assert_eq!(path(&grpc, "demo.v1.Second/SayHello").unwrap(), "/demo.v1.Second/SayHello");
    assert_eq!(path(&grpc, "lowerCase").unwrap(), "/demo.v1.Second/lower_case");
    // What the file does not declare is called all the same.
    assert_eq!(path(&grpc, "say_bye").unwrap(), "/demo.v1.First/SayBye");
    assert_eq!(path(&grpc, "watch").unwrap_err(), "/demo.v1.Second/Watch is a method of streams");
}

#[test]
fn files_import_each_other() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("grpc_proto_imports");
    let write = |file: &str, text: &str| {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("syntax = \"proto3\"; {text}")).unwrap();
    };
    write("common/types.proto", "package common; message Pair { int32 a = 3; int32 b = 4; }");
    write(
        "main/service.proto",
        r#"import "common/types.proto"; import "beside.proto";
        service S { rpc X(common.Pair) returns (Sum); }"#,
    );
    write("main/beside.proto", "message Sum { int32 sum = 5; }");
    write("main/lost.proto", "import \"nowhere.proto\";");
    write("main/wrong.proto", "\nmessage {");
    write("main/unknown.proto", "message M { Nothing n = 1; }");
    let load = |file: &str| Proto::load(folder.join(file));
    let grpc = Grpc::with_proto(load("main/service.proto").unwrap());
    assert_eq!(packed(&grpc, (1, 2)).unwrap(), b"\x18\x01\x20\x02");
    assert_eq!(result::<i32>(&grpc, b"\x28\x07").unwrap(), 7);
    for (file, why) in [
        ("main/lost.proto", "nowhere.proto"),
        ("main/wrong.proto", "wrong.proto:2:9"),
        ("main/unknown.proto", "Nothing"),
        ("main/none.proto", "none.proto: No such file"),
    ] {
        let error = load(file).unwrap_err().to_string();
        assert!(error.contains(why), "{file}: {error}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_descriptor_set_is_as_good_as_a_file() {
    // What `protoc` makes of `message P { sint32 a = 7; }` and a service of it, without a package.
    let field = b"\x0a\x01a\x18\x07\x20\x01\x28\x11";
    let message = [&b"\x0a\x01P\x12"[..], &[field.len() as u8], field].concat();
    let method = b"\x0a\x01X\x12\x02.P\x1a\x02.P";
    let service = [&b"\x0a\x01S\x12"[..], &[method.len() as u8], method].concat();
    let file = [
        &b"\x0a\x07p.proto\x22"[..],
        &[message.len() as u8],
        &message,
        b"\x32",
        &[service.len() as u8],
        &service,
        b"\x62\x06proto3",
    ];
    let file = file.concat();
    let set = [&[0x0a, file.len() as u8], &file[..]].concat();
    let grpc = Grpc::with_proto(Proto::from_descriptor_set(&set).unwrap());
    assert_eq!(packed(&grpc, (-1,)).unwrap(), b"\x38\x01");
    for end in 1..set.len() {
        let error = Proto::from_descriptor_set(&set[..end]).unwrap_err();
        assert!(error.to_string().starts_with("this is no descriptor set"), "{end}: {error}");
    }
    let elsewhere = String::from_utf8(set).unwrap().replace("\x12\x02.P", "\x12\x02.Q");
    let error = Proto::from_descriptor_set(elsewhere.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "nobody declares \".Q\"");
}
