//! Descriptions of procedures for other systems. What other systems make of them is in
//! `tests/peers/idl.rs`.
#![cfg(feature = "cli")]

#[path = "idl/shapes.rs"]
mod shapes;
pub mod support;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use ninestep::idl::{self, Definition, Type, Types};
use ninestep::protocol::Protocol;
use ninestep::protocol::grpc::{Grpc, Proto};
use ninestep::protocol::thrift::{Idl, Thrift};
use ninestep::{Channel, ClientStub, Procedures, Server, ThreadPerConnection, Value};
use serde::Deserialize;
use serde_json::Value as Json;
use shapes::{Color, Figure, Point};
use support::{PATIENCE, ServerThread};

/// Compares with a file, or writes it if `UPDATE_EXPECTED` is set.
#[track_caller]
fn is_as_recorded(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/idl").join(name);
    if env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&path, text).unwrap();
    }
    let recorded = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, recorded, "{name}: UPDATE_EXPECTED=1 cargo test --test idl writes it anew");
}

#[test]
fn the_demo_services_are_described() {
    for (format, file) in
        [("thrift", "demo.thrift"), ("proto", "demo.proto"), ("openrpc", "demo.json")]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ninestep"));
        let output = command.args(["idl", "--format", format]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        is_as_recorded(file, str::from_utf8(&output.stdout).unwrap());
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_ninestep"));
    command.args(["idl", "--format", "thrift", "--service", "More", "--with-trouble"]);
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(text.contains("service More {") && text.contains("void panic()"), "{text}");
}

#[test]
fn types_of_ones_own_are_described() {
    let procedures = shapes::procedures();
    is_as_recorded("shapes.thrift", &idl::thrift(&procedures, "Shapes"));
    is_as_recorded("shapes.proto", &idl::proto(&procedures, "Shapes"));
    is_as_recorded("shapes.json", &idl::openrpc(&procedures, "Shapes"));
}

/// A server that knows a file answers a client that knows it, and one that does not.
fn all_is_called<P: Protocol + 'static>(described: impl Fn() -> P, bare: P) {
    let server = Server::new(shapes::procedures()).protocol(described());
    let server = ServerThread::run(server, ThreadPerConnection::default());
    let channel = || Channel::new(server.address()).call_timeout(PATIENCE);
    for protocol in [described(), bare] {
        let stub = ClientStub::new(&channel().protocol(protocol)).unwrap();
        let point = Point { x: 1, y: -2, label: Some("a".to_owned()) };
        let moved: Point = stub.call("shift", (&point, 10_i64)).unwrap();
        assert_eq!(moved, Point { x: 11, ..point.clone() });
        let pair: (String, Vec<Point>) = stub.call("named", ("n", vec![&point])).unwrap();
        assert_eq!(pair, ("n".to_owned(), vec![point.clone()]));
        assert_eq!(stub.call::<Color>("following", (Color::Red,)).unwrap(), Color::Green);
        let dot = Figure::Dot(point.clone());
        assert_eq!(stub.call::<f64>("area", (&dot,)).unwrap(), 0.0);
        assert_eq!(stub.call::<f64>("area", (Figure::Square(3.0),)).unwrap(), 9.0);
        let counts = BTreeMap::from([("a".to_owned(), 2_u32)]);
        assert_eq!(stub.call::<BTreeMap<String, u32>>("count", ("aa",)).unwrap(), counts);
        assert_eq!(stub.call::<Option<i16>>("first", (vec![7_i16],)).unwrap(), Some(7));
    }
    // The file has the names, which are not on the wire.
    let stub = ClientStub::new(&channel().protocol(described())).unwrap();
    let given = (Point { x: 1, y: 2, label: Some("a".to_owned()) }, 1_i64);
    let moved: Value = stub.call("shift", given).unwrap();
    assert_eq!(moved.to_string(), r#"{"x": 2, "y": 2, "label": "a"}"#);
}

#[test]
fn what_a_thrift_file_describes_can_be_called() {
    let file = idl::thrift(&shapes::procedures(), "Shapes");
    let described = || Thrift { idl: Idl::parse(&file).unwrap(), ..Thrift::default() };
    all_is_called(described, Thrift::default());
}

#[test]
fn what_a_proto_file_describes_can_be_called() {
    let file = idl::proto(&shapes::procedures(), "Shapes");
    let described = || Grpc::with_proto(Proto::parse(&file).unwrap());
    all_is_called(described, Grpc::service("Shapes"));
}

#[test]
fn an_openrpc_document_is_whole() {
    let procedures = shapes::procedures();
    let document: Json = serde_json::from_str(&idl::openrpc(&procedures, "Shapes")).unwrap();
    assert!(document["openrpc"].as_str().unwrap().starts_with("1."));
    let names = |list: &Json| -> Vec<String> {
        let all = list.as_array().unwrap().iter();
        all.map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    let all: Vec<&str> = procedures.names().filter(|name| *name != "sum").collect();
    assert_eq!(names(&document["methods"]), all);
    assert!(document["info"]["description"].as_str().unwrap().starts_with("sum is left out"));
    for method in document["methods"].as_array().unwrap() {
        assert_eq!(names(&method["params"]).len(), method["params"].as_array().unwrap().len());
        assert!(!method["result"]["schema"].is_null(), "{method}");
    }
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 5, "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect(document: &Json, references: &mut Vec<String>) {
    match document {
        Json::Object(members) => {
            references.extend(members.get("$ref").map(|it| it.as_str().unwrap().to_owned()));
            members.values().for_each(|member| collect(member, references));
        }
        Json::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Tree {
    value: i32,
    children: Vec<Tree>,
    parent: Option<Box<Tree>>,
}

#[derive(Deserialize)]
#[expect(dead_code)]
enum Expression {
    Number(f64),
    Sum(Box<Expression>, Box<Expression>),
    Named { name: String },
    Colored(Color),
    Nothing,
}

/// Never ends.
#[derive(Deserialize)]
#[expect(dead_code)]
struct Endless(Box<Holder>);

#[derive(Deserialize)]
#[expect(dead_code)]
struct Holder {
    endless: Endless,
}

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code)]
enum Untagged {
    Number(i64),
    Text(String),
}

mod other {
    #[derive(serde::Deserialize)]
    #[expect(dead_code)]
    pub(super) struct Point {
        latitude: f64,
    }
}

/// No format has integers of 128 bits.
#[derive(Deserialize)]
#[expect(dead_code)]
struct Account {
    owner: Point,
    balance: i128,
}

fn named(name: &str) -> Type {
    Type::Named(name.to_owned())
}

#[test]
fn types_say_what_they_are_made_of() {
    let mut types = Types::default();
    let int = Type::Int { bits: 32, signed: true };
    assert_eq!(types.of::<Tree>(), named("Tree"));
    let fields = vec![
        ("value".to_owned(), int.clone()),
        ("children".to_owned(), Type::List(Box::new(named("Tree")))),
        ("parent".to_owned(), Type::Option(Box::new(named("Tree")))),
    ];
    assert_eq!(types.definition("Tree"), Some(&Definition::Struct(fields)));

    assert_eq!(types.of::<Expression>(), named("Expression"));
    let sum = Type::Tuple(vec![named("Expression"), named("Expression")]);
    let variants = vec![
        ("Number".to_owned(), Type::Float { bits: 64 }),
        ("Sum".to_owned(), sum),
        ("Named".to_owned(), Type::Any),
        ("Colored".to_owned(), named("Color")),
        ("Nothing".to_owned(), Type::Unit),
    ];
    assert_eq!(types.definition("Expression"), Some(&Definition::Enum(variants)));
    assert!(types.definition("Color").is_some());

    // These refuse what they are given, and have said before what they want.
    assert_eq!(types.of::<Vec<IpAddr>>(), Type::List(Box::new(Type::Text)));
    assert_eq!(types.of::<NonZeroU8>(), Type::Int { bits: 8, signed: false });
    assert_eq!(types.of::<Untagged>(), Type::Any);
    assert_eq!(types.of::<Endless>(), named("Holder"));
    let map = Type::Map(Box::new((Type::Text, Type::Tuple(vec![int; 3]))));
    assert_eq!(types.of::<HashMap<char, [i32; 3]>>(), map);
    assert_eq!(types.of::<((), bool)>(), Type::Tuple(vec![Type::Unit, Type::Bool]));

    // Two types of one name: only one can have it.
    assert_eq!(types.of::<Point>(), named("Point"));
    assert_eq!(types.of::<other::Point>(), Type::Any);
}

#[test]
fn a_result_is_known_by_its_name() {
    let returns = |procedures: Procedures| idl::thrift(&procedures, "S");
    let on = |text: &str, procedures: Procedures| {
        let file = returns(procedures);
        assert!(file.contains(text), "{text}: {file}");
    };
    let new = Procedures::new;
    on("list<StringAndI64> f()", new().on("f", Vec::<(String, i64)>::new));
    on("list<byte> f()", new().on("f", || Ok::<Vec<i8>, ninestep::Fault>(vec![])));
    on("string f()", new().on("f", || "static"));
    on("map<i64, bool> f()", new().on("f", BTreeMap::<i64, bool>::new));
    on("i64 f()", new().on("f", || Some(1_usize)));
    on(
        "f is left out: what IpAddr is made of is not known.",
        new().on("f", || IpAddr::from([0; 4])),
    );
    on("f is left out: Thrift has no such large integers.", new().on("f", || 1_i128));
    on("// next is left out: next is a word of Thrift's own.", new().on("next", || 1));
    on("// a.b is left out: \"a.b\" cannot be a name there.", new().on("a.b", || 1));
    on("void f(1: bool argument1)", new().on("f", |_: bool| ()));
}

#[test]
fn a_struct_that_cannot_be_written_is_refused_each_time() {
    let procedures = Procedures::new().on("first", |_: Account| ()).on("second", |_: Account| ());
    for file in [idl::thrift(&procedures, "S"), idl::proto(&procedures, "S")] {
        assert!(
            file.contains("first is left out") && file.contains("second is left out"),
            "{file}"
        );
    }
}

#[test]
fn of_a_struct_that_cannot_be_written_nothing_stays() {
    let procedures = Procedures::new()
        .on("outer", |_: clashes::Outer| ())
        .on("inner", |_: clashes::Inner| ())
        .on("ping", || "pong");
    for file in [idl::thrift(&procedures, "S"), idl::proto(&procedures, "S")] {
        assert!(!file.contains("struct") && !file.contains("message Inner"), "{file}");
        assert!(file.contains("outer is left out") && file.contains("inner is left out"), "{file}");
    }
    Idl::parse(&idl::thrift(&procedures, "S")).unwrap();
    Proto::parse(&idl::proto(&procedures, "S")).unwrap();
}

/// Types whose names are also those of something else in a `.proto` file.
mod clashes {
    use serde::Deserialize;

    #[derive(Deserialize)]
    pub(super) struct AddRequest {
        pub(super) a: i64,
    }

    #[derive(Deserialize)]
    #[expect(dead_code)]
    pub(super) struct StringAndInt64 {
        a: bool,
    }

    #[derive(Deserialize)]
    pub(super) enum Kind {
        Point,
        Line,
    }

    #[derive(Deserialize)]
    pub(super) enum Itself {
        Itself,
        Other,
    }

    #[derive(Deserialize)]
    pub(super) enum Shout {
        Red,
        #[serde(rename = "RED")]
        Loud,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub(super) enum Word {
        Option,
        Other,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub(super) enum Kebab {
        OneTwo,
        Three,
    }

    #[derive(Deserialize)]
    #[expect(dead_code)]
    pub(super) enum Spaced {
        #[serde(rename = "a b")]
        A(i64),
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    #[expect(dead_code)]
    pub(super) enum Member {
        Variant(i64),
        Other(bool),
    }

    #[derive(Deserialize)]
    #[expect(dead_code)]
    pub(super) struct Fields {
        a_b: i64,
        #[serde(rename = "aB")]
        other: i64,
    }

    /// What it holds can be written, but for holding it.
    #[derive(Deserialize)]
    #[expect(dead_code)]
    pub(super) struct Outer {
        inner: Inner,
        large: i128,
    }

    #[derive(Deserialize)]
    #[expect(dead_code)]
    pub(super) struct Inner {
        outer: Option<Box<Outer>>,
    }
}

/// The file of these procedures, which is one.
#[track_caller]
fn proto(procedures: &Procedures, service: &str) -> String {
    let file = idl::proto(procedures, service);
    if let Err(why) = Proto::parse(&file) {
        panic!("{why}\n{file}");
    }
    file
}

#[test]
fn generated_names_in_a_proto_file_give_way() {
    let has = |file: &str, line: &str| assert!(file.contains(line), "{line}: {file}");
    let procedures = Procedures::new()
        .on("add", |a: i64, b: i64| a + b)
        .on_named("increase", &["by"], |by: clashes::AddRequest| by.a)
        .on("named", || (String::new(), 1_i64))
        .on("unnamed", |_: clashes::StringAndInt64| ());
    let file = proto(&procedures, "Calculator");
    has(&file, "rpc Add (AddRequest2) returns (AddReply);");
    has(&file, "message AddRequest2 {\n    int64 argument1 = 1;\n    int64 argument2 = 2;\n}");
    has(&file, "message IncreaseRequest {\n    AddRequest by = 1;\n}");
    has(&file, "rpc Named (NamedRequest) returns (StringAndInt642);");
    let file = proto(&procedures, "IncreaseReply");
    has(&file, "rpc Increase (IncreaseRequest) returns (IncreaseReply2);");

    // The procedure's and its result's name are one.
    let procedures = Procedures::new().on("point", |point: Point| point);
    has(&proto(&procedures, "S"), "rpc Point (PointRequest) returns (.Point);");

    let file = proto(&Procedures::new().on("member", |_: clashes::Member| ()), "S");
    has(&file, "oneof variant_ {\n        int64 variant = 1;\n        bool other = 2;");
}

#[test]
fn procedures_with_nearly_one_name_are_called_by_theirs() {
    let procedures = Procedures::new()
        .on("add", |a: i64| a + 1)
        .on("Add", |a: i64| a + 2)
        .on("say_hi", || 3)
        .on("sayHi", || 4);
    let file = proto(&procedures, "S");
    let server = Server::new(procedures).protocol(Grpc::service("S"));
    let server = ServerThread::run(server, ThreadPerConnection::default());
    let described = Grpc::with_proto(Proto::parse(&file).unwrap());
    let stub =
        ClientStub::new(&Channel::new(server.address()).call_timeout(PATIENCE).protocol(described))
            .unwrap();
    assert_eq!(stub.call::<i64>("add", (0,)).unwrap(), 1);
    assert_eq!(stub.call::<i64>("Add", (0,)).unwrap(), 2);
    assert_eq!(stub.call::<i64>("say_hi", ()).unwrap(), 3);
    assert_eq!(stub.call::<i64>("sayHi", ()).unwrap(), 4);
}

#[test]
fn what_a_proto_file_cannot_name_is_left_out() {
    let new = Procedures::new;
    let taken = "is the name of something else, too";
    let twice = "may be one name";
    for (procedures, out, why) in [
        (new().on("a", |_: clashes::Kind| ()).on("b", |_: Point| ()), "b", taken),
        (new().on("a", |_: Point| ()).on("b", |_: clashes::Kind| ()), "b", taken),
        (new().on("a", |_: clashes::Itself| ()), "a", taken),
        (new().on("a", |_: clashes::Shout| ()), "a", twice),
        (new().on("a", |_: clashes::Word| ()), "a", "\"option\" cannot be a name there"),
        (new().on("a", |_: clashes::Kebab| ()), "a", "\"one-two\" cannot be a name there"),
        (new().on("a", |_: clashes::Spaced| ()), "a", "\"a b\" cannot be a name there"),
        (new().on("a", |_: clashes::Fields| ()), "a", twice),
        (new().on_named("a", &["a_b", "aB"], |_: i64, _: i64| ()), "a", twice),
        (new().on_named("a", &["a", "a"], |_: i64, _: i64| ()), "a", twice),
        (new().on("a", |_: clashes::Outer| ()), "a", "no such large integers"),
        (new().on("a", |_: clashes::Outer| ()).on("b", |_: clashes::Inner| ()), "b", "large"),
        (new().on("a\n}", || 1), "a\\n}", "cannot be a name there"),
    ] {
        let file = proto(&procedures, "S");
        let line = format!("    // {out} is left out: ");
        let found = file.lines().find_map(|it| it.strip_prefix(&line));
        assert!(found.is_some_and(|it| it.contains(why)), "{why}: {file}");
    }
    proto(&new().on("a", |_: Point| ()), "Point");
}
