//! The client over HTTP/1.1, against servers made of bare bytes: some are old, some are rude.
#![cfg(feature = "json-rpc")]

pub mod support;

use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ninestep::protocol::json_rpc::JsonRpc;
use ninestep::{
    Channel, ClientStub, Error, Execution, Fault, Procedures, ProtocolError, Server,
    ThreadPerConnection,
};
use support::http::HttpRaw;
use support::{PATIENCE, ServerThread, crowd, eventually, within};

/// What a fake server does with a connection; the first is number 1.
type Script = fn(usize, &mut HttpRaw);

/// How many connections a fake server has begun and ended.
#[derive(Default)]
struct Count {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

impl Count {
    fn is(&self, begun: usize, ended: usize) -> bool {
        self.begun.load(Ordering::SeqCst) == begun && self.ended.load(Ordering::SeqCst) == ended
    }
}

/// A client of a server of this script, which ends with the process.
fn client_of(script: Script) -> (ClientStub, Arc<Count>) {
    let (channel, count) = channel_to(script);
    (ClientStub::new(&channel).unwrap(), count)
}

fn channel_to(script: Script) -> (Channel, Arc<Count>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let channel = Channel::new(listener.local_addr().unwrap()).call_timeout(PATIENCE);
    let count = Arc::new(Count::default());
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let number = counted.begun.fetch_add(1, Ordering::SeqCst) + 1;
            let counted = Arc::clone(&counted);
            thread::spawn(move || {
                script(number, &mut HttpRaw::over(stream.unwrap()));
                counted.ended.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    (channel.protocol(JsonRpc::over_http().max_message(1000)), count)
}

const OK: &str = "200 OK\r\ncontent-type: application/json\r\n";

/// A response with this head, each of whose lines ends, and this body.
fn respond(raw: &mut HttpRaw, head: &str, body: &str) {
    let length = body.len();
    raw.try_send(format!("HTTP/1.1 {head}content-length: {length}\r\n\r\n{body}").as_bytes());
}

/// The id of the next call; nothing at the end.
fn asked(raw: &mut HttpRaw) -> Option<usize> {
    let (_, body) = raw.next_message()?;
    id_in(&body)
}

fn id_in(body: &str) -> Option<usize> {
    Some(body.split(r#""id":"#).nth(1)?.trim_end_matches('}').parse().unwrap())
}

fn result(id: usize) -> String {
    format!(r#"{{"jsonrpc":"2.0","result":{id},"id":{id}}}"#)
}

/// Answers every call with its id, and notifications with nothing.
fn answer_all(raw: &mut HttpRaw) {
    while let Some((_, body)) = raw.next_message() {
        respond(raw, OK, &id_in(&body).map(result).unwrap_or_default());
    }
}

/// Calls a procedure that returns the call's id.
fn call(stub: &ClientStub) -> ninestep::Result<usize> {
    stub.call("id", ())
}

fn protocol_error(error: Error) -> ProtocolError {
    match error {
        Error::Protocol(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_is_a_post() {
    within("a call", || {
        let (channel, _) = channel_to(|_, raw| {
            let (head, body) = raw.next_message().unwrap();
            let [head, body] = [head, body].map(|text| text.replace('"', "'").replace("\r\n", "|"));
            respond(
                raw,
                OK,
                &format!(r#"{{"jsonrpc":"2.0","result":["{head}","{body}"],"id":1}}"#),
            );
        });
        let stub = ClientStub::new(&channel.path("/rpc?x=1")).unwrap();
        let (head, body): (String, String) = stub.call("add", (10, 5)).unwrap();
        let (before, after) = head.split_once("host: 127.0.0.1:").unwrap();
        assert_eq!(before, "post /rpc?x=1 http/1.1|");
        assert_eq!(
            after.split_once('|').unwrap().1,
            "accept: application/json|content-type: application/json|content-length: 55||"
        );
        assert_eq!(body, "{'jsonrpc':'2.0','method':'add','params':[10,5],'id':1}");
    });
}

#[test]
fn one_connection_serves_many_calls() {
    within("many calls", || {
        let (stub, count) = client_of(|_, raw| answer_all(raw));
        for id in 1..=100 {
            assert_eq!(call(&stub).unwrap(), id);
        }
        assert!(count.is(1, 0));
        drop(stub);
        eventually("the end", || count.is(1, 1));
    });
}

#[test]
fn a_server_may_close_after_each_answer() {
    let servers: [Script; 3] = [
        |_, raw| {
            let id = asked(raw).unwrap();
            let head = "HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n";
            raw.send(format!("{head}{}", result(id)).as_bytes());
        },
        |_, raw| {
            let id = asked(raw).unwrap();
            respond(raw, &format!("{OK}connection: close\r\n"), &result(id));
        },
        // This one does not say that it will.
        |_, raw| {
            let id = asked(raw).unwrap();
            respond(raw, OK, &result(id));
        },
    ];
    for script in servers {
        within("a server that closes", move || {
            let (stub, count) = client_of(script);
            for id in 1..=3 {
                assert_eq!(call(&stub).unwrap(), id);
                eventually("the connection's end", || count.is(id, id));
            }
        });
    }
}

#[test]
fn a_server_may_close_an_idle_connection() {
    within("a server that closes", || {
        let (stub, count) = client_of(|_, raw| {
            for _ in 0..3 {
                let id = asked(raw).unwrap();
                respond(raw, OK, &result(id));
            }
        });
        for round in 1..=3 {
            for id in 3 * round - 2..=3 * round {
                assert_eq!(call(&stub).unwrap(), id);
            }
            eventually("the connection's end", || count.is(round, round));
            // What comes sooner after an answer is no idleness.
            thread::sleep(Duration::from_millis(30));
        }
    });
}

#[test]
fn a_new_connection_is_waited_for_no_longer_than_the_deadline() {
    within("a server that takes no second connection", || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let an_hour = Duration::from_secs(3_600);
        let channel = Channel::new(address).protocol(JsonRpc::over_http()).connect_timeout(an_hour);
        let stub = ClientStub::new(&channel).unwrap();
        let mut raw = HttpRaw::over(listener.accept().unwrap().0);
        let answered = thread::spawn(move || {
            asked(&mut raw).unwrap();
            respond(&mut raw, OK, &result(1));
        });
        call(&stub).unwrap();
        answered.join().unwrap();
        let _queue = crowd(&listener);
        let late = call(&stub.call_timeout(Duration::from_millis(50))).unwrap_err();
        let Error::Connect { source, .. } = &late else { panic!("{late:?}") };
        assert_eq!(source.kind(), ErrorKind::TimedOut);
        assert_eq!(late.execution(), Execution::No);
    });
}

#[test]
fn a_call_that_takes_too_long_takes_its_connection_with_it() {
    within("a time-out", || {
        let (stub, count) = client_of(|number, raw| match number {
            1 => {
                // Too late, and for nobody.
                assert_eq!(asked(raw), Some(1));
                assert_eq!(asked(raw), None);
                respond(raw, OK, &result(1));
            }
            _ => answer_all(raw),
        });
        let hasty = stub.call_timeout(Duration::from_millis(30));
        let late = call(&hasty).unwrap_err();
        assert!(matches!(late, Error::Timeout(time) if time == Duration::from_millis(30)));
        assert_eq!(call(&stub).unwrap(), 2);
        eventually("two connections", || count.is(2, 1));
    });
}

#[test]
fn a_server_that_talks_and_does_not_read_keeps_nobody_beyond_the_deadline() {
    within("a server that talks and does not read", || {
        let (channel, count) = channel_to(|number, raw| match number {
            1 => {
                raw.read_once();
                // It says without end that the client may go on.
                while raw.try_send(&b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000)) {}
            }
            _ => answer_all(raw),
        });
        let protocol = JsonRpc::over_http().max_message(64 << 20);
        let stub = ClientStub::new(&channel.protocol(protocol)).unwrap();
        let time = Duration::from_millis(50);
        // More than the two ends' sockets hold.
        let large = "x".repeat(40 << 20);
        let late = stub.call_timeout(time).call::<usize>("size", (large,)).unwrap_err();
        assert!(matches!(late, Error::Timeout(limit) if limit == time), "{late}");
        assert_eq!(call(&stub).unwrap(), 2);
        eventually("two connections", || count.is(2, 1));
    });
}

#[test]
fn a_server_that_never_stops_talking_keeps_nobody_beyond_the_deadline() {
    within("a server that never comes to the point", || {
        let servers: [Script; 2] = [
            |_, raw| {
                asked(raw);
                while raw.try_send(&b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000)) {}
            },
            |_, raw| {
                asked(raw);
                raw.try_send(format!("HTTP/1.1 {OK}transfer-encoding: chunked\r\n\r\n").as_bytes());
                while raw.try_send(&[b'0'; 1000]) {}
            },
        ];
        for script in servers {
            let (stub, _) = client_of(script);
            let time = Duration::from_millis(50);
            let late = call(&stub.call_timeout(time)).unwrap_err();
            assert!(matches!(late, Error::Timeout(limit) if limit == time), "{late}");
        }
    });
}

#[test]
fn a_caller_whose_turn_does_not_come_harms_nobody() {
    static GIVEN_UP: AtomicBool = AtomicBool::new(false);
    within("turns", || {
        let (stub, count) = client_of(|_, raw| {
            assert_eq!(asked(raw), Some(1));
            // The second call is given up while it waits, and never sent.
            eventually("the second call's time-out", || GIVEN_UP.load(Ordering::SeqCst));
            respond(raw, OK, &result(1));
            assert_eq!(asked(raw), Some(3));
            respond(raw, OK, &result(3));
            assert_eq!(asked(raw), None);
        });
        let first = stub.send::<usize>("id", ()).unwrap();
        let hasty = stub.call_timeout(Duration::from_millis(10));
        assert!(matches!(call(&hasty), Err(Error::Timeout(_))));
        GIVEN_UP.store(true, Ordering::SeqCst);
        assert_eq!(call(&stub).unwrap(), 3);
        assert_eq!(first.wait().unwrap(), 1);
        assert!(count.is(1, 0));
    });
}

#[test]
fn a_call_that_nobody_waits_for_blocks_others_only_for_their_time() {
    within("a call that was given up", || {
        let (stub, _) = client_of(|number, raw| match number {
            1 => while asked(raw).is_some() {},
            _ => answer_all(raw),
        });
        drop(stub.send::<usize>("id", ()).unwrap());
        let hasty = stub.call_timeout(Duration::from_millis(10));
        assert!(matches!(call(&hasty), Err(Error::Timeout(_))));
        assert_eq!(call(&stub).unwrap(), 3);
    });
}

#[test]
fn calls_may_be_waited_for_in_any_order() {
    within("any order", || {
        let (stub, count) = client_of(|_, raw| answer_all(raw));
        let calls: Vec<_> = (0..10).map(|_| stub.send::<usize>("id", ()).unwrap()).collect();
        for call in calls.into_iter().rev() {
            let id = call.id() as usize;
            assert_eq!(call.wait().unwrap(), id);
        }
        drop(stub.send::<usize>("id", ()).unwrap());
        stub.notify("id", ()).unwrap();
        assert!(stub.send::<usize>("id", ()).unwrap().wait_timeout(PATIENCE).is_ok());
        assert!(count.is(1, 0));
    });
}

#[test]
fn threads_take_turns() {
    within("threads", || {
        let (stub, count) = client_of(|_, raw| answer_all(raw));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let sent = stub.send::<usize>("id", ()).unwrap();
                        let id = sent.id() as usize;
                        call(&stub).unwrap();
                        assert_eq!(sent.wait().unwrap(), id);
                    }
                });
            }
        });
        assert!(count.is(1, 0));
    });
}

#[test]
fn who_waits_is_woken_by_who_receives() {
    within("sleepers", || {
        let (stub, count) = client_of(|_, raw| answer_all(raw));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        // Whoever sends next receives this call's outcome.
                        let sent = stub.send::<usize>("id", ()).unwrap();
                        let id = sent.id() as usize;
                        assert_eq!(sent.wait().unwrap(), id);
                    }
                });
            }
        });
        assert!(count.is(1, 0));
    });
}

#[test]
fn who_gives_up_waiting_leaves_the_turn_to_others() {
    within("hasty callers", || {
        let (stub, _) = client_of(|_, raw| answer_all(raw));
        thread::scope(|scope| {
            for thread in 0..8 {
                let stub = match thread % 2 {
                    0 => stub.clone(),
                    _ => stub.call_timeout(Duration::from_micros(50)),
                };
                scope.spawn(move || {
                    for _ in 0..100 {
                        // A call that is given up takes others with it that are under way.
                        if let Ok(sent) = stub.send::<usize>("id", ()) {
                            let _ = sent.wait();
                        }
                        let _ = call(&stub);
                    }
                });
            }
        });
        assert!(call(&stub).is_ok());
    });
}

#[test]
fn a_status_that_is_no_answer_is_an_error() {
    within("statuses", || {
        let (stub, count) = client_of(|_, raw| {
            for status in [404, 503, 301] {
                asked(raw).unwrap();
                let head = format!("{status} No\r\ncontent-type: text/html\r\n");
                respond(raw, &head, "<p>No</p>");
            }
            asked(raw).unwrap();
            respond(raw, "200 OK\r\ncontent-type: text/html\r\n", "<p>Hello</p>");
            asked(raw).unwrap();
            respond(raw, "204 No Content\r\n", "");
            asked(raw).unwrap();
            respond(raw, OK, "nonsense");
            let id = asked(raw).unwrap();
            let fault =
                format!(r#"{{"jsonrpc":"2.0","error":{{"code":7,"message":"no"}},"id":{id}}}"#);
            respond(raw, "500 No\r\ncontent-type: application/json-rpc\r\n", &fault);
            asked(raw).unwrap();
            let fault = r#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"no"},"id":null}"#;
            respond(raw, OK, fault);
            answer_all(raw);
        });
        let refused = || protocol_error(call(&stub).unwrap_err());
        for status in [404, 503, 301] {
            assert_eq!(refused(), ProtocolError::Status(status));
        }
        assert_eq!(refused(), ProtocolError::MediaType("text/html".to_owned()));
        assert_eq!(refused(), ProtocolError::NoOutcome);
        assert!(matches!(refused(), ProtocolError::Malformed(_)));
        for code in [7, Fault::INVALID_CALL] {
            let fault = Fault::new(code, "no");
            assert!(matches!(call(&stub), Err(Error::Fault(told)) if told == fault));
        }
        assert_eq!(call(&stub).unwrap(), 9);
        assert!(count.is(1, 0), "the connection is as good as before");
    });
}

#[test]
fn a_response_that_breaks_off_is_no_result() {
    let whole = format!("HTTP/1.1 {OK}content-length: 36\r\n\r\n{}", result(1));
    for cut in 0..whole.len() {
        within("a torn response", move || {
            let (stub, _) = client_of(|number, raw| {
                let id = asked(raw).unwrap();
                let whole = format!("HTTP/1.1 {OK}content-length: 36\r\n\r\n{}", result(1));
                // The first call says how much the second is told.
                match number {
                    1 => {
                        respond(raw, OK, &result(id));
                        let (_, body) = raw.next_message().unwrap();
                        let cut = body.split(['[', ']']).nth(1).unwrap().parse().unwrap();
                        raw.send(&whole.as_bytes()[..cut]);
                    }
                    _ => respond(raw, OK, &result(id)),
                }
            });
            assert_eq!(call(&stub).unwrap(), 1);
            let torn = stub.call::<usize>("id", (cut,)).unwrap_err();
            assert!(matches!(torn, Error::Closed { sent: true }), "{cut}: {torn:?}");
            assert_eq!(torn.execution(), Execution::Maybe);
            assert_eq!(call(&stub).unwrap(), 3, "after {cut}");
        });
    }
}

#[test]
fn what_is_no_http_or_too_long_is_refused() {
    within("bad responses", || {
        let (stub, _) = client_of(|number, raw| {
            let id = asked(raw).unwrap();
            match number {
                1 => raw.send(b"nonsense\r\n\r\n"),
                2 => respond(raw, OK, &" ".repeat(1001)),
                3 => {
                    let chunk = format!("200\r\n{}\r\n", " ".repeat(0x200));
                    let head = format!("HTTP/1.1 {OK}transfer-encoding: chunked\r\n\r\n");
                    raw.try_send(format!("{head}{chunk}{chunk}0\r\n\r\n").as_bytes());
                }
                _ => respond(raw, OK, &result(id)),
            }
        });
        let refused = || protocol_error(call(&stub).unwrap_err());
        assert_eq!(refused(), ProtocolError::BadHead);
        for _ in 0..2 {
            assert_eq!(refused(), ProtocolError::TooLong { length: 1001, limit: 1000 });
        }
        assert_eq!(call(&stub).unwrap(), 4);
    });
}

#[test]
fn a_server_may_refuse_what_it_has_not_read() {
    static TOLD: AtomicBool = AtomicBool::new(false);
    within("a large call", || {
        let (channel, _) = channel_to(|number, raw| match number {
            1 => {
                raw.read_once();
                respond(raw, "413 Too Large\r\nconnection: close\r\n", "no");
                // It reads no more, and who only writes would wait for ever.
                eventually("the refusal's arrival", || TOLD.load(Ordering::SeqCst));
            }
            _ => answer_all(raw),
        });
        let protocol = JsonRpc::over_http().max_message(64 << 20);
        let stub = ClientStub::new(&channel.protocol(protocol)).unwrap();
        let large = "x".repeat(32 << 20);
        let refused = stub.call::<usize>("size", (&large,)).unwrap_err();
        assert_eq!(protocol_error(refused), ProtocolError::Status(413));
        TOLD.store(true, Ordering::SeqCst);
        assert_eq!(call(&stub).unwrap(), 2);
    });
}

#[test]
fn a_refusal_is_heard_although_the_server_closes_at_once() {
    within("large calls", || {
        // What it has not read, it answers with a reset when it closes.
        let (channel, _) = channel_to(|_, raw| {
            raw.read_once();
            respond(raw, "413 Too Large\r\nconnection: close\r\n", "no");
        });
        let protocol = JsonRpc::over_http().max_message(64 << 20);
        let stub = ClientStub::new(&channel.protocol(protocol)).unwrap();
        let large = "x".repeat(8 << 20);
        for _ in 0..10 {
            let refused = stub.call::<usize>("size", (&large,)).unwrap_err();
            assert_eq!(protocol_error(refused), ProtocolError::Status(413));
        }
    });
}

#[test]
fn a_notification_that_could_not_be_sent_is_an_error() {
    within("a large notification", || {
        // What it has not read, it answers with a reset when it closes.
        let (channel, _) = channel_to(|_, raw| drop(raw.read_once()));
        let protocol = JsonRpc::over_http().max_message(64 << 20);
        let stub = ClientStub::new(&channel.protocol(protocol)).unwrap();
        let large = "x".repeat(8 << 20);
        for _ in 0..10 {
            let why = stub.notify("size", (&large,)).unwrap_err();
            assert!(matches!(why, Error::Transport { .. }), "{why:?}");
            assert_eq!(why.execution(), Execution::Maybe);
        }
    });
}

#[test]
fn our_server_refuses_what_is_too_long_for_it() {
    within("a large call", || {
        let server = Server::new(Procedures::new().on("size", |text: String| text.len()));
        let server = server.protocol(JsonRpc::over_http().max_message(1000));
        let server = ServerThread::run(server, ThreadPerConnection::default());
        let channel = Channel::new(server.address());
        let channel = channel.protocol(JsonRpc::over_http().max_message(64 << 20));
        let stub = ClientStub::new(&channel).unwrap();
        let large = "x".repeat(32 << 20);
        let refused = stub.call::<usize>("size", (&large,)).unwrap_err();
        assert_eq!(protocol_error(refused), ProtocolError::Status(413));
        assert_eq!(stub.call::<usize>("size", ("four",)).unwrap(), 4);
    });
}

#[test]
fn a_batch_is_one_request() {
    within("a batch", || {
        let (stub, count) = client_of(|_, raw| {
            let (_, body) = raw.next_message().unwrap();
            let expected = r#"[{"jsonrpc":"2.0","method":"a","params":[1],"id":1},{"jsonrpc":"2.0","method":"n"},{"jsonrpc":"2.0","method":"b","id":2},{"jsonrpc":"2.0","method":"c","id":3}]"#;
            assert_eq!(body, expected);
            let fault = r#"{"jsonrpc":"2.0","error":{"code":7,"message":"no"},"id":1}"#;
            respond(raw, OK, &format!("[{},{fault}]", result(2)));
            raw.next_message().unwrap();
            respond(raw, "200 OK\r\n", "");
            raw.next_message().unwrap();
            let refused =
                r#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"too many"},"id":null}"#;
            respond(raw, OK, refused);
            assert_eq!(asked(raw), None);
        });
        let mut batch = stub.batch();
        let a = batch.send::<usize>("a", (1,)).unwrap();
        batch.notify("n", ()).unwrap();
        let b = batch.send::<usize>("b", ()).unwrap();
        let c = batch.send::<usize>("c", ()).unwrap();
        batch.flush().unwrap();
        assert_eq!(protocol_error(c.wait().unwrap_err()), ProtocolError::NoOutcome);
        assert_eq!(b.wait().unwrap(), 2);
        assert!(matches!(a.wait(), Err(Error::Fault(fault)) if fault.code == 7));
        batch.notify("n", ()).unwrap();
        batch.notify("n", ()).unwrap();
        batch.flush().unwrap();
        let calls = [(); 2].map(|()| batch.send::<usize>("d", ()).unwrap());
        drop(batch);
        for call in calls {
            assert!(matches!(call.wait(), Err(Error::Fault(fault)) if fault.message == "too many"));
        }
        assert!(count.is(1, 0));
    });
}

#[test]
fn a_server_that_is_gone_was_not_asked() {
    within("a server that is gone", || {
        let server = Server::new(Procedures::new().on("id", || 1));
        let server = ServerThread::run(
            server.protocol(JsonRpc::over_http()),
            ThreadPerConnection::default(),
        );
        let channel = Channel::new(server.address()).protocol(JsonRpc::over_http());
        let stub = ClientStub::new(&channel).unwrap();
        assert_eq!(call(&stub).unwrap(), 1);
        server.stop_handle().stop();
        let end = Instant::now() + PATIENCE;
        while call(&stub).is_ok() {
            assert!(Instant::now() < end);
        }
        server.ended().unwrap();
        let error = call(&stub).unwrap_err();
        assert!(matches!(error, Error::Connect { .. }), "{error:?}");
        assert!(ClientStub::new(&channel).is_err());
    });
}
