//! A Thrift server in memory, and bare bytes that talk to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use ninestep::protocol::thrift::{Idl, Thrift};
use ninestep::protocol::{AnyFinder, Finder, Framing, Side};
use ninestep::{Channel, ClientStub, Connection, Fault, Procedures, Server, Value};

/// What the tests' services declare.
pub fn idl() -> &'static str {
    include_str!("../peers/thrift/all.thrift")
}

/// Thrift with that file.
pub fn thrift() -> Thrift {
    Thrift { idl: Idl::parse(idl()).unwrap(), ..Thrift::default() }
}

/// What the file declares, and some more.
pub fn procedures() -> Procedures {
    let notified = Arc::new(AtomicI64::new(0));
    let counter = Arc::clone(&notified);
    Procedures::new()
        .on("add", |a: i64, b: i64| a + b)
        .on_named("divide", &["a", "b"], |a: f64, b: f64| match b {
            0.0 => Err(Fault::new(1, "division by zero")),
            _ => Ok(a / b),
        })
        .on("ping", || "pong")
        .on("login", |_: String, _: String| " Login successful !")
        .on("notify", move |_: String| counter.fetch_add(1, Ordering::SeqCst))
        .on("notified", move || notified.load(Ordering::SeqCst))
        .on("nothing", || ())
        .on("find", || -> Result<(), Fault> {
            let data = Value::Map(vec![
                ("code".to_owned(), Value::Int(404)),
                ("more".to_owned(), Value::Null),
            ]);
            Err(Fault::new(2, "not there").with_data(data))
        })
        .on("refuse", || -> Result<(), Fault> { Err(Fault::new(7, "no").with_data(7_i64)) })
        .on("panic", || -> i64 { panic!("asked to") })
        .on("flag", |_: bool, _: i8, _: u16, _: i32, _: f32| true)
        .on("reversed", |e: i64, a: i64| [e, a])
        .on("paths", paths)
        .on("echo", |value: Value| value)
        .on("byte", |value: i8| value)
}

/// Checks that everything came as it was sent, and returns two points.
fn paths(s: Vec<i16>, color: String, p: Value, m: Value, raw: Vec<u8>) -> Value {
    assert_eq!((s, &*color), (vec![1, 2], "GREEN"));
    assert_eq!(p.to_string(), r#"{"x": 7, "y": 8}"#);
    assert_eq!(m.to_string(), r#"{"1": true}"#);
    assert!(raw == b"\xff\0" || raw == b"raw");
    let point = |fields: &[(&str, i64)]| {
        fields.iter().map(|(name, n)| ((*name).to_owned(), Value::Int(*n))).collect::<Vec<_>>()
    };
    let (one, mut other) = (point(&[("x", 1), ("y", -2)]), point(&[("x", 3), ("y", 4)]));
    other.push(("label".to_owned(), Value::from("z")));
    Value::Map(vec![("a".to_owned(), Value::List(vec![Value::Map(one), Value::Map(other)]))])
}

/// A message inside a frame.
pub fn framed(message: &[u8]) -> Vec<u8> {
    [&u32::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

/// The same message with the old header, which has no version.
pub fn old(message: &[u8]) -> Vec<u8> {
    let name = 8 + u32::from_be_bytes(message[4..8].try_into().unwrap()) as usize;
    [&message[4..name], &message[3..4], &message[name..]].concat()
}

/// A connection to a server in memory.
pub struct Talk {
    connection: Connection,
    server: Arc<Server>,
    finder: std::cell::RefCell<AnyFinder>,
}

impl Talk {
    /// To a server that speaks this.
    pub fn to(protocol: Thrift) -> Talk {
        let server = Arc::new(Server::new(procedures()).protocol(protocol));
        let (channel, finder) = (serve(&server), Thrift::default().finder(Side::Client));
        Talk { connection: channel.connect().unwrap(), server, finder: finder.into() }
    }

    /// The library's client, on a connection of its own to the same server.
    pub fn stub(&self, protocol: Thrift) -> ClientStub {
        ClientStub::new(&serve(&self.server).protocol(protocol)).unwrap()
    }

    /// Sends bytes.
    pub fn send(&self, bytes: &[u8]) {
        self.connection.send(bytes).unwrap();
    }

    /// Sends nothing more.
    pub fn finish(&self) {
        self.connection.finish_sending();
    }

    /// Sends bytes, and compares what comes back.
    #[track_caller]
    pub fn ask(&self, call: &[u8], reply: &[u8]) {
        self.send(call);
        let mut came = Vec::new();
        while came.len() < reply.len() && self.connection.receive(&mut came).unwrap() > 0 {}
        assert_eq!(came.escape_ascii().to_string(), reply.escape_ascii().to_string());
    }

    /// The next whole message; nothing at the connection's end.
    pub fn message(&self) -> Vec<u8> {
        let mut came = Vec::new();
        loop {
            if self.connection.receive(&mut came).unwrap() == 0 {
                return came;
            }
            if let Some(message) = self.finder.borrow_mut().find(&came).unwrap() {
                assert_eq!(message, 0..came.len(), "more than one message");
                return came;
            }
        }
    }
}

fn serve(server: &Arc<Server>) -> Channel {
    let (channel, connection) = Channel::in_memory().unwrap();
    let server = Arc::clone(server);
    thread::spawn(move || server.serve(connection));
    channel
}
