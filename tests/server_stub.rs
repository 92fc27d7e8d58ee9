//! The server's end: what it executes, what it answers, in which order, and how long it waits.

pub mod support;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ninestep::demo::{Calculator, Demo};
use ninestep::protocol::native::Native;
use ninestep::{
    Channel, ClientStub, Error, Fault, Limits, Procedures, ProtocolError, Server, ServerStub,
    SingleThreaded, ThreadPerConnection, ThreadPool, Value, demo,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::ser::{Error as _, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use support::{
    GREETING, PATIENCE, Raw, ServerThread, call, call_body, client, eventually, frame, packed,
    within,
};

fn threads(server: Server) -> ServerThread {
    ServerThread::run(server, ThreadPerConnection::default())
}

fn serving(procedures: Procedures) -> ServerThread {
    threads(Server::new(procedures))
}

/// Limits that no test meets, unless it sets one.
const PATIENT: Limits = {
    let an_hour = Duration::from_secs(3_600);
    Limits {
        first_message: an_hour,
        message: an_hour,
        idle: an_hour,
        write: an_hour,
        drain: an_hour,
    }
};

/// A call with a deadline.
fn call_within(id: u32, milliseconds: u32, procedure: &str, arguments: impl Serialize) -> Vec<u8> {
    let mut body = call_body(procedure.as_bytes(), &packed(arguments));
    body[..4].copy_from_slice(&milliseconds.to_be_bytes());
    frame(b'C', id, &body)
}

/// A procedure `wait` that says that it runs, and returns when it is told to or the test has ended.
fn waiting() -> (Procedures, Receiver<()>, Sender<()>) {
    let (begins, begun) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let procedures = Procedures::new().on("wait", move || {
        begins.send(()).unwrap();
        let _ = released.lock().unwrap().recv();
    });
    (procedures, begun, release)
}

/// A procedure `count` that counts how often it runs.
fn counting() -> (Procedures, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let procedures = Procedures::new().on("count", move || {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    (procedures, count)
}

fn code_of(error: Error) -> (i32, String) {
    match error {
        Error::Fault(fault) => (fault.code, fault.message),
        other => panic!("no fault: {other:?}"),
    }
}

#[test]
fn a_pool_has_as_many_threads_as_it_is_told() {
    const THREADS: usize = 1_100;
    within("a large pool", || {
        // Both ends of each connection are this process's.
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
        let server =
            ServerThread::run(Server::new(demo::procedures()), ThreadPool { threads: THREADS });
        let clients: Vec<_> = (0..THREADS).map(|_| client(server.address())).collect();
        for stub in &clients {
            assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
        }
    });
}

#[test]
fn a_call_whose_deadline_has_passed_is_not_executed() {
    let (count, counted) = counting();
    let server = serving(demo::procedures().and(count));
    let mut raw = server.raw();
    raw.send(
        &[
            call(1, "sleep", (100,)),
            call_within(2, 20, "count", Vec::<i64>::new()),
            call_within(3, 60_000, "add", (10, 5)),
        ]
        .concat(),
    );
    assert_eq!(raw.frame().id, 1);
    let late = raw.frame();
    assert_eq!((late.id, late.fault().0), (2, Fault::DEADLINE_PASSED));
    assert_eq!(counted.load(Ordering::SeqCst), 0);
    assert_eq!(raw.frame().result(), Value::Int(15));
}

#[test]
fn a_finished_reply_is_not_held_behind_a_slow_call() {
    let (procedures, begun, release) = waiting();
    let server = serving(procedures.and(demo::procedures()));
    let mut raw = server.raw();
    raw.send(&[call(1, "add", (10, 5)), call(2, "wait", ()), call(3, "add", (1, 2))].concat());
    // The slow call ends only after this reply has come.
    assert_eq!(raw.frame().id, 1);
    begun.recv_timeout(PATIENCE).unwrap();
    release.send(()).unwrap();
    assert_eq!((raw.frame().id, raw.frame().id), (2, 3));
}

#[test]
fn a_quick_procedure_that_becomes_slow_holds_up_one_reply_at_most() {
    let (begins, begun) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let procedures = Procedures::new().on("wait_if", move |wait: bool| {
        if wait {
            let begun = Instant::now();
            begins.send(()).unwrap();
            let _ = released.lock().unwrap().recv();
            // Slow by every measure, however quick the test was.
            while begun.elapsed() < Duration::from_millis(5) {
                thread::yield_now();
            }
        }
    });
    let server = serving(procedures);
    let mut raw = server.raw();
    for id in 1..100 {
        assert_eq!(raw.ask(id, "wait_if", (false,)).result(), Value::Null);
    }
    // Its past deceives the server once.
    raw.send(&call(100, "wait_if", (true,)));
    begun.recv_timeout(PATIENCE).unwrap();
    release.send(()).unwrap();
    assert_eq!(raw.frame().id, 100);
    raw.send(&[call(101, "wait_if", (false,)), call(102, "wait_if", (true,))].concat());
    assert_eq!(raw.frame().id, 101);
    begun.recv_timeout(PATIENCE).unwrap();
    release.send(()).unwrap();
    assert_eq!(raw.frame().id, 102);
}

#[test]
fn a_notification_runs_and_is_never_answered() {
    let (count, counted) = counting();
    let server = serving(count.and(demo::procedures()).and(demo::trouble()));
    let mut raw = server.raw();
    let notify = |procedure: &[u8]| frame(b'N', 0, &call_body(procedure, b"[\0\0\0\0"));
    raw.send(&[notify(b"count"), notify(b"nobody"), notify(b"panic"), notify(b"add")].concat());
    assert_eq!(raw.ask(1, "add", (10, 5)).result(), Value::Int(15));
    assert_eq!(counted.load(Ordering::SeqCst), 1);

    let stub = server.client();
    stub.notify("count", ()).unwrap();
    stub.call::<String>("ping", ()).unwrap();
    assert_eq!(counted.load(Ordering::SeqCst), 2);
}

#[test]
fn a_call_of_id_0_ends_the_connection() {
    let (count, counted) = counting();
    let server = serving(count);
    let mut raw = server.raw();
    raw.send(&[call(1, "count", ()), call(0, "count", ()), call(2, "count", ())].concat());
    assert_eq!(raw.frame().result(), Value::Null);
    let words = raw.frame();
    assert_eq!((words.id, words.fault().0), (0, Fault::INVALID_CALL));
    assert_eq!(raw.next_frame(), None);
    assert_eq!(counted.load(Ordering::SeqCst), 1);
}

#[test]
fn a_result_over_the_limit_is_a_fault() {
    let procedures = Procedures::new()
        .on("bytes", |count: usize| serde_bytes::ByteBuf::from(vec![0; count]))
        .on("fail", |count: usize| -> Result<(), Fault> { Err(Fault::new(1, "x".repeat(count))) })
        .and(demo::procedures());
    let limit = Native { max_message: 1_000, ..Native::default() };
    let server = threads(Server::new(procedures).protocol(limit));
    let stub = server.client();
    // Kind, id, tag and length are ten bytes of the thousand.
    assert_eq!(stub.call::<serde_bytes::ByteBuf>("bytes", (990,)).unwrap().len(), 990);
    for (procedure, count) in [("bytes", 991), ("bytes", 5_000_000), ("fail", 2_000)] {
        let (code, message) = code_of(stub.call::<Value>(procedure, (count,)).unwrap_err());
        assert_eq!(code, Fault::INTERNAL, "{procedure}: {message}");
        assert!(message.contains("over the limit of 1000"), "{procedure}: {message}");
        assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
    }
}

#[test]
fn a_message_over_the_limit_ends_the_connection() {
    let limit = Native { max_message: 1_000, ..Native::default() };
    let server = threads(Server::new(demo::procedures()).protocol(limit));
    let stub = server.client();
    let lost = stub.call::<Value>("echo", ("x".repeat(1_000),)).unwrap_err();
    let (code, message) = code_of(lost);
    assert_eq!(code, Fault::PARSE, "{message}");
    assert!(message.contains("over the limit of 1000"), "{message}");
    assert!(matches!(stub.call::<()>("ping", ()), Err(Error::Closed { sent: false })));
    assert_eq!(server.client().call::<String>("ping", ()).unwrap(), "pong");
}

/// Values that fail in the middle of being packed.
enum Bad {
    Panics,
    Fails,
    HasNoForm,
    TooDeep,
}

impl Serialize for Bad {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        list.serialize_element("half a result")?;
        match self {
            Bad::Panics => panic!("in the middle of a secret"),
            Bad::Fails => return Err(S::Error::custom("it does not want to")),
            Bad::HasNoForm => list.serialize_element(&u128::MAX)?,
            Bad::TooDeep => {
                let deep = (0..70).fold(Value::Null, |value, _| Value::List(vec![value]));
                list.serialize_element(&deep)?;
            }
        }
        list.end()
    }
}

#[test]
fn a_result_that_cannot_be_packed_is_a_fault() {
    let procedures = Procedures::new()
        .on("panics", || Bad::Panics)
        .on("fails", || Bad::Fails)
        .on("no form", || Bad::HasNoForm)
        .on("too deep", || Bad::TooDeep)
        .and(demo::procedures());
    let server = serving(procedures);
    let stub = server.client();
    let says = [
        ("panics", "failed inside"),
        ("fails", "it does not want to"),
        ("no form", "does not fit into 64 bits"),
        ("too deep", "nest deeper"),
    ];
    for (procedure, says) in says {
        let (code, message) = code_of(stub.call::<Value>(procedure, ()).unwrap_err());
        assert_eq!(code, Fault::INTERNAL, "{procedure}: {message}");
        assert!(message.contains(says), "{procedure}: {message}");
        assert!(!message.contains("secret"), "{procedure}: {message}");
        assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15, "{procedure}");
    }
    // Between two calls in one write, too.
    let mut raw = server.raw();
    raw.send(&[call(1, "add", (1, 1)), call(2, "panics", ()), call(3, "add", (2, 2))].concat());
    assert_eq!(raw.frame().result(), Value::Int(2));
    assert_eq!(raw.frame().fault().0, Fault::INTERNAL);
    assert_eq!(raw.frame().result(), Value::Int(4));
}

/// An argument whose own code panics.
struct PanicsUnpacking;

impl<'de> Deserialize<'de> for PanicsUnpacking {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<PanicsUnpacking, D::Error> {
        panic!("a secret");
    }
}

#[test]
fn an_argument_that_panics_is_a_fault() {
    let procedures = Procedures::new().on("take", |_: PanicsUnpacking| ()).and(demo::procedures());
    let server = serving(procedures);
    let stub = server.client();
    let (code, message) = code_of(stub.call::<()>("take", (1,)).unwrap_err());
    assert_eq!(code, Fault::INTERNAL);
    assert!(!message.contains("secret"), "{message}");
    assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
}

#[test]
fn the_longest_limits_are_none() {
    let for_ever = Duration::MAX;
    let limits = Limits {
        first_message: for_ever,
        message: for_ever,
        idle: for_ever,
        write: for_ever,
        drain: for_ever,
    };
    let server = threads(Server::new(demo::procedures()).limits(limits));
    let mut raw = server.raw();
    let large = Value::Bytes(vec![7; 3 << 20]);
    assert_eq!(raw.ask(1, "echo", (&large,)).result(), large);
    assert_eq!(raw.ask(2, "add", (1, 2)).result(), Value::Int(3));
    drop(raw);
    server.stop_handle().stop();
    server.ended().unwrap();
}

#[test]
fn last_words_survive_what_the_client_still_sends() {
    within("last words", || {
        let server = serving(demo::procedures());
        let no_greeting = b"GET / HTTP/1.1\r\n";
        let no_call = [&GREETING[..], &frame(b'C', 0, b"")].concat();
        for (bytes, code) in [(&no_greeting[..], Fault::PARSE), (&no_call, Fault::INVALID_CALL)] {
            // The client has sent all before it reads.
            let mut raw = Raw::connect(server.address());
            raw.send(&[bytes, &vec![b'x'; 1 << 20]].concat());
            let words = raw.frame();
            assert_eq!((words.id, words.fault().0), (0, code));
            assert_eq!(raw.next_frame(), None);

            // It goes on sending after it was told; nobody interrupts it for a while.
            let mut raw = Raw::connect(server.address());
            raw.send(bytes);
            assert_eq!(raw.frame().fault().0, code);
            for _ in 0..32 {
                raw.send(&[b'x'; 32 << 10]);
            }
            assert_eq!(raw.next_frame(), None);
        }
    });
}

#[test]
fn a_client_that_never_stops_talking_is_left() {
    within("a client that never stops talking", || {
        let server = ServerThread::run(Server::new(demo::procedures()), SingleThreaded);
        let mut raw = Raw::connect(server.address());
        while raw.try_send(&[b'x'; 1 << 10]).is_ok() {}
        // The only thread there is has time for others again.
        assert_eq!(server.client().call::<String>("ping", ()).unwrap(), "pong");
    });
}

#[test]
fn what_one_client_leaves_half_said_is_not_the_next_ones() {
    within("half a message", || {
        let server = ServerThread::run(Server::new(demo::procedures()), SingleThreaded);
        for half in [&GREETING[..2], &call(1, "add", (1, 2))[..20], &frame(b'C', 0, b"")] {
            let mut raw = server.raw();
            raw.send(half);
            drop(raw);
            assert_eq!(server.raw().ask(1, "add", (10, 5)).result(), Value::Int(15));
        }
    });
}

#[test]
fn a_fault_about_something_long_is_short() {
    let server = threads(Server::new(demo::procedures()));
    let mut raw = server.raw();
    // As `\\n` in a sentence it would be over the limit of a message.
    let long = "\n".repeat(2_500_000);
    let unknown = raw.ask(1, &long, ());
    let (code, message) = unknown.fault();
    assert_eq!(code, Fault::NO_SUCH_PROCEDURE);
    assert!(message.len() < 1100, "{}", message.len());
    let unfit = raw.ask(2, "add", (&long, 1));
    let (code, message) = unfit.fault();
    assert_eq!(code, Fault::WRONG_ARGUMENTS);
    assert!(message.starts_with("expected"), "{message}");
    assert!(message.len() < 1100, "{}", message.len());
}

#[test]
fn whoever_says_nothing_is_bidden_farewell() {
    let limits = Limits { first_message: Duration::from_millis(50), ..PATIENT };
    let server = threads(Server::new(demo::procedures()).limits(limits));
    for greeting in [&b""[..], &GREETING[..3], &GREETING] {
        let before = Instant::now();
        let mut raw = Raw::connect(server.address());
        raw.send(greeting);
        match greeting {
            b"" => assert_eq!(raw.frame().bye(), 0),
            _ => {
                let (code, message) = raw.frame().fault();
                assert_eq!(code, Fault::PARSE);
                assert!(message.contains("not complete after 50ms"), "{message}");
            }
        }
        assert_eq!(raw.next_frame(), None);
        assert!(before.elapsed() >= Duration::from_millis(50));
    }
    // Who has spoken in time has the other limits from then on.
    let mut raw = server.raw();
    assert_eq!(raw.ask(1, "sleep", (100,)).result(), Value::Null);
    assert!(raw.is_silent(Duration::from_millis(100)));
    assert_eq!(raw.ask(2, "add", (1, 2)).result(), Value::Int(3));
}

#[test]
fn the_first_message_has_one_limit_however_slowly_it_comes() {
    let limits = Limits { first_message: Duration::from_millis(100), ..PATIENT };
    let server = threads(Server::new(demo::procedures()).limits(limits));
    within("a client that is slow on purpose", move || {
        let mut raw = Raw::connect(server.address());
        let bytes = [&GREETING[..], &call(1, "echo", ("x".repeat(10_000),))].concat();
        let sent = bytes.iter().take_while(|byte| {
            let sent = raw.try_send(&[**byte]).is_ok();
            sent && raw.is_silent(Duration::from_millis(1))
        });
        let sent = sent.count();
        assert!(sent < bytes.len());
        assert_eq!(raw.frame().fault().0, Fault::PARSE);
    });
}

#[test]
fn half_a_message_is_waited_for_so_long() {
    let limits = Limits { message: Duration::from_millis(50), ..PATIENT };
    let server = threads(Server::new(demo::procedures()).limits(limits));
    let mut raw = server.raw();
    assert_eq!(raw.ask(1, "add", (1, 2)).result(), Value::Int(3));
    let before = Instant::now();
    raw.send(&call(2, "add", (1, 2))[..9]);
    let words = raw.frame();
    let (code, message) = words.fault();
    assert_eq!((words.id, code), (0, Fault::PARSE));
    assert!(message.contains("not complete after 50ms"), "{message}");
    assert!(before.elapsed() >= Duration::from_millis(50));
    assert_eq!(raw.next_frame(), None);
}

#[test]
fn an_idle_client_is_bidden_farewell() {
    let limits = Limits { idle: Duration::from_millis(50), ..PATIENT };
    let server = threads(Server::new(demo::procedures()).limits(limits));
    let mut raw = server.raw();
    assert_eq!(raw.ask(3, "add", (1, 2)).result(), Value::Int(3));
    // A procedure may take longer than a client may be idle.
    assert_eq!(raw.ask(4, "sleep", (100,)).result(), Value::Null);
    assert_eq!(raw.frame().bye(), 4);
    assert_eq!(raw.next_frame(), None);
}

#[test]
fn a_client_that_does_not_read_is_given_up() {
    within("a client that does not read", || {
        let limits = Limits { write: Duration::from_millis(100), ..PATIENT };
        let server = threads(Server::new(demo::procedures()).limits(limits));
        let mut raw = server.raw();
        let echo = call(1, "echo", ("x".repeat(1 << 20),));
        // Both buffers fill up; then the server gives up, and with it the connection.
        let given_up = loop {
            if let Err(error) = raw.try_send(&echo) {
                break error.kind();
            }
        };
        assert!(matches!(given_up, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe));
        assert_eq!(server.client().call::<String>("ping", ()).unwrap(), "pong");
    });
}

#[test]
fn past_the_limit_connections_wait_in_the_kernel() {
    let server =
        ServerThread::run(Server::new(demo::procedures()), ThreadPerConnection { at_most: 1 });
    let mut first = server.raw();
    assert_eq!(first.ask(1, "add", (1, 2)).result(), Value::Int(3));
    let mut second = server.raw();
    second.send(&call(1, "add", (10, 5)));
    assert_eq!(first.ask(2, "add", (1, 2)).result(), Value::Int(3));
    assert!(second.is_silent(Duration::from_millis(100)));
    drop(first);
    assert_eq!(second.frame().result(), Value::Int(15));
}

#[test]
fn a_pool_of_one_serves_one_after_the_other() {
    within("a pool of one", || {
        let server = ServerThread::run(Server::new(demo::procedures()), ThreadPool { threads: 1 });
        let mut first = server.raw();
        assert_eq!(first.ask(1, "add", (1, 2)).result(), Value::Int(3));
        let mut waiting: Vec<Raw> = (0..3).map(|_| server.raw()).collect();
        waiting.iter_mut().for_each(|raw| raw.send(&call(1, "add", (10, 5))));
        assert!(waiting[0].is_silent(Duration::from_millis(100)));
        drop(first);
        for mut raw in waiting {
            assert_eq!(raw.frame().result(), Value::Int(15));
        }
    });
}

#[test]
fn a_stop_from_another_thread_ends_the_server() {
    let server = serving(demo::procedures());
    let mut raw = server.raw();
    assert_eq!(raw.ask(1, "add", (1, 2)).result(), Value::Int(3));
    let stop = server.stop_handle();
    let address = server.address();
    thread::spawn(move || {
        stop.stop();
        stop.stop();
    });
    assert_eq!(raw.frame().bye(), 1);
    assert_eq!(raw.next_frame(), None);
    drop(raw);
    server.ended().unwrap();
    let refused = ClientStub::new(&Channel::new(address)).map(|_| ());
    assert!(matches!(refused, Err(Error::Connect { .. })), "{refused:?}");
}

#[test]
fn a_stop_before_run_is_not_lost() {
    within("a stop before run", || {
        let server = Server::new(demo::procedures()).bind("127.0.0.1:0").unwrap();
        let mut never_accepted = Raw::greeted(server.local_addr());
        server.stop_handle().stop();
        server.run(&ThreadPool::default()).unwrap();
        assert!(never_accepted.is_over());
    });
}

#[test]
fn a_stop_waits_for_what_runs() {
    let (procedures, begun, release) = waiting();
    let server = ServerThread::run(Server::new(procedures), SingleThreaded);
    let stub = server.client();
    let running = stub.send::<()>("wait", ()).unwrap();
    begun.recv_timeout(PATIENCE).unwrap();
    server.stop_handle().stop();
    let ended = thread::spawn(move || server.ended());
    assert!(!ended.is_finished());
    release.send(()).unwrap();
    running.wait().unwrap();
    drop(stub);
    ended.join().unwrap().unwrap();
}

fn sums() -> Procedures {
    Procedures::new()
        .on("0", || 0_i64)
        .on("1", |a: i64| a)
        .on("2", |a: i64, b: i64| a + b)
        .on("3", |a: i64, b: i64, c: i64| a + b + c)
        .on("4", |a: i64, b: i64, c: i64, d: i64| a + b + c + d)
        .on("5", |a: i64, b: i64, c: i64, d: i64, e: i64| a + b + c + d + e)
        .on("6", |a: i64, b: i64, c: i64, d: i64, e: i64, f: i64| a + b + c + d + e + f)
        .on("7", |a: i64, b: i64, c: i64, d: i64, e: i64, f: i64, g: i64| a + b + c + d + e + f + g)
        .on("8", |a: i64, b: i64, c: i64, d: i64, e: i64, f: i64, g: i64, h: i64| {
            a + b + c + d + e + f + g + h
        })
}

#[test]
fn closures_of_none_to_eight_arguments() {
    let server = serving(sums());
    let stub = server.client();
    for count in 0..=8_i64 {
        let name = count.to_string();
        // Powers of two: every argument counts, and once.
        let arguments: Vec<i64> = (0..count).map(|n| 1 << n).collect();
        assert_eq!(stub.call::<i64>(&name, &arguments).unwrap(), (1 << count) - 1);

        let one_more: Vec<i64> = (0..=count).collect();
        let (code, message) = code_of(stub.call::<i64>(&name, one_more).unwrap_err());
        assert_eq!(code, Fault::WRONG_ARGUMENTS);
        assert!(message.contains(&format!("{} arguments were given", count + 1)), "{message}");
        if count > 0 {
            let (code, message) = code_of(stub.call::<i64>(&name, &arguments[1..]).unwrap_err());
            assert_eq!(code, Fault::WRONG_ARGUMENTS);
            assert!(message.contains(&format!("argument {count} is missing")), "{message}");
        }
    }
    let tuple = (1, 2, 4, 8, 16, 32, 64, 128);
    assert_eq!(stub.call::<i64>("8", tuple).unwrap(), 255);
}

type Named = BTreeMap<&'static str, Value>;

#[test]
fn arguments_by_position_and_by_name() {
    let count = Arc::new(AtomicUsize::new(0));
    let runs = Arc::clone(&count);
    let procedures = Procedures::new()
        .on_named("pay", &["to", "amount", "note"], {
            move |to: String, amount: i64, note: Option<String>| {
                runs.fetch_add(1, Ordering::SeqCst);
                format!("{to} {amount} {note:?}")
            }
        })
        .on("nameless", |a: i64| a)
        .on("nothing", || ());
    let server = serving(procedures);
    let stub = server.client();
    let text = Value::from;
    let named = |entries: &[(&'static str, Value)]| entries.iter().cloned().collect::<Named>();

    let ask = |arguments: Named| stub.call::<String>("pay", arguments).unwrap();
    let all = [("note", text("rent")), ("amount", Value::Int(5)), ("to", text("Ann"))];
    assert_eq!(ask(named(&all)), r#"Ann 5 Some("rent")"#);
    assert_eq!(ask(named(&all[1..])), "Ann 5 None");
    let by_position = |arguments: &[Value]| stub.call::<String>("pay", arguments);
    assert_eq!(by_position(&[text("Ann"), Value::Int(5)]).unwrap(), "Ann 5 None");
    assert_eq!(by_position(&[text("Ann"), Value::Int(5), Value::Null]).unwrap(), "Ann 5 None");
    let all_by_position = [text("Ann"), Value::Int(5), text("rent")];
    assert_eq!(by_position(&all_by_position).unwrap(), r#"Ann 5 Some("rent")"#);
    assert_eq!(count.load(Ordering::SeqCst), 5);

    let wrong = |procedure: &str, arguments: Value, says: &str| {
        let (code, message) = code_of(stub.call::<Value>(procedure, arguments).unwrap_err());
        assert_eq!(code, Fault::WRONG_ARGUMENTS, "{message}");
        assert!(message.contains(says), "{message}");
        message
    };
    let map = |entries: &[(&str, Value)]| {
        Value::Map(entries.iter().map(|(name, value)| ((*name).into(), value.clone())).collect())
    };
    let message = wrong("pay", map(&[("to", text("Ann"))]), "argument 2 (amount) is missing");
    let takes = "expected (to: String, amount: i64, note: Option<String>)";
    assert!(message.contains(takes), "{message}");
    wrong("pay", map(&[]), "argument 1 (to) is missing");
    let (to, amount) = (("to", text("Ann")), ("amount", Value::Int(5)));
    let unknown = map(&[to.clone(), amount.clone(), ("Note", Value::Null)]);
    wrong("pay", unknown, "there is no argument \"Note\"");
    let twice = map(&[to.clone(), amount.clone(), to.clone()]);
    wrong("pay", twice, "argument 1 (to) is given twice");
    let unfit = map(&[to, ("amount", text("five"))]);
    wrong("pay", unfit, "argument 2 (amount): invalid type: string \"five\", expected i64");
    wrong("pay", Value::List(vec![Value::Int(1)]), "argument 1 (to): invalid type: integer");
    let too_many = Value::List(vec![text("Ann"), Value::Int(5), Value::Null, Value::Null]);
    wrong("pay", too_many, "4 arguments were given");
    wrong("nameless", map(&[("a", Value::Int(1))]), "these arguments have no names");
    assert_eq!(count.load(Ordering::SeqCst), 5, "nothing ran");

    // An empty map names no argument, which is right for those who take none.
    assert_eq!(stub.call::<Value>("nothing", map(&[])).unwrap(), Value::Null);
}

#[test]
fn an_integer_is_taken_for_a_float_and_never_the_reverse() {
    let server = serving(demo::procedures());
    let stub = server.client();
    assert_eq!(stub.call::<f64>("divide", (1, 4)).unwrap(), 0.25);
    let (code, _) = code_of(stub.call::<i64>("add", (1.0, 2.0)).unwrap_err());
    assert_eq!(code, Fault::WRONG_ARGUMENTS);
}

#[test]
fn all_arguments_as_one_value() {
    let procedures = Procedures::new()
        .on_all("sum", |numbers: Vec<i64>| numbers.iter().sum::<i64>())
        .on_all("names", |arguments: BTreeMap<String, Value>| {
            arguments.into_keys().collect::<Vec<_>>()
        })
        .on_all("any", |arguments: Value| arguments)
        .on_all("fail", |_: Value| -> Result<(), Fault> { Err(Fault::new(1, "no")) });
    let server = serving(procedures);
    let stub = server.client();
    assert_eq!(stub.call::<i64>("sum", ()).unwrap(), 0);
    assert_eq!(stub.call::<i64>("sum", (1..=100).collect::<Vec<i64>>()).unwrap(), 5050);
    let named = Named::from([("b", Value::Null), ("a", Value::Null)]);
    assert_eq!(stub.call::<Vec<String>>("names", named).unwrap(), ["a", "b"]);
    assert_eq!(stub.call::<Value>("any", (1, "x")).unwrap().to_string(), r#"[1, "x"]"#);
    assert_eq!(code_of(stub.call::<()>("fail", ()).unwrap_err()), (1, "no".to_owned()));
    let (code, message) = code_of(stub.call::<i64>("sum", ("x",)).unwrap_err());
    assert_eq!(code, Fault::WRONG_ARGUMENTS);
    assert!(message.contains("expected (...: Vec<i64>)"), "{message}");
}

/// A local object and a remote one are the same to this caller.
fn exercise(calculator: &impl Calculator) {
    assert_eq!(calculator.add(10, 5).unwrap(), 15);
    assert_eq!(calculator.subtract(10, 5).unwrap(), 5);
    assert_eq!(calculator.multiply(10, 5).unwrap(), 50);
    assert_eq!(calculator.divide(1.0, 4.0).unwrap(), 0.25);
    let fault = code_of(calculator.divide(1.0, 0.0).unwrap_err());
    assert_eq!(fault, (1, "division by zero".to_owned()));
}

#[test]
fn a_service_is_the_same_here_there_and_behind_a_relay() {
    exercise(&Demo);
    let server = serving(Calculator::procedures(Demo));
    exercise(&server.client());
    let relay = serving(Calculator::procedures(server.client()));
    exercise(&relay.client());

    // Many at once, over the relay's one connection.
    let stub = relay.client();
    within("64 calls through a relay", move || {
        let sums: Vec<_> = (0..64_i64).map(|n| stub.send::<i64>("add", (n, n)).unwrap()).collect();
        for (n, sum) in (0..).zip(sums) {
            assert_eq!(sum.wait().unwrap(), 2 * n);
        }
    });
}

#[test]
fn a_relay_whose_server_is_gone_says_so_and_no_more() {
    within("a relay without its server", || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let relay = serving(Calculator::procedures(client(address)));
        drop(listener.accept().unwrap());
        let stub = relay.client();
        for _ in 0..3 {
            let (code, message) = code_of(stub.add(1, 2).unwrap_err());
            assert_eq!(code, Fault::INTERNAL);
            assert_eq!(message, "a call that the procedure depends on failed");
        }
    });
}

#[test]
fn process_tells_a_good_end_from_a_bad_one() {
    let server = Server::new(demo::procedures());
    let end_after = |bytes: &[u8]| {
        let (channel, connection) = Channel::in_memory().unwrap();
        let client = channel.connect().unwrap();
        client.send(bytes).unwrap();
        drop(client);
        let mut stub = ServerStub::new(&server, connection);
        let first = stub.process();
        if matches!(first, Ok(true)) { stub.process() } else { first }
    };
    assert!(matches!(end_after(b""), Ok(false)));
    let notify = frame(b'N', 0, &call_body(b"ping", b"[\0\0\0\0"));
    let whole = [&GREETING[..], &notify].concat();
    assert!(matches!(end_after(&whole), Ok(false)));
    let torn = end_after(&whole[..10]).unwrap_err();
    assert!(matches!(torn, Error::Protocol(ProtocolError::Torn(10))), "{torn}");
    let torn = end_after(&[&whole[..], b"\0\0"].concat()).unwrap_err();
    assert!(matches!(torn, Error::Protocol(ProtocolError::Torn(2))), "{torn}");
    let wrong = end_after(b"hello").unwrap_err();
    assert!(matches!(wrong, Error::Protocol(ProtocolError::WrongMagic(_))), "{wrong}");
}

#[test]
fn a_client_that_leaves_does_not_stop_a_call() {
    let (procedures, begun, release) = waiting();
    let (count, counted) = counting();
    let server = serving(procedures.and(count));
    let mut raw = server.raw();
    raw.send(&[call(1, "count", ()), call(2, "wait", ())].concat());
    begun.recv_timeout(PATIENCE).unwrap();
    drop(raw);
    release.send(()).unwrap();
    let mut next = server.raw();
    assert_eq!(next.ask(1, "count", ()).result(), Value::Null);
    eventually("both counted", || counted.load(Ordering::SeqCst) == 2);
}
