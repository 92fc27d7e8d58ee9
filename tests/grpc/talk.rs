//! A gRPC server in memory, and what it serves to the tests here and to grpcio.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use ninestep::protocol::grpc::{Grpc, Proto};
use ninestep::protocol::http::{HeaderMap, HeaderName};
use ninestep::{Channel, ClientStub, Fault, Procedures, Server, Value};

/// What the tests' services declare.
pub fn proto() -> Proto {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/grpc/all.proto");
    Proto::load(file).unwrap()
}

/// gRPC with that file, and a server that knows who may call.
pub fn grpc() -> Grpc {
    Grpc::with_proto(proto()).admits(|asked, answer| {
        answer.insert("served-by", "ninestep".parse().unwrap());
        if let Some(trace) = asked.get("trace-bin") {
            answer.insert("trace-bin", trace.clone());
        }
        match asked.get("token") {
            Some(token) if token == "bad" => Err(Fault::new(Fault::NOT_ALLOWED, "no")),
            _ => Ok(()),
        }
    })
}

/// What the file declares, and some more.
pub fn procedures() -> Procedures {
    Procedures::new()
        .on("add", |a: i64, b: i64| a + b)
        .on_named("divide", &["a", "b"], |a: f64, b: f64| match b {
            0.0 => Err(Fault::new(1, "division by zero")),
            _ => Ok(a / b),
        })
        .on_all("everything", |values: Value| values)
        .on("sayHello", |name: String| format!("Hello, {name}!"))
        .on("fail", |code: i32, message: String| -> Result<(), Fault> {
            Err(Fault::new(code, message))
        })
        .on("panic", || -> i64 { panic!("asked to") })
        .on("sleep", |ms: u64| thread::sleep(Duration::from_millis(ms)))
        .on("refuse", |code: i32, data: Value| -> Result<(), Fault> {
            Err(Fault::new(code, "no").with_data(data))
        })
        .on("text", |text: String| text)
        .on("byte", |byte: i8| byte)
}

/// A stub of a server in memory, whose ends speak these.
pub fn stub(client: Grpc, server: Grpc) -> ClientStub {
    let (channel, connection) = Channel::in_memory().unwrap();
    let server = Server::new(procedures()).protocol(server);
    thread::spawn(move || server.serve(connection));
    ClientStub::new(&channel.protocol(client)).unwrap()
}

/// gRPC that adds this to each call.
pub fn with(grpc: Grpc, name: &'static str, value: &'static str) -> Grpc {
    grpc.sends(move |_, headers| {
        headers.insert(HeaderName::from_static(name), value.parse().unwrap());
    })
}

/// What arrives on a client, one after the other.
pub fn heard(grpc: Grpc) -> (Grpc, Receiver<HeaderMap>) {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    (grpc.receives(move |headers| tell.lock().unwrap().send(headers.clone()).unwrap()), told)
}
