//! Long byte strings, which are sent from where they lie and come into memory of their own: in
//! every place, on real sockets, and when something goes wrong in the middle of one.

pub mod support;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use ninestep::protocol::native::Native;
use ninestep::protocol::{Finder, Framing, Side};
use ninestep::{
    Channel, ClientStub, Error, Fault, Limits, Procedures, ProtocolError, Recorder, Server,
    ServerStub, Step, ThreadPerConnection, Value, demo,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use serde_bytes::{ByteBuf, Bytes};
use support::{GREETING, Raw, ServerThread, call, frame, packed, reply, within};
#[cfg(feature = "cli")]
use support::{ServerProcess, status_kib};

/// From here on a byte string is long.
const LONG: usize = 64 * 1024;
const MIB: usize = 1 << 20;

/// Bytes of which no two neighbouring stretches are alike.
fn bytes(length: usize) -> ByteBuf {
    ByteBuf::from((0..length).map(|at| (at % 251) as u8).collect::<Vec<_>>())
}

fn serve(procedures: Procedures) -> ServerThread {
    ServerThread::run(Server::new(procedures), ThreadPerConnection::default())
}

fn demo_server() -> ServerThread {
    serve(demo::procedures())
}

/// A stub and the server's end of its connection, which the test plays.
fn fake() -> (ClientStub, Raw) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let channel = Channel::new(listener.local_addr().unwrap());
    let stub = ClientStub::new(&channel).unwrap();
    (stub, Raw::over(listener.accept().unwrap().0))
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Photo {
    name: String,
    content: ByteBuf,
    tags: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Blob(ByteBuf),
    Pair(i64, ByteBuf),
    Named { content: ByteBuf },
}

/// Echoes a value as the only argument, as the first, and as the last.
fn comes_back<T>(stub: &ClientStub, value: T)
where
    T: Serialize + DeserializeOwned + Clone + Debug + PartialEq + Send + 'static,
{
    let same = |back: &T| assert!(*back == value, "another value came back");
    same(&stub.call("echo", (&value,)).unwrap());
    let (back, number): (T, i64) = stub.call("two", (&value, 7)).unwrap();
    assert_eq!(number, 7);
    same(&back);
    let (number, back): (i64, T) = stub.call("two", (7, &value)).unwrap();
    assert_eq!(number, 7);
    same(&back);
    let back: Vec<T> = stub.call("echo", (vec![&value, &value],)).unwrap();
    assert_eq!(back.len(), 2);
    back.iter().for_each(same);
    let map = BTreeMap::from([("a".to_owned(), value.clone()), ("z".to_owned(), value.clone())]);
    let back: BTreeMap<String, T> = stub.call("echo", (&map,)).unwrap();
    assert!(back == map, "another map came back");
}

#[test]
fn in_every_place() {
    let procedures = demo::procedures().on("two", |a: Value, b: Value| (a, b));
    let server = serve(procedures);
    within("echoes", move || {
        let stub = server.client();
        for length in [LONG - 1, LONG, LONG + 1, MIB] {
            let content = bytes(length);
            comes_back(&stub, content.clone());
            comes_back(&stub, Some(content.clone()));
            comes_back(&stub, Shape::Blob(content.clone()));
            comes_back(&stub, Shape::Pair(1, content.clone()));
            comes_back(&stub, Shape::Named { content: content.clone() });
            let (name, tags) = ("sea".to_owned(), vec!["blue".to_owned()]);
            comes_back(&stub, Photo { name, content, tags });
            comes_back(&stub, "y".repeat(length));
        }
    });
}

#[test]
fn by_name_and_by_type() {
    let procedures = Procedures::new()
        .on_named("put", &["key", "content"], |key: String, content: ByteBuf| {
            (key, content.len() as u64)
        })
        .on("sum", |content: Vec<u8>| content.iter().map(|byte| u64::from(*byte)).sum::<u64>())
        .on("text", |text: String| text.len() as u64)
        .on("nothing", || ());
    let server = serve(procedures);
    within("calls", move || {
        let stub = server.client();
        let content = bytes(MIB);
        let put =
            BTreeMap::from([("content", Value::Bytes(content.to_vec())), ("key", "k".into())]);
        let put: (String, u64) = stub.call("put", put).unwrap();
        assert_eq!(put, ("k".to_owned(), MIB as u64));
        // A `Vec<u8>` is a sequence to serde. It takes bytes all the same, and comes as a list.
        let expected: u64 = content.iter().map(|byte| u64::from(*byte)).sum();
        assert_eq!(stub.call::<u64>("sum", (&content,)).unwrap(), expected);
        let sequence = content[..2 * LONG].to_vec();
        let expected: u64 = sequence.iter().map(|byte| u64::from(*byte)).sum();
        assert_eq!(stub.call::<u64>("sum", (&sequence,)).unwrap(), expected);
        // Where bytes do not fit, the connection stays usable.
        for (procedure, code) in [
            ("text", Fault::WRONG_ARGUMENTS),
            ("nothing", Fault::WRONG_ARGUMENTS),
            ("nobody", Fault::NO_SUCH_PROCEDURE),
        ] {
            match stub.call::<()>(procedure, (&content,)) {
                Err(Error::Fault(fault)) => assert_eq!(fault.code, code, "{procedure}: {fault}"),
                other => panic!("{procedure}: {other:?}"),
            }
        }
        assert_eq!(stub.call::<u64>("text", ("four",)).unwrap(), 4);
    });
}

#[test]
fn an_answer_of_another_type_leaves_the_connection_usable() {
    let server = demo_server();
    within("calls", move || {
        let stub = server.client();
        let unfit = stub.call::<String>("echo", (bytes(MIB),)).unwrap_err();
        assert!(matches!(unfit, Error::Unpack(_)), "{unfit}");
        let back: Vec<u8> = stub.call("echo", (bytes(MIB),)).unwrap();
        assert!(back == bytes(MIB).into_vec());
        assert_eq!(stub.call::<i64>("add", (1, 2)).unwrap(), 3);
    });
}

#[test]
fn the_bytes_are_the_same_as_of_any_message() {
    let (stub, mut server) = fake();
    let content = bytes(MIB);
    let arguments = (1, content.clone(), "between", content.clone(), 2);
    let expected = call(1, "f", &arguments);
    let sent = thread::spawn(move || stub.call::<Photo>("f", &arguments));
    within("the exchange", move || {
        assert_eq!(server.bytes(), GREETING);
        let came = server.frame();
        assert!(frame(b'C', came.id, &came.body) == expected, "other bytes came");
        let photo = Photo { name: "n".to_owned(), content, tags: Vec::new() };
        server.send(&reply(came.id, &photo));
        assert!(sent.join().unwrap().unwrap() == photo, "another value came");
    });
    let server = demo_server();
    within("the other side", move || {
        let mut raw = server.raw();
        let answer = raw.ask(5, "echo", (bytes(MIB),));
        assert!(answer.body == packed(bytes(MIB)), "other bytes came");
    });
}

/// The second read may begin anywhere in a frame, and end anywhere in the next one.
#[test]
fn however_the_pieces_come() {
    let (stub, mut server) = fake();
    within("the exchange", move || {
        let (content, lengths) = (bytes(LONG), (0..40).map(|at| at * at));
        for cut in lengths {
            let long = stub.send::<(String, ByteBuf)>("f", ()).unwrap();
            let short = stub.send::<i64>("g", ()).unwrap();
            let after = stub.send::<ByteBuf>("h", ()).unwrap();
            let replies = [
                reply(long.id(), ("yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", &content)),
                reply(short.id(), 5),
                reply(after.id(), &content),
            ]
            .concat();
            let (front, rest) = replies.split_at(cut);
            let (middle, end) = rest.split_at(LONG + 40);
            for piece in [front, middle, end] {
                server.send(piece);
            }
            assert!(long.wait().unwrap().1 == content, "cut at {cut}");
            assert_eq!(short.wait().unwrap(), 5);
            assert!(after.wait().unwrap() == content, "cut at {cut}");
        }
    });
}

#[test]
fn what_looks_like_a_tail_and_is_none() {
    let (stub, mut server) = fake();
    within("the exchange", move || {
        // A text in which everything looks like the bytes that end the frame.
        let id = stub.send::<()>("f", ()).unwrap().id() + 1;
        let length = (LONG as u32).to_be_bytes();
        let text = [b"y", &length[..], &vec![b'9'; LONG]].concat();
        let text = str::from_utf8(&text).unwrap().to_owned();
        let asked = stub.send::<String>("g", ()).unwrap();
        assert_eq!(asked.id(), id);
        server.send(&reply(id, &text));
        assert!(asked.wait().unwrap() == text);
        // A list that promises more than the bytes that end it.
        let asked = stub.send::<Value>("h", ()).unwrap();
        let list = [b"[\0\0\0\x02", &packed(bytes(LONG))[..]].concat();
        server.send(&frame(b'R', asked.id(), &list));
        assert!(matches!(asked.wait(), Err(Error::Unpack(_))));
    });
}

#[test]
fn notified_in_a_batch_and_from_many_threads() {
    let (told, heard) = mpsc::channel();
    let procedures = demo::procedures().on("tell", move |content: ByteBuf| {
        told.send(content).unwrap();
    });
    let server = serve(procedures);
    within("everything", move || {
        let stub = server.client();
        stub.notify("tell", (bytes(MIB),)).unwrap();
        assert!(heard.recv().unwrap() == bytes(MIB));

        let mut batch = stub.batch();
        let add = batch.send::<i64>("add", (1, 2)).unwrap();
        let long = batch.send::<ByteBuf>("echo", (bytes(MIB),)).unwrap();
        batch.notify("tell", (bytes(LONG),)).unwrap();
        let last = batch.send::<i64>("add", (3, 4)).unwrap();
        batch.flush().unwrap();
        assert_eq!((add.wait().unwrap(), last.wait().unwrap()), (3, 7));
        assert!(long.wait().unwrap() == bytes(MIB));
        assert!(heard.recv().unwrap() == bytes(LONG));

        thread::scope(|scope| {
            for number in 0..8 {
                let stub = &stub;
                scope.spawn(move || {
                    for round in 0..20 {
                        let content = bytes(LONG + 1000 * number + round);
                        let back: ByteBuf = stub.call("echo", (&content,)).unwrap();
                        assert!(back == content);
                        let sum = stub.call::<usize>("add", (number, round)).unwrap();
                        assert_eq!(sum, number + round);
                    }
                });
            }
        });
    });
}

/// Neither end can send on before somebody reads, and the client does.
#[test]
fn more_in_flight_than_the_sockets_hold() {
    let server = demo_server();
    within("all of them", move || {
        let stub = server.client();
        let content = bytes(2 * MIB);
        let calls = (0..16).map(|_| stub.send::<ByteBuf>("echo", (&content,)));
        for call in calls.collect::<Result<Vec<_>, _>>().unwrap() {
            assert!(call.wait().unwrap() == content);
        }
    });
}

#[test]
fn torn_in_the_middle() {
    let (stub, mut server) = fake();
    within("a torn reply", move || {
        let asked = stub.send::<ByteBuf>("f", ()).unwrap();
        let reply = reply(asked.id(), bytes(MIB));
        server.send(&reply[..300_000]);
        server.finish_sending();
        match asked.wait() {
            Err(Error::Protocol(ProtocolError::Torn(300_000))) => {}
            other => panic!("{:?}", other.map(|bytes| bytes.len())),
        }
    });

    let (channel, connection) = Channel::in_memory().unwrap();
    within("a torn call", move || {
        let server = Server::new(demo::procedures());
        let mut stub = ServerStub::new(&server, connection);
        let raw = channel.connect().unwrap();
        let add = call(1, "add", (1, 2));
        raw.send(&[&GREETING[..], &add].concat()).unwrap();
        assert!(stub.process().unwrap());
        let echo = call(2, "echo", (bytes(MIB),));
        let sender = thread::spawn(move || {
            raw.send(&echo[..300_000]).unwrap();
            raw.finish_sending();
            raw
        });
        let torn = stub.process().unwrap_err();
        assert!(matches!(torn, Error::Protocol(ProtocolError::Torn(300_000))), "{torn}");
        sender.join().unwrap();
    });
}

#[cfg(feature = "cli")]
#[test]
fn memory_grows_with_bytes_that_came() {
    const CONNECTIONS: u32 = 100;
    let server = ServerProcess::serve(&["--strategy", "thread"]);
    let _killer = server.killer();
    within("announcements", move || {
        let connect = |id| {
            let mut raw = Raw::greeted(server.address());
            assert_eq!(raw.ask(id, "add", (10, 5)).result(), Value::Int(15));
            raw
        };
        let mut raws: Vec<_> = (1..=CONNECTIONS).map(connect).collect();
        // What is allocated counts, whether it is written to or not.
        let data = |server: &ServerProcess| status_kib(server.pid(), "VmData:");
        let before = data(&server);
        let endless = call(1, "echo", (bytes(4 * MIB - 1000),));
        for piece in [&endless[..1000], &endless[1000..2000]] {
            raws.iter_mut().for_each(|raw| raw.send(piece));
            Raw::are_read(&raws);
        }
        let grown = data(&server).saturating_sub(before);
        assert!(
            grown < u64::from(CONNECTIONS) * 64,
            "{grown} KiB more than the {before} KiB before"
        );
    });
}

#[test]
fn over_the_limit() {
    let procedures = demo::procedures().on("much", || bytes(5 * MIB));
    let server = serve(procedures);
    within("refusals", move || {
        let stub = server.client();
        let refused = stub.call::<()>("echo", (bytes(5 * MIB),)).unwrap_err();
        assert!(matches!(refused, Error::Pack(_)), "{refused}");
        // Long bytes, then something that has no form.
        let refused = stub.call::<()>("echo", (bytes(MIB), i128::MAX)).unwrap_err();
        assert!(matches!(refused, Error::Pack(_)), "{refused}");
        match stub.call::<()>("much", ()) {
            Err(Error::Fault(fault)) => assert_eq!(fault.code, Fault::INTERNAL),
            other => panic!("{other:?}"),
        }
        assert_eq!(stub.call::<i64>("add", (1, 2)).unwrap(), 3);
    });
}

/// Becomes other bytes each time, or no bytes.
struct Fickle {
    times: AtomicUsize,
    how: fn(usize) -> Vec<u8>,
}

impl Fickle {
    const WAYS: [fn(usize) -> Vec<u8>; 4] = [
        |times| vec![b'9'; MIB + times],
        |times| vec![b'9'; MIB >> (8 * times)],
        |times| if times == 0 { vec![b'9'; MIB] } else { Vec::new() },
        |times| if times == 0 { vec![b'9'; MIB] } else { panic!("a fickle value") },
    ];

    fn new(how: fn(usize) -> Vec<u8>) -> Fickle {
        Fickle { times: AtomicUsize::new(0), how }
    }
}

impl Serialize for Fickle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let times = self.times.fetch_add(1, Ordering::SeqCst);
        serializer.serialize_bytes(&(self.how)(times))
    }
}

#[test]
fn a_client_that_does_not_read_is_given_up() {
    within("a client that does not read", || {
        let limits = Limits { write: Duration::from_millis(100), ..Limits::default() };
        let server = Server::new(demo::procedures()).limits(limits);
        let server = ServerThread::run(server, ThreadPerConnection::default());
        let mut raw = server.raw();
        let echo = call(1, "echo", (bytes(MIB),));
        // Both buffers fill up in the middle of a reply; then the server gives up.
        let given_up = loop {
            if let Err(error) = raw.try_send(&echo) {
                break error.kind();
            }
        };
        assert!(matches!(given_up, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe));
        assert_eq!(server.client().call::<i64>("add", (10, 5)).unwrap(), 15);
    });
}

#[test]
fn a_value_that_changes_ends_the_connection() {
    let server = demo_server();
    within("fickle arguments", move || {
        for (number, how) in Fickle::WAYS.into_iter().enumerate() {
            let stub = server.client();
            let arguments = (bytes(MIB), Fickle::new(how));
            let call = AssertUnwindSafe(|| stub.call::<()>("echo", arguments));
            match catch_unwind(call) {
                Ok(Err(Error::Transport { .. })) => assert!(number < 3),
                Err(_) => assert_eq!(number, 3),
                Ok(other) => panic!("{number}: {other:?}"),
            }
            let closed = stub.call::<i64>("add", (1, 2)).unwrap_err();
            assert!(matches!(closed, Error::Closed { sent: false }), "{number}: {closed}");
        }
    });
    for (number, how) in Fickle::WAYS.into_iter().enumerate() {
        let procedures = demo::procedures().on("fickle", move || (bytes(LONG), Fickle::new(how)));
        let server = serve(procedures);
        within("a fickle result", move || {
            let stub = server.client();
            let torn = stub.call::<Value>("fickle", ()).unwrap_err();
            assert!(matches!(torn, Error::Protocol(ProtocolError::Torn(_))), "{number}: {torn}");
            assert_eq!(server.client().call::<i64>("add", (1, 2)).unwrap(), 3);
        });
    }
}

/// The replies before a long one go out before it.
#[test]
fn in_order() {
    let server = demo_server();
    within("replies", move || {
        let mut raw = server.raw();
        let content = bytes(MIB);
        let calls = [
            call(1, "add", (1, 2)),
            call(2, "add", (3, 4)),
            call(3, "echo", (&content,)),
            call(4, "add", (5, 6)),
        ];
        raw.send(&calls.concat());
        let ids: Vec<u32> = (0..4).map(|_| raw.frame().id).collect();
        assert_eq!(ids, [1, 2, 3, 4]);
        raw.ask(5, "add", (1, 2));
    });
}

#[test]
fn an_observer_sees_all_bytes() {
    let steps = Arc::new(Recorder::default());
    let server = Server::new(demo::procedures()).observer(steps.clone());
    let server = ServerThread::run(server, ThreadPerConnection::default());
    let channel = Channel::new(server.address()).observer(steps.clone());
    within("a watched call", move || {
        let stub = ClientStub::new(&channel).unwrap();
        stub.call::<i64>("add", (1, 2)).unwrap();
        steps.take();
        let back: ByteBuf = stub.call("echo", (Bytes::new(&bytes(MIB)),)).unwrap();
        assert!(back == bytes(MIB));
        let (request, reply) = (call(2, "echo", (bytes(MIB),)), reply(2, bytes(MIB)));
        for event in steps.take() {
            let expected = match event.step {
                Step::Pack | Step::Send | Step::Unpack => &request[..],
                Step::Reply | Step::Receive => &reply,
                _ => &[],
            };
            assert!(event.bytes == expected, "{:?}: {} bytes", event.step, event.bytes.len());
        }
    });
}

#[test]
fn where_a_tail_is_found() {
    let tail = |message: &[u8], came: usize| {
        let mut finder = Native::default().finder(Side::Client);
        assert_eq!(finder.find(&message[..came]).unwrap(), None);
        finder.tail(&message[..came])
    };
    let content = bytes(LONG);
    let only = reply(1, &content);
    assert_eq!(tail(&only, 14 + 8), None, "too little to be sure");
    assert_eq!(tail(&only, 14 + 9), Some(14..14 + LONG));
    let nested = reply(1, ("name", [("a", &content)]));
    let length = nested.len();
    assert_eq!(tail(&nested, length - 1), Some(length - LONG..length));
    let called = call(1, "put", ("name", &content));
    assert_eq!(tail(&called, called.len() - 1), Some(called.len() - LONG..called.len()));
    for other in [
        reply(1, (&content, 1)),
        reply(1, "y".repeat(LONG)),
        reply(1, bytes(LONG - 1)),
        frame(b'F', 1, &packed(&content)),
        frame(b'C', 1, &packed(&content)),
    ] {
        assert_eq!(tail(&other, other.len() - 1), None);
    }
}
