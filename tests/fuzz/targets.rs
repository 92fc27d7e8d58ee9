//! What every decoder does with any bytes: it must not panic, hang or take memory that nobody
//! sent, and what a server answers its client must understand.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use http::HeaderMap;
use ninestep::protocol::grpc::{Grpc, Proto};
use ninestep::protocol::hprose::Hprose;
use ninestep::protocol::http::Head;
use ninestep::protocol::json_rpc::JsonRpc;
use ninestep::protocol::native::{Native, pack, unpack};
use ninestep::protocol::thrift::{Idl, Thrift};
use ninestep::protocol::xml_rpc::XmlRpc;
use ninestep::protocol::{
    Answer, Arrived, Call, Calls, Finder, Message, Outcome, Packed, Protocol, Side, Transport,
};
use ninestep::{Channel, ClientStub, Fault, Procedures, ProtocolError, Server, Value, demo};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// A function of this module, by its name.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const ALL: [Target; 10] = [
    ("native", native),
    ("native_value", native_value),
    ("json_rpc", json_rpc),
    ("xml_rpc", xml_rpc),
    ("hprose", hprose),
    ("thrift", thrift),
    ("thrift_idl", thrift_idl),
    ("grpc", grpc),
    ("http", http),
    ("http2", http2),
];

/// Frames.
pub fn native(data: &[u8]) {
    stream(&Native::default(), data);
}

/// Values, as they stand in frames.
pub fn native_value(data: &[u8]) {
    let _ = unpack::<Everything>(data, 64);
    let Ok(value) = unpack::<Value>(data, 64) else { return };
    let packed = |value: &Value| {
        let mut bytes = Vec::new();
        pack(value, 64, &mut bytes).expect("what was unpacked can be packed");
        bytes
    };
    let bytes = packed(&value);
    let again: Value = unpack(&bytes, 64).expect("what was packed can be unpacked");
    // Not a number is not equal to itself, but its bytes are.
    assert_eq!(packed(&again), bytes);
}

/// Requests and responses, and the same as lines.
pub fn json_rpc(data: &[u8]) {
    let answered = body(&JsonRpc::over_http(), data);
    if !answered.is_empty() {
        // An id comes back as it was, also one whose text is half a surrogate pair.
        serde_json::from_slice::<IgnoredAny>(&answered).expect("an answer is JSON");
    }
    stream(&JsonRpc::over_tcp(), data);
}

/// Requests and responses.
pub fn xml_rpc(data: &[u8]) {
    understood(&XmlRpc::default(), &body(&XmlRpc::default(), data));
}

/// Requests and responses.
pub fn hprose(data: &[u8]) {
    let answered = body(&Hprose::default(), data);
    // Our client asks neither for the list of functions nor for several results at once.
    if answered.first() != Some(&b'F') && data.iter().filter(|byte| **byte == b'C').count() < 2 {
        understood(&Hprose::default(), &answered);
    }
}

/// Messages, with a file that declares something of every kind, and without.
pub fn thrift(data: &[u8]) {
    const DECLARED: &str = "
        enum Color { RED = 1, GREEN = 5 }
        struct Point { 1: i32 x, 2: optional string label, 7: Point next }
        union Either { 1: i64 number, 2: binary raw }
        exception NotFound { 1: i32 code, 2: string reason }
        service Two {
            i64 ab(1: byte a, 3: i16 b),
            list<Point> abc(1: set<i32> s, 2: map<string, list<double>> m, 3: Color c),
            Either abcd(1: Either e, 2: Point p, 3: bool f) throws (1: NotFound no),
            oneway void abcde(1: string text) }";
    let idl = Idl::parse(DECLARED).expect("the file is right");
    stream(&Thrift { idl, ..Thrift::default() }, data);
    stream(&Thrift { framed: true, ..Thrift::default() }, data);
}

/// Thrift files.
pub fn thrift_idl(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        let _ = Idl::parse(text);
    }
}

/// Bodies, with a file that declares something of every kind, and without.
pub fn grpc(data: &[u8]) {
    const DECLARED: &str = "
        syntax = 'proto3';
        enum Color { RED = 0; GREEN = 5; }
        message Point { int32 x = 1; optional string label = 2; Point next = 7; }
        message Either { oneof of { sint64 number = 1; bytes raw = 2; } }
        message Given {
            repeated fixed32 s = 1; map<string, Point> m = 2; Color c = 3; Either e = 4;
            bool f = 5; double d = 6; repeated string texts = 16; sfixed64 wide = 300;
        }
        service Five {
            rpc a (Given) returns (Given); rpc ab (Point) returns (Point);
            rpc abc (Given) returns (Given); rpc abcd (Given) returns (Either);
            rpc abcde (Given) returns (Given);
        }";
    // The first byte says which method it is; the prefix of a message need not be found.
    let (first, message) = data.split_first().unwrap_or((&0, &[]));
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let body = [&[0], &length.to_be_bytes()[..], message].concat();
    let path = ["/Five/a", "/Five/ab", "/Five/abc", "/Five/abcd", "/Five/abcde"];
    let path = path[usize::from(*first) % path.len()];
    static PROTO: LazyLock<Proto> =
        LazyLock::new(|| Proto::parse(DECLARED).expect("the file is right"));
    for protocol in [Grpc::with_proto(PROTO.clone()), Grpc::service("Five")] {
        for bytes in [&body[..], data] {
            let headers = HeaderMap::new();
            let head = Some(Head { path, headers: &headers, call: 1, status: 200 });
            let mut answer = Answer::default();
            let mut desk = Desk(Procedures::new());
            for name in ["a", "ab", "abc", "abcd", "abcde"] {
                desk.0 = desk.0.on(name, || ());
            }
            let _ =
                protocol.answer(Message { head, ..Message::new(bytes) }, &mut desk, &mut answer);
            let _ = protocol.unpack(Message { head, ..Message::new(bytes) }, &mut taken);
        }
    }
}

/// HTTP/1.1, on both ends.
pub fn http(data: &[u8]) {
    over_http(&JsonRpc::over_http(), data);
}

/// HTTP/2, on both ends, behind what a client sends first.
pub fn http2(data: &[u8]) {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    over_http(&Grpc::service("S"), &[PREFACE, data].concat());
    over_http(&Grpc::service("S"), &[&PREFACE[24..], data].concat());
}

/// Requests to a server, and what a client makes of the same bytes as a response.
fn over_http<P: Protocol + Clone + 'static>(protocol: &P, data: &[u8]) {
    // What both ends write must fit into the sockets between them: nobody reads meanwhile.
    let data = &data[..data.len().min(4096)];
    let (channel, connection) = Channel::in_memory().expect("a pair of sockets");
    let raw = channel.connect().expect("a pair of sockets");
    raw.send(data).expect("the other end is there");
    raw.finish_sending();
    let add = Procedures::new().on("add", |a: i64, b: i64| a.wrapping_add(b));
    Server::new(add).protocol(protocol.clone()).serve(connection);

    let (channel, connection) = Channel::in_memory().expect("a pair of sockets");
    connection.send(data).expect("the other end is there");
    connection.finish_sending();
    let channel = channel.protocol(protocol.clone()).call_timeout(Duration::from_secs(5));
    if let Ok(stub) = ClientStub::new(&channel) {
        let _ = stub.call::<Value>("add", (10, 5));
    }
}

/// The bytes as a stream, both ways. Whether they come at once or in pieces must be all the same.
fn stream(protocol: &dyn Protocol, data: &[u8]) {
    let mut answer = Answer::default();
    for side in [Side::Server, Side::Client] {
        let (messages, error) = found(protocol, side, data, data.len());
        for piece in [1, 1 + data.len() / 7] {
            let (in_pieces, error_in_pieces) = found(protocol, side, data, piece);
            assert_eq!(in_pieces, messages, "{side:?}, {piece} bytes at a time");
            assert_eq!(error_in_pieces.is_some(), error.is_some(), "{error:?}");
        }
        for message in messages {
            match side {
                Side::Server => answered(protocol, message, &mut answer),
                Side::Client => drop(protocol.unpack(Message::new(message), &mut taken)),
            }
        }
    }
    let (replies, error) = found(protocol, Side::Client, &answer.bytes, answer.bytes.len());
    assert!(error.is_none(), "{error:?}");
    for reply in replies {
        // A JSON-RPC id may be what no client of ours chose.
        if reply.first() != Some(&b'{') && reply.first() != Some(&b'[') {
            understood(protocol, reply);
        }
    }
}

/// The messages in a stream, and what is wrong with it if anything is.
fn found<'d>(
    protocol: &dyn Protocol,
    side: Side,
    data: &'d [u8],
    piece: usize,
) -> (Vec<&'d [u8]>, Option<ProtocolError>) {
    let Transport::Stream(framing) = protocol.transport() else { panic!("this is no stream") };
    let mut finder = framing.finder(side);
    let (mut messages, mut start, mut end) = (Vec::new(), 0, 0);
    loop {
        end = data.len().min(end + piece);
        loop {
            match finder.find(&data[start..end]) {
                Err(error) => return (messages, Some(error)),
                Ok(None) => break,
                Ok(Some(place)) => {
                    messages.push(&data[start..][place.clone()]);
                    start += place.end;
                }
            }
        }
        if end == data.len() {
            return (messages, None);
        }
    }
}

/// The bytes as one message, both ways.
fn body(protocol: &dyn Protocol, data: &[u8]) -> Vec<u8> {
    let mut answer = Answer::default();
    answered(protocol, data, &mut answer);
    let _ = protocol.unpack(Message::new(data), &mut taken);
    answer.bytes
}

fn answered(protocol: &dyn Protocol, message: &[u8], answer: &mut Answer) {
    let _ = protocol.answer(Message::new(message), &mut Desk(demo::procedures()), answer);
}

/// What one end has said the other understands.
fn understood(protocol: &dyn Protocol, said: &[u8]) {
    if !said.is_empty() {
        let unpacked = protocol.unpack(Message::new(said), &mut taken);
        assert!(unpacked.is_ok(), "{unpacked:?}: {}", String::from_utf8_lossy(said));
    }
}

fn taken(arrived: Arrived<'_, '_>) {
    if let Arrived::Outcome { id, outcome: Ok(packed) } = arrived {
        let _ = if id % 2 == 0 { given(packed) } else { any(packed) };
    }
}

fn any(packed: Packed<'_, '_>) -> Result<Value, String> {
    packed.unpack()
}

fn given(packed: Packed<'_, '_>) -> Result<Value, String> {
    packed.unpack::<Everything>().map(|_| Value::Null)
}

/// Executes every call: what it does depends on the length of the procedure's name.
struct Desk(Procedures);

impl Calls for Desk {
    fn call(
        &mut self,
        call: Call<'_, '_>,
        reply: &mut dyn FnMut(Outcome<'_>) -> Result<(), Fault>,
    ) {
        let unfit = |why| Fault::new(Fault::WRONG_ARGUMENTS, why);
        let told = match call.procedure.len() % 5 {
            0 => match call.arguments.unpack::<Everything>() {
                Ok(everything) => reply(Ok(&everything)),
                Err(why) => reply(Err(unfit(why))),
            },
            1 => match call.arguments.unpack::<Vec<Value>>() {
                Ok(values) => reply(Err(Fault::new(1, "no").with_data(Value::List(values)))),
                Err(why) => reply(Err(unfit(why))),
            },
            2 => match call.arguments.unpack::<(i64, Option<String>)>() {
                Ok(pair) => reply(Ok(&pair)),
                Err(why) => reply(Err(unfit(why))),
            },
            _ => match call.arguments.unpack::<Value>() {
                Ok(value) => reply(Ok(&value)),
                Err(why) => reply(Err(unfit(why))),
            },
        };
        if let Err(fault) = told {
            let _ = reply(Err(fault));
        }
    }

    fn procedures(&self) -> &Procedures {
        &self.0
    }
}

/// A type that has a field of every kind.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Everything {
    flag: bool,
    small: i8,
    large: u64,
    huge: i128,
    single: f32,
    letter: char,
    text: String,
    raw: ByteBuf,
    list: Vec<Option<i16>>,
    map: BTreeMap<i32, bool>,
    pair: (u8, [u16; 2]),
    kind: Kind,
    next: Option<Box<Everything>>,
    any: Value,
}

#[derive(Default, Deserialize, Serialize)]
enum Kind {
    #[default]
    Nothing,
    One(u32),
    Two(i64, String),
    Named {
        flag: bool,
        of: Option<Box<Kind>>,
    },
}
