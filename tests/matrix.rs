//! Strategy × protocol × behaviour, against real server processes: whatever serves a connection
//! and however it speaks, the caller sees the same.
#![cfg(feature = "cli")]

pub mod support;

use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Duration;

use ninestep::protocol::grpc::Grpc;
use ninestep::protocol::hprose::Hprose;
use ninestep::protocol::json_rpc::JsonRpc;
use ninestep::protocol::thrift::Thrift;
use ninestep::protocol::xml_rpc::XmlRpc;
use ninestep::{Channel, ClientStub, Error, Fault, PendingCall, Value};
use rustix::process::Signal;
use support::http::{HttpRaw, post};
use support::{PATIENCE, Raw, ServerProcess, call, eventually, was_killed_by, within};

#[derive(Clone, Copy)]
struct Strategy {
    name: &'static str,
    arguments: &'static [&'static str],
    /// Whether two connections are served at the same time.
    concurrent: bool,
    /// Whether a connection is served by a process of its own.
    isolated: bool,
    /// Whether the processes are there before the connections, and stay.
    pool: bool,
}

const STRATEGIES: [Strategy; 6] = [
    Strategy {
        name: "single",
        arguments: &["--strategy", "single"],
        concurrent: false,
        isolated: false,
        pool: false,
    },
    Strategy {
        name: "thread",
        arguments: &["--strategy", "thread"],
        concurrent: true,
        isolated: false,
        pool: false,
    },
    Strategy {
        name: "thread pool",
        arguments: &["--strategy", "thread-pool"],
        concurrent: true,
        isolated: false,
        pool: false,
    },
    Strategy {
        name: "spawn",
        arguments: &["--strategy", "process", "--start", "spawn"],
        concurrent: true,
        isolated: true,
        pool: false,
    },
    Strategy {
        name: "fork",
        arguments: &["--strategy", "process", "--start", "fork"],
        concurrent: true,
        isolated: true,
        pool: false,
    },
    Strategy {
        name: "process pool",
        arguments: &["--strategy", "process-pool"],
        concurrent: true,
        isolated: true,
        pool: true,
    },
];

#[derive(Clone, Copy)]
struct Protocol {
    name: &'static str,
    speaks: fn(Channel) -> Channel,
    /// Whether it tells bytes from a list of numbers.
    has_bytes: bool,
    /// Whether arguments may come by name.
    has_names: bool,
    /// Whether a list may hold values of any kind.
    mixes: bool,
    /// Whether a fault has a code.
    has_codes: bool,
    /// What else the server is told.
    options: &'static [&'static str],
}

const PROTOCOLS: [Protocol; 7] = [
    Protocol {
        name: "native",
        speaks: |channel| channel,
        has_bytes: true,
        has_names: true,
        mixes: true,
        has_codes: true,
        options: &[],
    },
    Protocol {
        name: "json-rpc",
        speaks: |channel| channel.protocol(JsonRpc::over_http()),
        has_bytes: false,
        has_names: true,
        mixes: true,
        has_codes: true,
        options: &[],
    },
    Protocol {
        name: "json-rpc-tcp",
        speaks: |channel| channel.protocol(JsonRpc::over_tcp()),
        has_bytes: false,
        has_names: true,
        mixes: true,
        has_codes: true,
        options: &[],
    },
    Protocol {
        name: "xml-rpc",
        speaks: |channel| channel.protocol(XmlRpc::default()),
        has_bytes: true,
        has_names: false,
        mixes: true,
        has_codes: true,
        options: &[],
    },
    Protocol {
        name: "hprose",
        speaks: |channel| channel.protocol(Hprose::default()),
        has_bytes: true,
        has_names: false,
        mixes: true,
        has_codes: false,
        options: &[],
    },
    Protocol {
        name: "thrift",
        speaks: |channel| channel.protocol(Thrift::default()),
        has_bytes: true,
        has_names: false,
        mixes: false,
        has_codes: true,
        options: &["--idl", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/demo.thrift")],
    },
    Protocol {
        name: "grpc",
        speaks: |channel| channel.protocol(Grpc::service("Demo")),
        has_bytes: true,
        has_names: false,
        mixes: false,
        has_codes: true,
        options: &[],
    },
];

impl Protocol {
    fn client(&self, server: &ServerProcess) -> ClientStub {
        let channel = Channel::new(server.address()).call_timeout(PATIENCE);
        ClientStub::new(&(self.speaks)(channel)).expect("the server listens")
    }
}

/// Checks a behaviour of each strategy with each protocol on a fresh server.
fn for_each_pair(behaviour: impl Fn(Strategy, Protocol, ServerProcess) + Copy + Send + 'static) {
    for (strategy, protocol) in
        STRATEGIES.iter().flat_map(|strategy| PROTOCOLS.iter().map(move |it| (*strategy, *it)))
    {
        let speaks = ["--protocol", protocol.name];
        let server =
            ServerProcess::serve(&[strategy.arguments, &speaks, protocol.options].concat());
        let _killer = server.killer();
        let what = format!("{} × {}", strategy.name, protocol.name);
        within(&what, move || behaviour(strategy, protocol, server));
    }
}

/// Checks a behaviour of each strategy on a fresh server of the native wire.
fn for_each(behaviour: impl Fn(Strategy, ServerProcess) + Copy + Send + 'static) {
    for strategy in STRATEGIES {
        let server = ServerProcess::serve(strategy.arguments);
        let _killer = server.killer();
        within(strategy.name, move || behaviour(strategy, server));
    }
}

fn code(error: &Error) -> Option<i32> {
    match error {
        Error::Fault(fault) => Some(fault.code),
        _ => None,
    }
}

#[test]
fn calls_are_answered() {
    for_each_pair(|Strategy { name, .. }, protocol, server| {
        let stub = protocol.client(&server);
        assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15, "{name}");
        assert_eq!(stub.call::<f64>("divide", (1, 8.0)).unwrap(), 0.125, "{name}");
        assert_eq!(stub.call::<String>("ping", ()).unwrap(), "pong", "{name}");
        assert_eq!(stub.call::<String>("sayHi", ("Jürgen",)).unwrap(), "Hi Jürgen!", "{name}");
        stub.call::<()>("sleep", (1,)).unwrap();

        if protocol.has_names {
            let (b, a) = (("b".into(), Value::Int(5)), ("a".into(), Value::Int(10)));
            let by_name = Value::Map(vec![b, a]);
            assert_eq!(stub.call::<i64>("subtract", by_name).unwrap(), 5, "{name}");
        }
        let mut value = Value::List(vec![Value::from("\"ü\""), Value::from("")]);
        if protocol.mixes {
            value = Value::List(vec![Value::Null, value, Value::Float(0.5)]);
        }
        assert_eq!(stub.call::<Value>("echo", (&value,)).unwrap(), value, "{name}");
        let large = match protocol.has_bytes {
            true => Value::Bytes((0..1 << 20).map(|n| n as u8).collect()),
            false => Value::from("large".repeat(1 << 18)),
        };
        assert_eq!(stub.call::<Value>("echo", (&large,)).unwrap(), large, "{name}");
    });
}

#[test]
fn many_calls_are_under_way_on_one_connection() {
    for_each_pair(|Strategy { name, .. }, protocol, server| {
        let stub = protocol.client(&server);
        let send = |n: i64| stub.send::<i64>("add", (n, 1000)).unwrap();
        let sums: Vec<PendingCall<i64>> = (0..200).map(send).collect();
        for (n, sum) in sums.into_iter().enumerate().rev() {
            assert_eq!(sum.wait().unwrap(), n as i64 + 1000, "{name}: call {n}");
        }
    });
}

#[test]
fn three_calls_in_one_write_have_three_replies() {
    for_each(|Strategy { name, .. }, server| {
        let mut raw = Raw::connect(server.address());
        let calls = [call(7, "add", (1, 2)), call(8, "ping", ()), call(9, "multiply", (6, 7))];
        raw.send(&[b"9ST\x01".to_vec(), calls.concat()].concat());
        let replies = [raw.frame(), raw.frame(), raw.frame()].map(|it| (it.id, it.result()));
        let expected = [(7, Value::Int(3)), (8, Value::from("pong")), (9, Value::Int(42))];
        assert_eq!(replies, expected, "{name}");
    });
}

#[test]
fn a_fault_leaves_the_connection_as_it_was() {
    for_each_pair(|Strategy { name, .. }, protocol, server| {
        let stub = protocol.client(&server);
        let fault = |procedure: &str, arguments: Vec<Value>| {
            let outcome = stub.call::<Value>(procedure, arguments);
            assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15, "{name}: after {procedure}");
            match outcome {
                Err(Error::Fault(fault)) => fault,
                other => panic!("{name}: {procedure}: {other:?}"),
            }
        };
        let code = |code| if protocol.has_codes { code } else { Fault::INTERNAL };

        let unknown = fault("ad", vec![]);
        assert_eq!(unknown.code, code(Fault::NO_SUCH_PROCEDURE), "{name}");

        let unfit = fault("add", vec![Value::Int(1), Value::from("two")]);
        assert_eq!(unfit.code, code(Fault::WRONG_ARGUMENTS), "{name}");
        assert!(unfit.message.contains("expected (a: i64, b: i64)"), "{name}: {unfit}");
        assert!(unfit.message.contains("argument 2 (b)"), "{name}: {unfit}");

        let none = fault("divide", vec![Value::Float(1.0), Value::Float(0.0)]);
        assert_eq!((none.code, &*none.message), (code(1), "division by zero"), "{name}");

        let beyond = fault("add", vec![Value::Int(i64::MAX), Value::Int(1)]);
        assert_eq!((beyond.code, &*beyond.message), (code(2), "overflow"), "{name}");

        let panicked = fault("panic", vec![]);
        assert_eq!(panicked.code, Fault::INTERNAL, "{name}");
        assert!(!panicked.message.contains("asked to"), "{name}: {panicked}");
    });
}

#[test]
fn a_peer_that_leaves_half_way_harms_nobody() {
    for_each(|Strategy { name, .. }, server| {
        let frame = call(1, "add", (1, 2));
        for sent in [1, 4, 5, 9, frame.len() - 1] {
            let mut leaver = Raw::greeted(server.address());
            leaver.send(&frame[..sent]);
            drop(leaver);
            assert_eq!(server.client().call::<i64>("add", (10, 5)).unwrap(), 15, "{name}: {sent}");
        }
    });
}

#[test]
fn a_second_client_comes_while_the_first_is_idle() {
    for_each(|Strategy { name, concurrent, .. }, server| {
        let first = server.client();
        assert_eq!(first.call::<String>("ping", ()).unwrap(), "pong", "{name}");
        let mut second = Raw::greeted(server.address());
        second.send(&call(1, "add", (10, 5)));
        if !concurrent {
            // The first is served on; the second waits until it has left.
            assert_eq!(first.call::<String>("ping", ()).unwrap(), "pong", "{name}");
            assert!(second.is_silent(Duration::from_millis(100)), "{name}");
            drop(first);
        }
        assert_eq!(second.frame().result(), Value::Int(15), "{name}");
    });
}

#[test]
fn a_stop_answers_what_was_read_and_nothing_else() {
    for_each(|Strategy { name, concurrent, .. }, server| {
        let mut idle = concurrent.then(|| {
            let mut idle = Raw::greeted(server.address());
            assert_eq!(idle.ask(4, "add", (1, 2)).result(), Value::Int(3), "{name}");
            idle
        });

        let mut busy = Raw::greeted(server.address());
        // The first reply says that both calls were read and that the second is about to run.
        busy.send(&[call(1, "ping", ()), call(2, "sleep", (300,))].concat());
        assert_eq!(busy.frame().result(), Value::from("pong"), "{name}");
        server.signal(Signal::TERM);
        // Whoever executed this would not come to an ordinary end.
        busy.send(&call(3, "abort", ()));

        let slept = busy.frame();
        assert_eq!((slept.id, slept.result()), (2, Value::Null), "{name}");
        assert_eq!(busy.frame().bye(), 2, "{name}");
        assert_eq!(busy.next_frame(), None, "{name}");
        drop(busy);
        if let Some(idle) = &mut idle {
            assert_eq!(idle.frame().bye(), 4, "{name}");
            assert_eq!(idle.next_frame(), None, "{name}");
        }
        drop(idle);
        let (status, _) = server.ended(name);
        assert_eq!(status.code(), Some(0), "{name}: {status}");
    });
}

#[test]
fn who_comes_after_a_stop_is_refused_at_once() {
    for_each(|Strategy { name, concurrent, .. }, server| {
        // Who serves one connection at a time sees the stop when that has ended.
        if !concurrent {
            return;
        }
        let mut busy = Raw::greeted(server.address());
        busy.send(&[call(1, "ping", ()), call(2, "sleep", (1_500,))].concat());
        assert_eq!(busy.frame().result(), Value::from("pong"), "{name}");
        server.signal(Signal::TERM);
        eventually("a refusal", || {
            let late = TcpStream::connect(server.address());
            late.is_err_and(|why| why.kind() == ErrorKind::ConnectionRefused)
        });
        assert!(busy.is_silent(Duration::from_millis(1)), "{name}: the call runs still");
        assert_eq!(busy.frame().result(), Value::Null, "{name}");
        let (status, _) = server.ended(name);
        assert_eq!(status.code(), Some(0), "{name}: {status}");
    });
}

#[test]
fn a_stop_over_http_answers_what_was_read_and_closes() {
    for strategy in STRATEGIES {
        let arguments = [strategy.arguments, &["--protocol", "json-rpc"]].concat();
        let server = ServerProcess::serve(&arguments);
        let (_killer, name) = (server.killer(), strategy.name);
        within(name, move || {
            let call = |id, procedure, params| {
                let call = format!(r#""jsonrpc":"2.0","id":{id},"method":"{procedure}""#);
                post(&format!(r#"{{{call},"params":{params}}}"#))
            };
            let idle = strategy.concurrent.then(|| HttpRaw::connect(server.address()));
            let mut busy = HttpRaw::connect(server.address());
            busy.send(&[call(1, "ping", "[]"), call(2, "sleep", "[300]")].concat());
            let first = busy.response();
            assert!(first.body.contains("pong") && !first.head.contains("connection"), "{name}");
            server.signal(Signal::TERM);
            // Whoever executed this would not come to an ordinary end.
            busy.send(&call(3, "abort", "[]"));
            let slept = busy.response();
            assert_eq!(slept.body, r#"{"jsonrpc":"2.0","result":null,"id":2}"#, "{name}");
            assert!(slept.head.contains("connection: close"), "{name}: {}", slept.head);
            assert!(busy.is_over(), "{name}");
            drop(busy);
            assert!(idle.is_none_or(|mut idle| idle.is_over()), "{name}");
            let (status, _) = server.ended(name);
            assert_eq!(status.code(), Some(0), "{name}: {status}");
        });
    }
}

#[test]
fn the_client_learns_which_calls_a_stopped_server_did_not_execute() {
    for_each(|Strategy { name, .. }, server| {
        let stub = server.client();
        let mut batch = stub.batch();
        let ping = batch.send::<String>("ping", ()).unwrap();
        let read = batch.send::<()>("sleep", (300,)).unwrap();
        drop(batch);
        assert_eq!(ping.wait().unwrap(), "pong", "{name}");
        server.signal(Signal::TERM);
        let late = stub.send::<()>("abort", ()).unwrap();

        read.wait().unwrap();
        let refused = late.wait().unwrap_err();
        assert_eq!(code(&refused), Some(Fault::STOPPING), "{name}: {refused}");
        assert!(
            matches!(stub.call::<()>("ping", ()), Err(Error::Closed { sent: false })),
            "{name}"
        );
        drop(stub);
        assert_eq!(server.ended(name).0.code(), Some(0), "{name}");
    });
}

#[test]
fn a_crash_takes_one_process_with_it() {
    for_each_pair(|Strategy { name, concurrent, isolated, .. }, protocol, server| {
        let bystander = concurrent.then(|| protocol.client(&server));
        if let Some(bystander) = &bystander {
            assert_eq!(bystander.call::<String>("ping", ()).unwrap(), "pong", "{name}");
        }
        let victim = protocol.client(&server);
        let crash = victim.call::<()>("abort", ()).unwrap_err();
        // A connection that ends at once is no time-out.
        assert!(
            matches!(crash, Error::Closed { sent: true } | Error::Transport { .. }),
            "{name}: {crash}"
        );
        if isolated {
            let bystander = bystander.unwrap();
            assert_eq!(bystander.call::<i64>("add", (10, 5)).unwrap(), 15, "{name}");
            assert_eq!(protocol.client(&server).call::<i64>("add", (1, 1)).unwrap(), 2, "{name}");
        } else {
            if let Some(bystander) = bystander {
                assert!(bystander.call::<String>("ping", ()).is_err(), "{name}");
            }
            let (status, _) = server.ended(name);
            assert!(was_killed_by(status, Signal::ABORT), "{name}: {status}");
        }
    });
}

#[test]
fn a_killed_server_takes_its_children_with_it() {
    for_each(|Strategy { name, concurrent, isolated, pool, .. }, server| {
        let mut idle = Raw::greeted(server.address());
        assert_eq!(idle.ask(1, "add", (1, 2)).result(), Value::Int(3), "{name}");
        let half_way = concurrent.then(|| {
            let mut half_way = Raw::greeted(server.address());
            assert_eq!(half_way.ask(1, "add", (1, 2)).result(), Value::Int(3), "{name}");
            half_way.send(&call(2, "add", (1, 2))[..7]);
            half_way
        });
        if !pool {
            assert_eq!(server.children().len(), if isolated { 2 } else { 0 }, "{name}");
        }

        server.signal(Signal::KILL);
        let (status, _) = server.ended(name);
        assert!(was_killed_by(status, Signal::KILL), "{name}: {status}");
        // The clients stayed to the end.
        drop((idle, half_way));
    });
}

#[test]
fn a_closed_connection_leaves_nothing_behind() {
    for_each_pair(|Strategy { name, pool, .. }, protocol, server| {
        assert_eq!(protocol.client(&server).call::<i64>("add", (1, 1)).unwrap(), 2, "{name}");
        if !pool {
            eventually(name, || server.children().is_empty());
        }
        // The processes of a pool stay, and no other comes.
        let pids = || server.children().iter().map(|(pid, _)| *pid).collect::<HashSet<u32>>();
        let (before, descriptors) = (pids(), server.descriptors());
        let connections = if pool { before.len() } else { 20 };
        let stubs: Vec<_> = (0..connections).map(|_| protocol.client(&server)).collect();
        for stub in stubs {
            assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15, "{name}");
        }
        eventually(&format!("{name}: no further child, not even a zombie"), || pids() == before);
        eventually(&format!("{name}: {descriptors} descriptors"), || {
            server.descriptors() <= descriptors
        });
    });
}
