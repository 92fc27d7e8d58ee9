//! The client over HTTP/2: many calls on one connection, and what becomes of them when the server
//! refuses them, leaves or breaks the rules. Such servers are made of bare frames.
#![cfg(feature = "http2")]

pub mod support;

use std::io::ErrorKind;
use std::net::TcpListener;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ninestep::{
    Channel, ClientStub, Error, Execution, Fault, PendingCall, ProtocolError, Server,
    ThreadPerConnection, demo,
};
use support::http2::reason::CANCEL;
use support::http2::{Frames, Texts, code, flag, frame, headers, kind, packed};
use support::{PATIENCE, ServerThread, crowd, within};

fn serve() -> ServerThread {
    let server = Server::new(demo::procedures()).protocol(Texts::new(8 << 20));
    ServerThread::run(server, ThreadPerConnection::default())
}

fn channel(address: std::net::SocketAddr) -> Channel {
    Channel::new(address).protocol(Texts::new(8 << 20)).call_timeout(PATIENCE)
}

fn client(server: &ServerThread) -> ClientStub {
    ClientStub::new(&channel(server.address())).unwrap()
}

/// A client of a server that does this, one connection after the other.
fn client_of<const COUNT: usize>(
    scripts: [fn(&mut Frames); COUNT],
) -> (ClientStub, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        for script in scripts {
            let mut frames = Frames::over(listener.accept().unwrap().0);
            frames.send(&frame(kind::SETTINGS, 0, 0, &[]));
            frames.preface();
            script(&mut frames);
        }
    });
    (ClientStub::new(&channel(address)).unwrap(), server)
}

/// The stream of the next call, which has come as a whole; nothing at the end.
fn asked(frames: &mut Frames) -> Option<u32> {
    loop {
        let frame = frames.next_news()?;
        if frame.flags & flag::END_STREAM != 0 && frame.kind == kind::DATA {
            return Some(frame.stream);
        }
    }
}

/// Answers with the stream's number.
fn answer(frames: &mut Frames, stream: u32) {
    let head = headers(&[(":status", "200"), ("content-type", "application/texts")]);
    let trailers = headers(&[("code", "0")]);
    let end = flag::END_HEADERS | flag::END_STREAM;
    frames.send(&frame(kind::HEADERS, flag::END_HEADERS, stream, &head));
    frames.send(&frame(kind::DATA, 0, stream, &packed(&stream.to_string())));
    frames.send(&frame(kind::HEADERS, end, stream, &trailers));
}

fn answer_all(frames: &mut Frames) {
    while let Some(stream) = asked(frames) {
        answer(frames, stream);
    }
}

/// Says that calls behind this stream are not executed, and why.
fn go_away(frames: &mut Frames, last: u32, reason: u32) {
    let body = [last.to_be_bytes(), reason.to_be_bytes()].concat();
    frames.send(&frame(kind::GOAWAY, 0, 0, &body));
}

fn call(stub: &ClientStub) -> ninestep::Result<u32> {
    stub.call("stream", ())
}

fn send(stub: &ClientStub) -> PendingCall<u32> {
    stub.send("stream", ()).unwrap()
}

fn fault(error: &Error) -> i32 {
    match error {
        Error::Fault(fault) => fault.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn calls_are_answered_and_faults_are_told() {
    within("calls", || {
        let server = serve();
        let stub = client(&server);
        for n in 0..100 {
            assert_eq!(stub.call::<i64>("add", (n, 5)).unwrap(), n + 5);
        }
        let fault = stub.call::<f64>("divide", (1.0, 0.0)).unwrap_err();
        assert!(matches!(&fault, Error::Fault(it) if *it == Fault::new(1, "division by zero")));
        stub.notify("add", (10, 5)).unwrap();
        drop(stub.send::<i64>("add", (10, 5)).unwrap());
        assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
    });
}

#[test]
fn many_calls_are_under_way_at_once() {
    within("many calls", || {
        let server = serve();
        let stub = client(&server);
        let sent: Vec<_> = (0..500).map(|n| stub.send::<i64>("add", (n, 1)).unwrap()).collect();
        for (n, sum) in sent.into_iter().enumerate().rev() {
            assert_eq!(sum.wait().unwrap(), n as i64 + 1);
        }
        let mut batch = stub.batch();
        let sent: Vec<_> = (0..500).map(|n| batch.send::<i64>("add", (n, 1)).unwrap()).collect();
        batch.notify("add", (1, 1)).unwrap();
        batch.flush().unwrap();
        for (n, sum) in sent.into_iter().enumerate() {
            assert_eq!(sum.wait().unwrap(), n as i64 + 1);
        }
    });
}

#[test]
fn threads_share_a_connection() {
    within("threads", || {
        let server = serve();
        let stub = client(&server);
        thread::scope(|scope| {
            for thread in 0..8 {
                let stub = &stub;
                scope.spawn(move || {
                    for n in 0..200 {
                        let sent = stub.send::<i64>("add", (n, thread)).unwrap();
                        assert_eq!(stub.call::<i64>("subtract", (n, thread)).unwrap(), n - thread);
                        assert_eq!(sent.wait().unwrap(), n + thread);
                    }
                });
            }
            // A slow call holds up nobody, whoever reads.
            let slow = stub.send::<()>("sleep", (300,)).unwrap();
            let began = Instant::now();
            assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
            slow.wait().unwrap();
            assert!(began.elapsed() >= Duration::from_millis(290));
        });
    });
}

#[test]
fn large_messages_cross() {
    within("large messages", || {
        let server = serve();
        let stub = client(&server);
        let large = "large".repeat(1 << 20);
        let sent: Vec<_> =
            (0..5).map(|_| stub.send::<String>("echo", (&large,)).unwrap()).collect();
        for sent in sent {
            assert_eq!(sent.wait().unwrap(), large);
        }
    });
}

#[test]
fn a_call_that_takes_too_long_is_given_up_alone() {
    within("a time-out", || {
        let (stub, server) = client_of([|frames| {
            assert_eq!(asked(frames), Some(1));
            let reset = frames.news();
            assert_eq!((reset.kind, reset.stream, code(&reset)), (kind::RESET, 1, CANCEL));
            // Too late, and for nobody.
            answer(frames, 1);
            answer_all(frames);
        }]);
        let hasty = stub.call_timeout(Duration::from_millis(30));
        let late = call(&hasty).unwrap_err();
        assert!(matches!(late, Error::Timeout(time) if time == Duration::from_millis(30)));
        assert_eq!(call(&stub).unwrap(), 3);
        drop((stub, hasty));
        server.join().unwrap();
    });
}

#[test]
fn a_server_that_never_stops_talking_keeps_nobody_beyond_the_deadline() {
    within("a server that never comes to the point", || {
        let (stub, server) = client_of([|frames| {
            asked(frames);
            // Frames that mean nothing (RFC 9113, section 5.5).
            while frames.try_send(&frame(0xee, 0, 0, &[]).repeat(1000)) {}
        }]);
        let time = Duration::from_millis(50);
        let late = call(&stub.call_timeout(time)).unwrap_err();
        assert!(matches!(late, Error::Timeout(limit) if limit == time), "{late}");
        drop(stub);
        server.join().unwrap();
    });
}

#[test]
fn a_server_that_talks_and_does_not_read_keeps_nobody_beyond_the_deadline() {
    within("a server that talks and does not read", || {
        let (stub, server) = client_of([|frames| {
            // Room for the whole call, and then frames that mean nothing (RFC 9113, section 5.5).
            let room = (i32::MAX as u32 - 65_535).to_be_bytes();
            frames.send(&frame(kind::WINDOW_UPDATE, 0, 0, &room));
            frames.send(&frame(kind::SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]));
            while frames.try_send(&frame(0xee, 0, 0, &[]).repeat(1000)) {}
        }]);
        let time = Duration::from_millis(50);
        // More than the two ends' sockets hold.
        let large = "x".repeat(40 << 20);
        let late = stub.call_timeout(time).call::<u32>("size", (large,)).unwrap_err();
        assert!(matches!(late, Error::Timeout(limit) if limit == time), "{late}");
        drop(stub);
        server.join().unwrap();
    });
}

#[test]
fn a_server_may_leave_between_two_calls() {
    within("a server that leaves", || {
        let leaves: fn(&mut Frames) = |frames| {
            let stream = asked(frames).unwrap();
            answer(frames, stream);
            go_away(frames, stream, 0);
        };
        let closes: fn(&mut Frames) = |frames| {
            let stream = asked(frames).unwrap();
            answer(frames, stream);
        };
        let (stub, server) = client_of([leaves, closes, answer_all]);
        for _ in 0..3 {
            assert_eq!(call(&stub).unwrap(), 1);
            // What the server says behind its answer comes in its own time.
            thread::park_timeout(Duration::from_millis(50));
        }
        assert_eq!(call(&stub).unwrap(), 3);
        drop(stub);
        server.join().unwrap();
    });
}

#[test]
fn a_new_connection_is_waited_for_no_longer_than_the_deadline() {
    within("a server that takes no second connection", || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let an_hour = Duration::from_secs(3_600);
        let channel = Channel::new(address).protocol(Texts::new(8 << 20)).connect_timeout(an_hour);
        let stub = ClientStub::new(&channel).unwrap();
        let mut frames = Frames::over(listener.accept().unwrap().0);
        let answered = thread::spawn(move || {
            frames.send(&frame(kind::SETTINGS, 0, 0, &[]));
            frames.preface();
            let stream = asked(&mut frames).unwrap();
            answer(&mut frames, stream);
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
fn calls_behind_the_last_one_were_not_executed() {
    within("a GOAWAY", || {
        let (stub, server) = client_of([
            |frames| {
                assert_eq!([asked(frames), asked(frames), asked(frames)], [1, 3, 5].map(Some));
                go_away(frames, 3, 0);
                answer(frames, 3);
                // The first is not answered. What is left unread would make a reset of the end.
                frames.finish_sending();
                while frames.next_frame().is_some() {}
            },
            answer_all,
        ]);
        let [one, two, three] = [send(&stub), send(&stub), send(&stub)];
        let refused = three.wait().unwrap_err();
        assert_eq!((fault(&refused), refused.execution()), (Fault::STOPPING, Execution::No));
        assert_eq!(two.wait().unwrap(), 3);
        let lost = one.wait().unwrap_err();
        assert!(matches!(lost, Error::Closed { sent: true }), "{lost:?}");
        assert_eq!(call(&stub).unwrap(), 1);
        drop(stub);
        server.join().unwrap();
    });
}

#[test]
fn calls_under_way_are_answered_by_a_server_that_leaves() {
    within("a leave", || {
        let server = serve();
        let stub = client(&server);
        assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
        let slow = stub.send::<()>("sleep", (200,)).unwrap();
        assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
        server.stop_handle().stop();
        slow.wait().unwrap();
        stub.call::<i64>("add", (10, 5)).unwrap_err();
    });
}

#[test]
fn a_lost_connection_fails_every_waiter_at_once() {
    within("a lost connection", || {
        let (stub, server) = client_of([|frames| {
            for _ in 0..5 {
                asked(frames).unwrap();
            }
        }]);
        thread::scope(|scope| {
            for _ in 0..5 {
                scope.spawn(|| {
                    let lost = call(&stub).unwrap_err();
                    assert_eq!(lost.execution(), Execution::Maybe, "{lost:?}");
                });
            }
        });
        server.join().unwrap();
        assert!(matches!(call(&stub), Err(Error::Connect { .. })));
    });
}

#[test]
fn a_call_that_the_server_gives_up_fails_alone() {
    within("resets", || {
        let (stub, server) = client_of([|frames| {
            for reason in [7_u32, 2] {
                let stream = asked(frames).unwrap();
                frames.send(&frame(kind::RESET, 0, stream, &reason.to_be_bytes()));
            }
            answer_all(frames);
        }]);
        let refused = call(&stub).unwrap_err();
        assert_eq!((fault(&refused), refused.execution()), (Fault::OVERLOADED, Execution::No));
        let broken = call(&stub).unwrap_err();
        assert!(matches!(broken, Error::Protocol(ProtocolError::Reset(2))), "{broken:?}");
        assert_eq!(call(&stub).unwrap(), 5);
        drop(stub);
        server.join().unwrap();
    });
}

#[test]
fn an_answer_of_another_status_or_type_fails_alone() {
    within("odd answers", || {
        let (stub, server) = client_of([|frames| {
            let odd = [
                headers(&[(":status", "503"), ("content-type", "text/html")]),
                headers(&[(":status", "200"), ("content-type", "text/html"), ("code", "0")]),
                headers(&[(":status", "200"), ("content-type", "application/texts")]),
            ];
            for head in odd {
                let stream = asked(frames).unwrap();
                frames.send(&frame(kind::HEADERS, flag::END_HEADERS, stream, &head));
                frames.send(&frame(kind::DATA, flag::END_STREAM, stream, b"<p>No</p>"));
            }
            answer_all(frames);
        }]);
        assert_eq!(fault(&call(&stub).unwrap_err()), 503, "the protocol judges the status");
        let html = call(&stub).unwrap_err();
        let is_html = |why: &ProtocolError| *why == ProtocolError::MediaType("text/html".into());
        assert!(matches!(&html, Error::Protocol(why) if is_html(why)), "{html:?}");
        assert_eq!(fault(&call(&stub).unwrap_err()), 200, "no code in the trailers");
        assert_eq!(call(&stub).unwrap(), 7);
        drop(stub);
        server.join().unwrap();
    });
}

#[test]
fn a_server_that_breaks_the_rules_is_left() {
    within("rude servers", || {
        let (stub, server) = client_of([
            |frames| {
                asked(frames).unwrap();
                frames.send(&frame(kind::DATA, 0, 7, b"x"));
                while frames.next_frame().is_some() {}
            },
            |frames| {
                asked(frames).unwrap();
                frames.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
                while frames.next_frame().is_some() {}
            },
            answer_all,
        ]);
        for _ in 0..2 {
            let rude = call(&stub).unwrap_err();
            assert!(matches!(rude, Error::Protocol(ProtocolError::BadHead)), "{rude:?}");
        }
        assert_eq!(call(&stub).unwrap(), 1);
        drop(stub);
        server.join().unwrap();
    });
}

#[test]
fn an_answer_over_the_limit_fails_alone() {
    within("a large answer", || {
        let server = serve();
        let channel = Channel::new(server.address()).protocol(Texts::new(1000));
        let stub = ClientStub::new(&channel.call_timeout(PATIENCE)).unwrap();
        let large = "large".repeat(1000);
        let error = stub.call::<String>("echo", (&large,)).unwrap_err();
        assert!(
            matches!(error, Error::Protocol(ProtocolError::TooLong { limit: 1000, .. })),
            "{error:?}"
        );
        assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
    });
}
