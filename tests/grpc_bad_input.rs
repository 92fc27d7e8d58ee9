//! Bad input on gRPC's wire: every message gets a status, and nothing is believed.
#![cfg(feature = "grpc-proto")]

#[path = "grpc/bytes.rs"]
pub mod bytes;
pub mod support;
#[path = "grpc/talk.rs"]
pub mod talk;

use std::sync::{Arc, Mutex};
use std::thread;

use bytes::{answered, body, packed, result};
use ninestep::protocol::grpc::Grpc;
use ninestep::protocol::http::HeaderMap;
use ninestep::protocol::{Answer, Arrived, Calls, Message, Outgoing, Protocol, Request, Transport};
use ninestep::{Channel, ClientStub, Error, Fault, ProtocolError, Server, Value};
use support::within;
use talk::{grpc, procedures};

/// A client whose calls have this body, and no other.
#[derive(Clone)]
struct Bare(Grpc, Arc<Mutex<Vec<u8>>>);

impl Protocol for Bare {
    fn transport(&self) -> Transport<'_> {
        self.0.transport()
    }

    fn answer(
        &self,
        _: Message<'_>,
        _: &mut dyn Calls,
        _: &mut Answer,
    ) -> Result<(), ProtocolError> {
        unreachable!("a client is not asked")
    }

    fn pack(&self, call: &Outgoing<'_>, request: &mut Request) -> Result<(), String> {
        self.0.pack(&Outgoing { arguments: &(), ..*call }, request)?;
        request.bytes.clone_from(&self.1.lock().unwrap());
        Ok(())
    }

    fn unpack(
        &self,
        message: Message<'_>,
        deliver: &mut dyn FnMut(Arrived<'_, '_>),
    ) -> Result<(), ProtocolError> {
        self.0.unpack(message, deliver)
    }
}

/// Bodies for one connection to a server.
struct Talk {
    stub: ClientStub,
    body: Arc<Mutex<Vec<u8>>>,
}

impl Talk {
    fn to(server: Grpc) -> Talk {
        let bare = Bare(Grpc::service("peers.v1.All"), Arc::default());
        let (channel, connection) = Channel::in_memory().unwrap();
        let server = Server::new(procedures()).protocol(server);
        thread::spawn(move || server.serve(connection));
        let body = Arc::clone(&bare.1);
        Talk { stub: ClientStub::new(&channel.protocol(bare)).unwrap(), body }
    }

    fn ask(&self, procedure: &str, body: &[u8]) -> Result<Value, Fault> {
        *self.body.lock().unwrap() = body.to_vec();
        match self.stub.call(procedure, ()) {
            Err(Error::Fault(fault)) => Err(fault),
            other => Ok(other.unwrap()),
        }
    }

    /// A fault, after which the next call works.
    #[track_caller]
    fn refused(&self, procedure: &str, body: &[u8], code: i32, why: &str) {
        let fault = self.ask(procedure, body).unwrap_err();
        assert_eq!((fault.code, &*fault.message), (code, why), "{}", body.escape_ascii());
        assert_eq!(self.ask("add", ADD), Ok(Value::Int(15)));
    }
}

const ADD: &[u8] = b"\0\0\0\0\x04\x08\x0a\x10\x05";

#[test]
fn a_body_is_one_whole_message() {
    within("bodies", || {
        let talk = Talk::to(grpc().max_message(1000));
        for end in 0..5 {
            talk.refused(
                "add",
                &ADD[..end],
                13,
                &format!("a body of {end} bytes holds no message"),
            );
        }
        for end in 5..ADD.len() {
            let why = format!("of a message of 4 bytes came {}", end - 5);
            talk.refused("add", &ADD[..end], 13, &why);
        }
        talk.refused("add", &ADD.repeat(2), 12, "9 bytes follow the message");
        talk.refused("add", &[ADD, b"\0"].concat(), 12, "1 bytes follow the message");
        let why = "a message is compressed, and nobody said how";
        talk.refused("add", b"\x01\0\0\0\0", 13, why);
        talk.refused("add", b"\x80\0\0\0\0", 13, "128 is not 0, nor is it 1");
        // A length is not believed, and what is too long is not even read to its end.
        for (bytes, length) in [
            (b"\0\xff\xff\xff\xff".to_vec(), u32::MAX),
            (b"\0\0\0\x03\xe9".to_vec(), 1001),
            (body(&[0; 1001]), 1001),
            (body(&[0; 100_000]), 100_000),
        ] {
            let why = format!("a message of {length} bytes is over the limit of 1000");
            talk.refused("add", &bytes, 8, &why);
        }
    });
}

#[test]
fn a_torn_message_in_a_whole_body_is_a_fault() {
    within("torn messages", || {
        let talk = Talk::to(grpc());
        let message = packed(&Grpc::service("S"), (1_000_000, "text", 0.5, 0.5_f32)).unwrap();
        let mut whole = Vec::new();
        for (at, _) in message.iter().enumerate() {
            // Between two fields a message may end.
            if [0, 4, 10, 19].contains(&at) {
                whole.push(at);
                continue;
            }
            let fault = talk.ask("byte", &body(&message[..at])).unwrap_err();
            assert_eq!(fault.code, Fault::WRONG_ARGUMENTS, "{at}");
            assert!(fault.message.ends_with("the bytes end inside a value"), "{at}: {fault}");
        }
        assert_eq!(whole, [0, 4, 10, 19]);
    });
}

#[test]
fn what_is_wrong_inside_a_message_is_a_fault_and_the_next_call_works() {
    within("faults", || {
        for server in [grpc(), Grpc::service("peers.v1.All")] {
            let talk = Talk::to(server);
            let wrong = |procedure: &str, message: &[u8], why: &str| {
                let fault = talk.ask(procedure, &body(message)).unwrap_err();
                assert_eq!(fault.code, Fault::WRONG_ARGUMENTS, "{fault}");
                assert!(fault.message.contains(why), "{}: {fault}", message.escape_ascii());
                assert_eq!(talk.ask("add", ADD), Ok(Value::Int(15)));
            };
            let add = |message: &[u8], why: &str| wrong("add", message, why);
            // A varint of eleven bytes, one beyond 64 bits, and one that does not end.
            add(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "does not fit into 64 bits");
            add(b"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", "does not fit into 64 bits");
            add(b"\x08\x80", "the bytes end inside a value");
            // Field 0, a number of over 29 bits, and wire types that nobody knows.
            add(b"\0\x01", "0 is no number of a field");
            add(b"\x80\x80\x80\x80\x10\x01", "536870912 is no number of a field");
            add(b"\x0e", "there is no wire type 6");
            add(b"\x0f", "there is no wire type 7");
            // Groups that never end, never began, or end as another.
            add(b"\x9b\x06", "the bytes end inside a value");
            add(b"\x9c\x06", "a group ends that never began");
            add(b"\x9b\x06\x0c", "a group ends that never began");
            add(&b"\x9b\x06".repeat(100_000), "nest deeper");
            // Lengths beyond the message.
            add(b"\x9a\x06\x01", "the bytes end inside a value");
            add(
                b"\x9a\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                "the bytes end inside a value",
            );
            // Another type, in unknown fields too if they are torn.
            add(b"\x0a\x01x", "argument 1");
            add(b"\x09\0\0\0\0\0\0\0\0", "argument 1");
            add(b"\x08\x01\x11\0\0\0\0", "the bytes end inside a value");
            wrong("sayHello", b"\x0a\x01\xff", "a text is not UTF-8");
            wrong("sayHello", b"\x08\x01", "argument 1");
            wrong("byte", b"\x08\x80\x01", "`128`, expected i8");
            wrong("byte", b"\x08\xff\xfe\xff\xff\xff\xff\xff\xff\xff\x01", "`-129`, expected i8");
        }
    });
}

#[test]
fn too_few_and_too_many_arguments_are_none_at_all() {
    within("arguments", || {
        let talk = Talk::to(grpc());
        assert_eq!(talk.ask("add", &body(b"")), Ok(Value::Int(0)));
        assert_eq!(talk.ask("add", &body(b"\x10\x05")), Ok(Value::Int(5)));
        assert_eq!(talk.ask("add", &body(b"\x08\x01\x10\x05\x18\x07")), Ok(Value::Int(6)));
        assert_eq!(talk.ask("add", &body(b"\x08\x01\x10\x05\x08\x02")), Ok(Value::Int(7)));
        for method in ["nobody", "ad", "adds", "Add2", "peers.v1.All/", "peers.v1.All/add/add"] {
            let fault = talk.ask(method, ADD).unwrap_err();
            assert_eq!(fault.code, Fault::NO_SUCH_PROCEDURE, "{method}");
            assert_eq!(talk.ask("add", ADD), Ok(Value::Int(15)));
        }
    });
}

/// A message in a message, so many times.
fn nested(depth: usize) -> Vec<u8> {
    let mut message = Vec::new();
    for _ in 0..depth {
        let mut outer = vec![0x1a];
        let mut length = message.len();
        while length >= 0x80 {
            outer.push(length as u8 | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        message.splice(..0, outer);
    }
    message
}

#[test]
fn messages_nest_as_deep_as_is_allowed() {
    #[derive(serde::Deserialize)]
    struct Point {
        next: Option<Box<Point>>,
    }
    let depth = |point: Point| {
        std::iter::successors(Some(&point), |point| point.next.as_deref()).count() - 1
    };
    let file = ninestep::protocol::grpc::Proto::parse(
        "syntax = \"proto3\"; service S { rpc X(P) returns (P); } message P { P next = 3; }",
    );
    let grpc = Grpc::with_proto(file.unwrap());
    for allowed in [63, 10] {
        let grpc = grpc.clone().max_depth(allowed + 1);
        assert_eq!(result::<Point>(&grpc, &nested(allowed)).map(depth), Ok(allowed));
        let error = result::<Point>(&grpc, &nested(allowed + 1)).map(depth).unwrap_err();
        assert_eq!(error, "lists and maps nest deeper than allowed");
        let error = result::<Value>(&grpc, &nested(100_000)).unwrap_err();
        assert_eq!(error, "lists and maps nest deeper than allowed");
    }
}

#[test]
fn fields_without_order_cost_no_more_than_their_bytes() {
    // Each field is looked for in the whole message if they come in no order; where nobody says
    // how many there are, that would be a message's length squared.
    let mut message = Vec::new();
    for number in (1..=2000_u32).rev() {
        let tag = number << 3;
        message.extend_from_slice(&[tag as u8 | 0x80, (tag >> 7) as u8 & 0x7f | 0x80]);
        message.extend_from_slice(&[(tag >> 14) as u8, 1]);
    }
    let error = result::<Value>(&Grpc::service("S"), &message).unwrap_err();
    assert_eq!(error, "field 2000 needs a .proto file that declares it");
    assert_eq!(result::<(i64, i64)>(&Grpc::service("S"), &message).unwrap(), (1, 1));
    // And the highest number there is makes no list of so many values.
    let error = result::<Value>(&Grpc::service("S"), b"\x08\x01\xf8\xff\xff\xff\x0f\x01");
    assert!(error.unwrap_err().starts_with("field 536870911 needs"), "a list of so many values");
}

#[test]
fn what_came_without_headers_is_no_call() {
    let mut answer = Answer::default();
    struct Nobody(ninestep::Procedures);
    impl Calls for Nobody {
        fn call(
            &mut self,
            _: ninestep::protocol::Call<'_, '_>,
            _: &mut dyn FnMut(ninestep::protocol::Outcome<'_>) -> Result<(), Fault>,
        ) {
            panic!("nobody is called");
        }

        fn procedures(&self) -> &ninestep::Procedures {
            &self.0
        }
    }
    let mut nobody = Nobody(ninestep::Procedures::new());
    let error = grpc().answer(Message::new(ADD), &mut nobody, &mut answer);
    assert_eq!(error, Err(ProtocolError::BadHead));
    let error = grpc().unpack(Message::new(ADD), &mut |_| panic!("nothing came"));
    assert_eq!(error, Err(ProtocolError::BadHead));
}

#[test]
fn a_result_that_cannot_be_packed_is_a_fault_and_nothing_else() {
    let mixed = Value::List(vec![Value::Int(1), Value::from("x")]);
    let answer = answered(&Grpc::service("S"), &body(b""), Some(&mixed));
    assert_eq!(
        (&*answer.bytes, &answer.trailers["grpc-status"]),
        (&b""[..], &"13".parse().unwrap())
    );
    let long = Value::from("x".repeat(2000));
    let answer = answered(&Grpc::service("S").max_message(1000), &body(b""), Some(&long));
    assert_eq!(
        (&*answer.bytes, &answer.trailers["grpc-status"]),
        (&b""[..], &"13".parse().unwrap())
    );
    let none = HeaderMap::new();
    assert!(bytes::unpacked::<Value>(&Grpc::service("S"), &answer.bytes, &none).is_err());
}
