//! The client's end, against real servers and against a fake one that the test plays itself.

pub mod support;

use std::io::ErrorKind;
use std::net::TcpListener;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ninestep::protocol::native::Native;
use ninestep::{
    Channel, ClientStub, Error, Execution, Fault, PendingCall, Procedures, ProtocolError, Server,
    ThreadPerConnection, Value, demo,
};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Visitor};
use serde::ser::{SerializeSeq, Serializer};
use serde::{Serialize, de};
use support::{
    GREETING, PATIENCE, Raw, ServerThread, call, crowd, eventually, fault, frame, packed, reply,
    within,
};

const A_MOMENT: Duration = Duration::from_millis(50);

/// More bytes than the sockets of both ends hold, wherever the tests run.
const TOO_MUCH: usize = 40 << 20;
const GENEROUS: Native = Native { max_message: 64 << 20, max_depth: 64 };

/// A stub and the server's end of its connection, which the test plays.
fn fake() -> (ClientStub, Raw) {
    fake_over(|channel| channel)
}

fn fake_over(configure: impl Fn(Channel) -> Channel) -> (ClientStub, Raw) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let channel = configure(Channel::new(listener.local_addr().unwrap()));
    let stub = ClientStub::new(&channel.connect_timeout(PATIENCE)).unwrap();
    (stub, Raw::over(listener.accept().unwrap().0))
}

/// A stub and some calls of it that the server's end has read.
fn calls_under_way<const COUNT: usize>() -> (ClientStub, Raw, [PendingCall<i64>; COUNT]) {
    let (stub, mut server) = fake();
    let calls = [(); COUNT].map(|()| stub.send::<i64>("add", (10, 5)).unwrap());
    assert_eq!(server.bytes(), GREETING);
    for call in &calls {
        assert_eq!(server.frame().id, call.id());
    }
    (stub, server, calls)
}

fn demo_server() -> ServerThread {
    ServerThread::run(Server::new(demo::procedures()), ThreadPerConnection::default())
}

fn is_closed_for_sending(stub: &ClientStub) {
    let refused = stub.call::<i64>("add", (1, 2)).unwrap_err();
    assert!(matches!(refused, Error::Closed { sent: false }), "{refused}");
    assert_eq!(refused.execution(), Execution::No);
    assert!(matches!(stub.notify("add", (1, 2)), Err(Error::Closed { sent: false })));
    assert!(matches!(stub.batch().send::<i64>("add", ()), Err(Error::Closed { sent: false })));
}

#[test]
fn a_call_is_these_bytes() {
    within("a call is these bytes", || {
        let (stub, mut server) = fake();
        let first = stub.send::<i64>("add", (10, 5)).unwrap();
        assert_eq!(server.bytes(), GREETING);
        let expected = call(first.id(), "add", (10, 5));
        assert_ne!(first.id(), 0);
        let came = server.frame();
        assert_eq!(frame(came.kind, came.id, &came.body), expected);

        // The greeting comes once; a notification has no id, no arguments are an empty list.
        stub.notify("ping", ()).unwrap();
        let came = server.frame();
        assert_eq!((came.kind, came.id), (b'N', 0));
        assert_eq!(came.body, call(1, "ping", ())[9..]);

        #[derive(Serialize)]
        struct Named {
            a: i64,
            b: Option<i64>,
        }
        let named = stub.send::<i64>("add", Named { a: 1, b: None }).unwrap();
        let came = server.frame();
        assert_eq!(came.id, named.id());
        assert_eq!(came.body[11..], *b"{\0\0\0\x02s\0\0\0\x01aq\0\0\0\0\0\0\0\x01s\0\0\0\x01b_");
    });
}

#[test]
fn eight_threads_share_one_stub() {
    let server = demo_server();
    let stub = server.client();
    within("8 × 500 calls", move || {
        thread::scope(|scope| {
            for thread in 0..8_i64 {
                let stub = &stub;
                scope.spawn(move || {
                    for n in 0..500 {
                        let sum: i64 = stub.call("add", (thread * 1_000_000, n)).unwrap();
                        assert_eq!(sum, thread * 1_000_000 + n);
                    }
                });
            }
        });
    });
    drop(server);
}

#[test]
fn eight_threads_have_many_calls_under_way_each() {
    let server = demo_server();
    let stub = server.client();
    within("8 × 20 × 32 calls", move || {
        thread::scope(|scope| {
            for thread in 0..8_i64 {
                let stub = stub.clone();
                scope.spawn(move || {
                    for round in 0..20 {
                        let of = |n| thread * 1_000_000 + round * 1_000 + n;
                        let send = |n| (n, stub.send::<i64>("subtract", (of(n), 0)).unwrap());
                        let calls: Vec<_> = (0..32).map(send).collect();
                        for (n, call) in calls.into_iter().rev() {
                            assert_eq!(call.wait().unwrap(), of(n));
                        }
                    }
                });
            }
        });
    });
    drop(server);
}

#[test]
fn replies_come_in_any_order() {
    within("replies in any order", || {
        let (_stub, mut server, [one, two, three]) = calls_under_way();
        for call in [&three, &one, &two] {
            server.send(&reply(call.id(), i64::from(call.id()) * 100));
        }
        for call in [one, two, three] {
            let id = i64::from(call.id());
            assert_eq!(call.wait().unwrap(), id * 100);
        }
    });
}

#[test]
fn a_reply_that_comes_byte_by_byte() {
    within("a reply byte by byte", || {
        let (stub, mut server, [one]) = calls_under_way();
        let waiting = thread::spawn(move || one.wait().map(|sum| (sum, stub)));
        for byte in reply(1, 15) {
            server.send(&[byte]);
        }
        assert_eq!(waiting.join().unwrap().unwrap().0, 15);
    });
}

#[test]
fn a_late_reply_is_dropped() {
    within("a late reply", || {
        let (stub, mut server, [late]) = calls_under_way();
        let id = late.id();
        let error = late.wait_timeout(A_MOMENT).unwrap_err();
        assert!(matches!(error, Error::Timeout(limit) if limit == A_MOMENT), "{error}");
        assert_eq!(error.execution(), Execution::Maybe);

        let next = stub.send::<i64>("add", (1, 2)).unwrap();
        server.send(&[reply(id, 15), reply(next.id(), 3)].concat());
        assert_eq!(next.wait().unwrap(), 3);
    });
}

#[test]
fn a_call_that_the_server_does_not_read_ends_at_its_deadline() {
    within("a server that does not read", || {
        let (stub, server) = fake_over(|channel| channel.protocol(GENEROUS));
        let other = stub.send::<i64>("add", (10, 5)).unwrap();
        let hasty = stub.call_timeout(A_MOMENT);
        // First a piece that is copied, then one that is not.
        let long = "x".repeat(TOO_MUCH);
        let late = hasty.call::<i64>("count", (&long,)).unwrap_err();
        assert!(matches!(late, Error::Timeout(limit) if limit == A_MOMENT), "{late}");
        assert_eq!(late.execution(), Execution::Maybe);
        // Half of it is under way, and nothing can come after it.
        assert!(matches!(other.wait(), Err(Error::Closed { sent: true })));
        is_closed_for_sending(&stub);
        drop(server);

        let (stub, _server) = fake_over(|channel| channel.protocol(GENEROUS));
        let long = serde_bytes::ByteBuf::from(vec![1; TOO_MUCH]);
        let late = stub.call_timeout(A_MOMENT).send::<i64>("count", (&long,)).err().unwrap();
        assert!(matches!(late, Error::Timeout(limit) if limit == A_MOMENT), "{late}");
        is_closed_for_sending(&stub);
    });
}

#[test]
fn a_server_that_talks_and_does_not_read_keeps_no_sender_beyond_the_deadline() {
    within("a server that talks and does not read", || {
        let (stub, mut server) = fake_over(|channel| channel.protocol(GENEROUS));
        let talk = thread::spawn(move || {
            let nonsense = reply(77, "for nobody").repeat(1000);
            while server.try_send(&nonsense).is_ok() {}
        });
        let long = "x".repeat(TOO_MUCH);
        let late = stub.call_timeout(A_MOMENT).call::<i64>("count", (long,)).unwrap_err();
        assert!(matches!(late, Error::Timeout(limit) if limit == A_MOMENT), "{late}");
        is_closed_for_sending(&stub);
        talk.join().unwrap();
    });
}

#[test]
fn a_call_of_which_nothing_was_sent_in_time_harms_nobody() {
    within("a server that does not read yet", || {
        let (channel, connection) = Channel::in_memory().unwrap();
        let stub = ClientStub::new(&channel).unwrap();
        let first = stub.send::<i64>("add", (10, 5)).unwrap();
        let hasty = stub.call_timeout(A_MOMENT);
        let mut sent = Vec::new();
        let late = loop {
            match hasty.send::<i64>("add", (1, 2)) {
                Ok(call) => sent.push(call),
                Err(why) => break why,
            }
        };
        assert!(matches!(late, Error::Timeout(limit) if limit == A_MOMENT), "{late}");

        let server = Server::new(demo::procedures());
        thread::spawn(move || server.serve(connection));
        assert_eq!(first.wait().unwrap(), 15);
        assert_eq!(stub.call::<i64>("add", (1, 2)).unwrap(), 3);
    });
}

#[test]
fn replies_that_came_before_the_connection_broke_are_had() {
    within("a server that answers and leaves", || {
        let (stub, mut server, calls) = calls_under_way::<3>();
        let replies = calls.each_ref().map(|call| reply(call.id(), i64::from(call.id())));
        server.send(&replies.concat());
        drop(server);
        eventually("a connection that takes nothing more", || stub.notify("add", (1, 2)).is_err());
        for call in calls {
            let id = call.id();
            assert_eq!(call.wait().unwrap(), i64::from(id));
        }
        is_closed_for_sending(&stub);
    });
}

#[test]
fn what_the_server_says_of_a_call_that_it_does_not_read_is_the_outcome() {
    within("calls that are too long", || {
        let strict = Native { max_message: 64 * 1024, ..Native::default() };
        let server = Server::new(demo::procedures()).protocol(strict);
        let server = ServerThread::run(server, ThreadPerConnection::default());
        for length in [100_000, 4 << 20, 30 << 20] {
            let channel = Channel::new(server.address()).protocol(GENEROUS);
            let outcomes = [
                ClientStub::new(&channel).unwrap().call::<String>("echo", ("x".repeat(length),)),
                ClientStub::new(&channel)
                    .unwrap()
                    .send::<String>("echo", ("x".repeat(length),))
                    .and_then(PendingCall::wait),
            ];
            for outcome in outcomes {
                let refused = outcome.unwrap_err();
                let Error::Fault(fault) = &refused else { panic!("{length}: {refused}") };
                assert_eq!(fault.code, Fault::PARSE, "{length}: {fault}");
                assert_eq!(refused.execution(), Execution::No, "{length}");
            }
        }
    });
}

#[test]
fn a_reply_that_came_in_time_is_had_by_who_comes_late() {
    within("a late wait", || {
        let (stub, mut server) = fake();
        let stub = stub.call_timeout(A_MOMENT);
        let before = Instant::now();
        let call = stub.send::<i64>("add", (10, 5)).unwrap();
        assert_eq!(server.bytes(), GREETING);
        server.send(&reply(call.id(), 15));
        while before.elapsed() <= A_MOMENT * 2 {
            thread::yield_now();
        }
        assert_eq!(call.wait().unwrap(), 15);
    });
}

#[test]
fn a_server_that_never_stops_talking_keeps_nobody_beyond_the_deadline() {
    within("replies that nobody asked for", || {
        let (stub, mut server) = fake();
        let talk = thread::spawn(move || {
            let nonsense = reply(77, "for nobody").repeat(1000);
            while server.try_send(&nonsense).is_ok() {}
        });
        let late = stub.call_timeout(A_MOMENT).call::<i64>("add", (10, 5)).unwrap_err();
        assert!(matches!(late, Error::Timeout(limit) if limit == A_MOMENT), "{late}");
        drop(stub);
        talk.join().unwrap();
    });
}

#[test]
fn a_dropped_call_is_nobodys() {
    within("a dropped call", || {
        let (_stub, mut server, [given_up, wanted]) = calls_under_way();
        server
            .send(&[reply(given_up.id(), "not even an integer"), reply(wanted.id(), 15)].concat());
        drop(given_up);
        assert_eq!(wanted.wait().unwrap(), 15);
    });
}

#[test]
fn an_outcome_for_an_unknown_id_is_ignored() {
    within("an unknown id", || {
        let (_stub, mut server, [call]) = calls_under_way();
        let strange = [reply(999, 1), fault(998, 1, "whose?"), reply(0, 1)].concat();
        server.send(&[strange, reply(call.id(), 15)].concat());
        assert_eq!(call.wait().unwrap(), 15);
    });
}

#[test]
fn a_lost_connection_fails_everybody() {
    within("a lost connection", || {
        let (stub, server, calls) = calls_under_way::<6>();
        let (failed, failures) = mpsc::channel();
        let mut calls = calls.into_iter();
        for call in calls.by_ref().take(4) {
            let failed = failed.clone();
            thread::spawn(move || failed.send(call.wait()));
        }
        drop(server);
        for _ in 0..4 {
            let lost = failures.recv().unwrap().unwrap_err();
            assert!(matches!(lost, Error::Closed { sent: true }), "{lost}");
            assert_eq!(lost.execution(), Execution::Maybe);
        }
        for call in calls {
            assert!(matches!(call.wait(), Err(Error::Closed { sent: true })));
        }
        is_closed_for_sending(&stub);
    });
}

#[test]
fn a_fault_of_id_0_fails_everybody() {
    within("a fault of id 0", || {
        let (stub, mut server, calls) = calls_under_way::<3>();
        server.send(&fault(0, Fault::OVERLOADED, "full"));
        for call in calls {
            match call.wait() {
                Err(Error::Fault(fault)) => {
                    assert_eq!(fault, Fault::new(Fault::OVERLOADED, "full"))
                }
                other => panic!("{other:?}"),
            }
        }
        is_closed_for_sending(&stub);
    });
}

#[test]
fn a_bye_fails_later_calls_and_no_earlier_ones() {
    within("a bye", || {
        let (stub, mut server, [one, two, three]) = calls_under_way();
        server.send(&frame(b'B', 0, &one.id().to_be_bytes()));
        for call in [three, two] {
            let error = call.wait().unwrap_err();
            assert!(matches!(&error, Error::Fault(it) if it.code == Fault::STOPPING), "{error}");
            assert_eq!(error.execution(), Execution::No);
        }
        is_closed_for_sending(&stub);
        server.send(&reply(one.id(), 15));
        assert_eq!(one.wait().unwrap(), 15);
    });
}

#[test]
fn a_reply_that_never_comes_after_a_bye() {
    within("a bye and the end", || {
        let (_stub, mut server, [one]) = calls_under_way();
        server.send(&frame(b'B', 0, &one.id().to_be_bytes()));
        drop(server);
        assert!(matches!(one.wait(), Err(Error::Closed { sent: true })));
    });
}

#[test]
fn a_fault_has_data() {
    let procedures = Procedures::new().on("fail", || -> Result<(), Fault> {
        Err(Fault::new(7, "no").with_data(Value::List(vec![Value::Int(1), Value::Null])))
    });
    let server = ServerThread::run(Server::new(procedures), ThreadPerConnection::default());
    match server.client().call::<()>("fail", ()) {
        Err(Error::Fault(fault)) => {
            assert_eq!((fault.code, &*fault.message), (7, "no"));
            assert_eq!(fault.data, Value::List(vec![Value::Int(1), Value::Null]));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_result_that_does_not_fit_leaves_the_connection_usable() {
    let server = demo_server();
    let stub = server.client();
    let unfit = stub.call::<i64>("ping", ()).unwrap_err();
    assert!(matches!(&unfit, Error::Unpack(why) if why.contains("expected i64")), "{unfit}");
    assert_eq!(unfit.execution(), Execution::Yes);
    assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);

    within("a result that is no value", || {
        let bad: [&[u8]; 7] =
            [b"", b"z", b"q\0\0", b"q\0\0\0\0\0\0\0\x0f_", b"s\xff\xff\xff\xff", b"_", b"d"];
        for body in bad {
            let (stub, mut server, [one]) = calls_under_way();
            server.send(&frame(b'R', one.id(), body));
            let error = one.wait().unwrap_err();
            assert!(matches!(error, Error::Unpack(_)), "{body:02x?}: {error}");
            let next = stub.send::<i64>("add", (1, 2)).unwrap();
            server.send(&reply(next.id(), 3));
            assert_eq!(next.wait().unwrap(), 3, "{body:02x?}");
        }
    });
}

#[test]
fn a_server_that_breaks_the_protocol() {
    let torn = reply(1, 15)[..7].to_vec();
    let fault_not_utf8 = b"\0\0\0\x01\0\0\0\x01\xff_";
    let limit = 4 << 20;
    let cases: [(Vec<u8>, ProtocolError); 10] = [
        (torn, ProtocolError::Torn(7)),
        (b"\0".to_vec(), ProtocolError::Torn(1)),
        (vec![255; 4], ProtocolError::TooLong { length: u32::MAX.into(), limit }),
        (frame(b'R', 1, b"")[..3].to_vec(), ProtocolError::Torn(3)),
        (b"\0\0\0\x04R\0\0\0".to_vec(), ProtocolError::TooShort(4)),
        (frame(b'r', 1, b"_"), ProtocolError::UnknownKind(b'r')),
        (call(1, "add", (1, 2)), ProtocolError::UnexpectedKind(b'C')),
        (frame(b'B', 0, b"\0\0\x01"), ProtocolError::TooShort(12)),
        (
            frame(b'F', 1, b"\0\0\0\x01\0\0\0\x09short_"),
            ProtocolError::Malformed(ninestep::protocol::native::ValueError::Truncated),
        ),
        (
            frame(b'F', 0, fault_not_utf8),
            ProtocolError::Malformed(ninestep::protocol::native::ValueError::NotUtf8),
        ),
    ];
    within("a server that breaks the protocol", move || {
        for (bytes, expected) in cases {
            let (stub, mut server, calls) = calls_under_way::<3>();
            server.send(&bytes);
            server.finish_sending();
            for call in calls {
                match call.wait() {
                    Err(Error::Protocol(broken)) => assert_eq!(broken, expected),
                    other => panic!("{expected}: {other:?}"),
                }
            }
            is_closed_for_sending(&stub);
        }
    });
}

/// What `call` makes of these bytes, which a server sends before it leaves, when no other thread
/// uses the stub: that goes another way through it than `send` and `wait` do.
fn lone_call<T: DeserializeOwned + Send + 'static>(bytes: &[u8]) -> (ClientStub, Result<T, Error>) {
    let (stub, mut server) = fake();
    let calling = thread::spawn(move || {
        let outcome = stub.call("add", (10, 5));
        (stub, outcome)
    });
    assert_eq!(server.bytes(), GREETING);
    assert_eq!(server.frame().id, 1);
    server.send(bytes);
    server.finish_sending();
    calling.join().unwrap()
}

#[test]
fn a_lone_caller_hears_the_same() {
    within("a lone caller", || {
        let bye = |last: u32| frame(b'B', 0, &last.to_be_bytes());
        let strangers = [reply(9, 9), fault(8, 8, "whose?"), reply(0, 0)].concat();
        for bytes in
            [reply(1, 15), [strangers, reply(1, 15)].concat(), [bye(1), reply(1, 15)].concat()]
        {
            assert_eq!(lone_call::<i64>(&bytes).1.unwrap(), 15, "{bytes:02x?}");
        }

        type Expected = fn(&Error) -> bool;
        let cases: [(Vec<u8>, Expected); 10] = [
            (fault(1, 1, "no"), |it| matches!(it, Error::Fault(it) if it.code == 1)),
            (fault(0, -32002, "full"), |it| matches!(it, Error::Fault(it) if it.code == -32002)),
            (bye(0), |it| matches!(it, Error::Fault(it) if it.code == Fault::STOPPING)),
            (bye(1), |it| matches!(it, Error::Closed { sent: true })),
            (vec![], |it| matches!(it, Error::Closed { sent: true })),
            (reply(1, 15)[..7].to_vec(), |it| {
                matches!(it, Error::Protocol(ProtocolError::Torn(7)))
            }),
            (vec![255; 4], |it| matches!(it, Error::Protocol(ProtocolError::TooLong { .. }))),
            (frame(b'?', 1, b""), |it| {
                matches!(it, Error::Protocol(ProtocolError::UnknownKind(b'?')))
            }),
            (reply(1, "text"), |it| matches!(it, Error::Unpack(_))),
            (frame(b'R', 1, b"q\0"), |it| matches!(it, Error::Unpack(_))),
        ];
        for (bytes, is_expected) in cases {
            let (stub, outcome) = lone_call::<i64>(&bytes);
            let error = outcome.unwrap_err();
            assert!(is_expected(&error), "{bytes:02x?}: {error:?}");
            if !matches!(error, Error::Unpack(_) | Error::Fault(Fault { code: 1, .. })) {
                is_closed_for_sending(&stub);
            }
        }
        let error = lone_call::<Panics>(&reply(1, 15)).1.unwrap_err();
        assert!(matches!(error, Error::Unpack(_)), "{error:?}");
    });
}

#[test]
fn a_lone_caller_reads_for_others_too() {
    within("a lone caller and a pending call", || {
        let (stub, mut server, [pending]) = calls_under_way();
        let calling = thread::spawn(move || stub.call::<i64>("add", (1, 2)).map(|sum| (sum, stub)));
        let id = server.frame().id;
        server.send(&[reply(pending.id(), 15), reply(id, 3)].concat());
        let (sum, stub) = calling.join().unwrap().unwrap();
        assert_eq!((sum, pending.wait().unwrap()), (3, 15));

        // What comes too late for a lone caller is dropped.
        let impatient = stub.call_timeout(A_MOMENT);
        assert!(matches!(impatient.call::<i64>("add", (1, 2)), Err(Error::Timeout(_))));
        let late = server.frame().id;
        let next = stub.send::<i64>("add", (1, 2)).unwrap();
        server.send(&[reply(late, "late"), reply(next.id(), 3)].concat());
        assert_eq!(next.wait().unwrap(), 3);
    });
}

#[test]
fn what_came_before_broken_bytes_counts() {
    within("a reply before broken bytes", || {
        let (_stub, mut server, [one, two]) = calls_under_way();
        server.send(&[reply(one.id(), 15), frame(b'?', 1, b"")].concat());
        let broken = two.wait().unwrap_err();
        assert!(matches!(broken, Error::Protocol(ProtocolError::UnknownKind(b'?'))), "{broken}");
        assert_eq!(one.wait().unwrap(), 15);
    });
}

#[test]
fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    match ClientStub::new(&Channel::new(address)).map(|_| ()) {
        Err(Error::Connect { address: named, source }) => {
            assert_eq!(named, address.to_string());
            assert_eq!(source.kind(), ErrorKind::ConnectionRefused);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn nobody_accepts() {
    within("a connection that nobody takes", || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        match crowd(&listener).last() {
            Some(Err(Error::Connect { source, .. })) => {
                assert_eq!(source.kind(), ErrorKind::TimedOut);
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn an_address_that_is_none() {
    let error = ClientStub::new(&Channel::new("127.0.0.1")).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
}

#[test]
fn an_in_memory_channel_is_connected_once() {
    let (channel, _server) = Channel::in_memory().unwrap();
    assert!(ClientStub::new(&channel).is_ok());
    assert!(matches!(channel.connect(), Err(Error::Closed { sent: false })));
}

/// Bytes, of which only the number is kept.
struct Length(usize);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Length, D::Error> {
        struct Count;
        impl Visitor<'_> for Count {
            type Value = Length;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Length, E> {
                Ok(Length(bytes.len()))
            }
        }
        deserializer.deserialize_bytes(Count)
    }
}

#[test]
fn a_sender_reads_when_both_buffers_are_full() {
    let server = demo_server();
    let stub = server.client();
    within("4,000 calls before the first wait", move || {
        const LENGTH: usize = 64 << 10;
        let argument = serde_bytes::ByteBuf::from(vec![7; LENGTH]);
        let send = |_| stub.send::<Length>("echo", (&argument,)).unwrap();
        let calls: Vec<_> = (0..4_000).map(send).collect();
        for call in calls {
            assert_eq!(call.wait().unwrap().0, LENGTH);
        }
    });
    drop(server);
}

#[test]
fn two_senders_read_when_both_buffers_are_full() {
    let server = demo_server();
    let stub = server.client();
    within("two threads that send before they wait", move || {
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let argument = serde_bytes::ByteBuf::from(vec![7; 64 << 10]);
                    let send = |_| stub.send::<Length>("echo", (&argument,)).unwrap();
                    let calls: Vec<_> = (0..500).map(send).collect();
                    for call in calls {
                        assert_eq!(call.wait().unwrap().0, 64 << 10);
                    }
                });
            }
        });
    });
    drop(server);
}

#[test]
fn a_lone_caller_reads_when_both_buffers_are_full() {
    let server = demo_server();
    let stub = server.client();
    within("a large call after many that were given up", move || {
        let argument = serde_bytes::ByteBuf::from(vec![7; 64 << 10]);
        for _ in 0..200 {
            drop(stub.send::<Length>("echo", (&argument,)).unwrap());
        }
        let argument = serde_bytes::ByteBuf::from(vec![7; 4_000_000]);
        assert_eq!(stub.call::<Length>("echo", (&argument,)).unwrap().0, 4_000_000);
    });
    drop(server);
}

#[test]
fn a_deadline_is_sent_and_kept() {
    within("a deadline", || {
        let (stub, mut server) = fake_over(|channel| channel.call_timeout(A_MOMENT));
        let before = Instant::now();
        let error = stub.call::<i64>("add", (10, 5)).unwrap_err();
        assert!(matches!(error, Error::Timeout(limit) if limit == A_MOMENT), "{error}");
        assert!(before.elapsed() >= A_MOMENT);
        assert_eq!(server.bytes(), GREETING);
        let mut deadline = || {
            let [a, b, c, d] = *server.frame().body.first_chunk().unwrap();
            u32::from_be_bytes([a, b, c, d])
        };
        assert!((1..=50).contains(&deadline()), "the time that was left");

        let patient = stub.call_timeout(Duration::from_secs(3_600));
        let _call = patient.send::<i64>("add", (10, 5)).unwrap();
        assert!((3_500_000..=3_600_000).contains(&deadline()));
        let _call = stub.call_timeout(None).send::<i64>("add", (10, 5)).unwrap();
        assert_eq!(deadline(), 0, "none");
        let _call = stub.call_timeout(Duration::ZERO).send::<i64>("add", (10, 5)).unwrap();
        assert_eq!(deadline(), 1, "a deadline that has passed is not none");
    });
}

#[test]
fn a_time_out_inside_a_reply_does_not_tear_the_stream() {
    within("a time-out inside a reply", || {
        let (stub, mut server, [one]) = calls_under_way();
        let late = reply(one.id(), 15);
        server.send(&late[..11]);
        assert!(matches!(one.wait_timeout(A_MOMENT), Err(Error::Timeout(_))));
        let next = stub.send::<i64>("add", (1, 2)).unwrap();
        server.send(&[&late[11..], &reply(next.id(), 3)].concat());
        assert_eq!(next.wait().unwrap(), 3);
    });
}

/// Starts a thread and waits until it sleeps in the kernel: in a read, or until it is woken.
fn asleep<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (done, result) = mpsc::channel();
    let (started, thread) = mpsc::channel();
    thread::spawn(move || {
        started.send(rustix::thread::gettid()).unwrap();
        let _ = done.send(work());
    });
    let stat = format!("/proc/self/task/{}/stat", thread.recv().unwrap().as_raw_nonzero());
    eventually("a thread that sleeps", || {
        let stat = std::fs::read_to_string(&stat).unwrap();
        stat.rsplit_once(')').unwrap().1.trim_start().starts_with('S')
    });
    result
}

#[test]
fn a_reader_that_leaves_hands_the_reading_on() {
    within("a reader that leaves", || {
        // The first to wait is the one that reads, until its own reply has come.
        let (_stub, mut server, calls) = calls_under_way::<4>();
        let ids = calls.each_ref().map(PendingCall::id);
        let waiting = calls.map(|call| asleep(|| call.wait()));
        for (id, result) in ids.into_iter().zip(waiting) {
            server.send(&reply(id, i64::from(id)));
            assert_eq!(result.recv().unwrap().unwrap(), i64::from(id));
        }

        // The same with a lone caller.
        let (stub, mut server, [patient]) = calls_under_way();
        let lone = asleep(move || stub.call::<i64>("add", (1, 2)).map(|sum| (sum, stub)));
        let (id, lone_id) = (patient.id(), server.frame().id);
        let patient = asleep(|| patient.wait());
        server.send(&reply(lone_id, 3));
        assert_eq!(lone.recv().unwrap().unwrap().0, 3);
        server.send(&reply(id, 15));
        assert_eq!(patient.recv().unwrap().unwrap(), 15);
    });
}

#[test]
fn a_reader_that_times_out_hands_the_reading_on() {
    within("a reader that times out", || {
        let (_stub, mut server, [impatient, patient]) = calls_under_way();
        let id = patient.id();
        let impatient = asleep(|| impatient.wait_timeout(4 * A_MOMENT));
        let patient = asleep(|| patient.wait());
        assert!(matches!(impatient.recv().unwrap(), Err(Error::Timeout(_))));
        server.send(&reply(id, 15));
        assert_eq!(patient.recv().unwrap().unwrap(), 15);
    });
}

/// A type whose own code panics.
#[derive(Debug)]
struct Panics;

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Panics, D::Error> {
        panic!("a type's own code");
    }
}

#[test]
fn a_type_that_panics_fails_its_own_call_alone() {
    within("a type that panics", || {
        let (stub, mut server, [fine]) = calls_under_way();
        let bad = stub.send::<Panics>("add", (10, 5)).unwrap();
        server.send(&[reply(bad.id(), 15), reply(fine.id(), 15)].concat());
        assert_eq!(fine.wait().unwrap(), 15);
        let error = bad.wait().unwrap_err();
        assert!(matches!(error, Error::Unpack(_)), "{error}");
        let next = stub.send::<i64>("add", (1, 2)).unwrap();
        server.send(&reply(next.id(), 3));
        assert_eq!(next.wait().unwrap(), 3);
    });
}

/// A type that takes its time: it says that it is being unpacked and waits until it may be done.
#[derive(Debug)]
struct Slow;

static SLOW: (Mutex<Option<Sender<()>>>, Mutex<bool>, Condvar) =
    (Mutex::new(None), Mutex::new(false), Condvar::new());

impl<'de> Deserialize<'de> for Slow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Slow, D::Error> {
        let (begun, may_end, changed) = &SLOW;
        if let Some(begun) = begun.lock().unwrap().take() {
            begun.send(()).unwrap();
        }
        let waited = changed.wait_timeout_while(may_end.lock().unwrap(), PATIENCE, |end| !*end);
        drop(waited);
        bool::deserialize(deserializer).map(|_| Slow)
    }
}

#[test]
fn a_waiter_that_comes_while_its_result_is_unpacked_is_woken() {
    within("a waiter that comes while its result is unpacked", || {
        let (stub, mut server, [never]) = calls_under_way();
        let slow = stub.send::<Slow>("slow", ()).unwrap();
        assert_eq!(server.frame().id, slow.id());
        let (begun, begins) = mpsc::channel();
        *SLOW.0.lock().unwrap() = Some(begun);

        // One thread reads for everybody, and its own reply does not come.
        let reader = thread::spawn(move || never.wait());
        server.send(&reply(slow.id(), true));
        begins.recv().unwrap();
        let waiter = asleep(|| slow.wait());
        *SLOW.1.lock().unwrap() = true;
        SLOW.2.notify_all();
        waiter.recv().unwrap().unwrap();

        drop(server);
        assert!(matches!(reader.join().unwrap(), Err(Error::Closed { sent: true })));
    });
}

#[test]
fn a_batch_is_one_write_that_flush_or_drop_sends() {
    within("a batch", || {
        let (stub, mut server) = fake();
        let mut batch = stub.batch();
        let one = batch.send::<i64>("add", (1, 1)).unwrap();
        batch.notify("ping", ()).unwrap();
        let two = batch.send::<i64>("add", (2, 2)).unwrap();
        assert!(server.is_silent(A_MOMENT), "nothing is sent before the flush");
        batch.flush().unwrap();
        assert_eq!(server.bytes(), GREETING);
        assert_eq!(
            [server.frame().id, server.frame().id, server.frame().id],
            [one.id(), 0, two.id()]
        );
        batch.flush().unwrap();

        let three = batch.send::<i64>("add", (3, 3)).unwrap();
        drop(batch);
        assert_eq!(server.frame().id, three.id());
        server.send(&[reply(three.id(), 6), reply(two.id(), 4), reply(one.id(), 2)].concat());
        assert_eq!([one, two, three].map(|call| call.wait().unwrap()), [2, 4, 6]);
    });
}

#[test]
fn a_batch_of_which_nothing_was_sent_in_time_can_be_sent_later() {
    within("a server that does not read yet", || {
        let (channel, connection) = Channel::in_memory().unwrap();
        let stub = ClientStub::new(&channel).unwrap();
        let hasty = stub.call_timeout(A_MOMENT);
        while hasty.notify("add", (1, 2)).is_ok() {}
        let mut batch = hasty.batch();
        let call = batch.send::<i64>("add", (10, 5)).unwrap();
        assert!(matches!(batch.flush(), Err(Error::Timeout(limit)) if limit == A_MOMENT));

        let server = Server::new(demo::procedures());
        thread::spawn(move || server.serve(connection));
        batch.flush().unwrap();
        assert_eq!(stub.call::<i64>("add", (1, 2)).unwrap(), 3);
        // The server has read the batch by now, and its answer came first.
        assert_eq!(call.wait().unwrap(), 15);
    });
}

#[test]
fn what_cannot_be_packed_is_not_sent() {
    within("what cannot be packed", || {
        let (stub, mut server) = fake();
        let mut batch = stub.batch();
        let kept = batch.send::<i64>("add", (10, 5)).unwrap();
        let too_big = u128::MAX;
        let errors = [
            stub.call::<i64>("add", (too_big,)).unwrap_err(),
            stub.call::<i64>("add", 5).unwrap_err(),
            stub.call::<i64>("add", (serde_bytes::ByteBuf::from(vec![0; 4 << 20]),)).unwrap_err(),
            stub.notify("add", "text").unwrap_err(),
            batch.send::<i64>("add", (1, too_big)).map(|_| ()).unwrap_err(),
            batch.notify("add", true).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, Error::Pack(_)), "{error}");
            assert_eq!(error.execution(), Execution::No);
        }
        batch.flush().unwrap();
        assert_eq!(server.bytes(), GREETING);
        let came = server.frame();
        assert_eq!(came.id, kept.id());
        assert_eq!(came.body[11..], packed((10, 5)));
        server.send(&reply(kept.id(), 15));
        assert_eq!(kept.wait().unwrap(), 15);
    });
}

/// A type whose own code panics half-way through being packed.
struct PanicsPacking;

impl Serialize for PanicsPacking {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        list.serialize_element("half an argument")?;
        panic!("a type's own code");
    }
}

#[test]
fn arguments_that_panic_leave_nothing_half_said() {
    within("arguments that panic", || {
        let (stub, mut server, [before]) = calls_under_way();
        let panics = |work: &mut dyn FnMut()| {
            assert!(panic::catch_unwind(AssertUnwindSafe(work)).is_err());
        };
        panics(&mut || drop(stub.send::<i64>("add", PanicsPacking)));
        panics(&mut || drop(stub.call::<i64>("add", PanicsPacking)));
        panics(&mut || drop(stub.notify("add", PanicsPacking)));
        // A batch sends the whole calls that it holds, also when the panic drops it.
        let mut first = None;
        panics(&mut || {
            let mut batch = stub.batch();
            first = Some(batch.send::<i64>("add", (1, 1)).unwrap());
            drop(batch.send::<i64>("add", PanicsPacking));
        });
        let mut batch = stub.batch();
        panics(&mut || drop(batch.notify("add", PanicsPacking)));
        let second = batch.send::<i64>("add", (2, 2)).unwrap();
        batch.flush().unwrap();

        let first = first.unwrap();
        assert_eq!([server.frame().id, server.frame().id], [first.id(), second.id()]);
        server
            .send(&[reply(second.id(), 4), reply(first.id(), 2), reply(before.id(), 15)].concat());
        assert_eq!([before, first, second].map(|call| call.wait().unwrap()), [15, 2, 4]);
    });
}

#[test]
fn the_longest_time_is_for_ever() {
    let server = demo_server();
    let for_ever = Duration::MAX;
    let channel = Channel::new(server.address()).connect_timeout(for_ever).call_timeout(for_ever);
    let stub = within("a client with all the time", move || ClientStub::new(&channel).unwrap());
    assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
    let sum = stub.send::<i64>("add", (10, 5)).unwrap();
    assert_eq!(sum.wait_timeout(for_ever).unwrap(), 15);
}

#[test]
fn the_connection_ends_with_its_last_user() {
    within("the last user", || {
        let (stub, mut server, [call]) = calls_under_way();
        drop(stub.clone());
        drop(stub);
        server.send(&reply(call.id(), 15));
        assert_eq!(call.wait().unwrap(), 15);
        assert_eq!(server.next_frame(), None);
    });
}

#[test]
fn a_call_in_memory_is_a_call() {
    let server = Arc::new(Server::new(demo::procedures()));
    let (channel, connection) = Channel::in_memory().unwrap();
    let serving = thread::spawn(move || server.serve(connection));
    let stub = ClientStub::new(&channel).unwrap();
    assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
    drop(stub);
    within("the server's end", move || serving.join().unwrap());
}
