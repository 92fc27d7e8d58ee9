//! HTTP/2 under the protocols that use it, against bare frames and another implementation: what
//! goes side by side, what has a limit, what ends the connection.
#![cfg(feature = "http2")]

pub mod support;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ninestep::{
    Channel, ClientStub, Fault, Limits, Recorder, Server, ServerStub, SingleThreaded,
    ThreadPerConnection, ThreadPool, demo,
};
use support::http2::reason::{CANCEL, NO_ERROR, REFUSED_STREAM};
use support::http2::{
    Frames, Other, PATIENT, PREFACE, Texts, call, code, flag, frame, is_served, kind, last,
    over_http2, request, serve, whole_head,
};
use support::{ServerThread, eventually, within};

#[test]
fn an_answer_is_headers_data_and_trailers() {
    over_http2(|server| {
        let mut other = Other::connect(server.address());
        let seen = other.ask(request("add", "[10,5]")).unwrap();
        assert_eq!((seen.status, &seen.body[5..]), (200, "15"));
        assert_eq!(seen.headers["content-type"], "application/texts");
        assert_eq!(seen.trailers["code"], "0");
        // Without a body the trailers are the headers.
        let seen = other.ask(request("divide", "[1.0,0.0]")).unwrap();
        assert_eq!((seen.status, &*seen.body), (200, ""));
        assert_eq!(seen.headers["content-type"], "application/texts");
        assert_eq!(seen.headers["message"], "division by zero");
        assert!(seen.trailers.is_empty());

        let mut frames = Frames::greeted(server.address());
        frames.send(&call(1, "divide", "[1.0,0.0]"));
        let only = frames.news();
        assert_eq!((only.kind, only.flags), (kind::HEADERS, flag::END_HEADERS | flag::END_STREAM));
        is_served(&mut frames, 3);
    });
}

#[test]
fn an_answer_comes_in_one_piece() {
    over_http2(|server| {
        let mut frames = Frames::greeted(server.address());
        for n in 0..50 {
            is_served(&mut frames, 4 * n + 1);
            frames.send(&call(4 * n + 3, "add", "[10,5]"));
            let mut came = [0; 1000];
            let count = frames.0.read(&mut came).unwrap();
            let length = |at: usize| 9 + usize::from(came[at + 2]);
            let (head, body) = (length(0), length(length(0)));
            assert_eq!(count, head + body + length(head + body), "call {n}");
        }
    });
}

#[test]
fn a_slow_call_holds_up_no_other() {
    within("slow calls", || {
        let servers = [
            serve(PATIENT, SingleThreaded),
            serve(PATIENT, ThreadPerConnection::default()),
            serve(PATIENT, ThreadPool::default()),
        ];
        for server in servers {
            let mut frames = Frames::greeted(server.address());
            let began = Instant::now();
            frames.send(&[call(1, "sleep", "[400]"), call(3, "sleep", "[400]")].concat());
            frames.send(&call(5, "add", "[10,5]"));
            assert_eq!(frames.answer(), (5, "15".to_owned()));
            is_served(&mut frames, 7);
            let mut slow = [frames.answer().0, frames.answer().0];
            slow.sort_unstable();
            assert_eq!(slow, [1, 3]);
            // They slept at the same time.
            assert!(began.elapsed() < Duration::from_millis(750), "{:?}", began.elapsed());
        }
    });
}

#[test]
fn a_head_is_answered_without_a_body() {
    over_http2(|server| {
        let mut other = Other::connect(server.address());
        let mut head = request("add", "");
        *head.method_mut() = http::Method::HEAD;
        *head.body_mut() = Vec::new();
        let seen = other.ask(head).unwrap();
        assert_eq!((seen.status, &*seen.body), (405, ""));
        let mut put = request("add", "[10,5]");
        *put.method_mut() = http::Method::PUT;
        let seen = other.ask(put).unwrap();
        assert_eq!((seen.status, &*seen.body), (405, "calls are POST requests\n"));
    });
}

#[test]
fn one_message_after_the_other_can_be_processed_by_hand() {
    within("a stub", || {
        let server = Server::new(demo::procedures()).protocol(Texts::new(1000));
        let (channel, connection) = Channel::in_memory().unwrap();
        let client = std::thread::spawn(move || {
            let stub = ClientStub::new(&channel.protocol(Texts::new(1000))).unwrap();
            let sent = stub.send::<i64>("add", (1, 2)).unwrap();
            (stub.call::<i64>("add", (10, 5)).unwrap(), sent.wait().unwrap())
        });
        let mut stub = ServerStub::new(&server, connection);
        assert!(stub.process().unwrap());
        assert!(stub.process().unwrap());
        assert_eq!(client.join().unwrap(), (15, 3));
        assert!(!stub.process().unwrap());
    });
}

#[test]
fn every_step_is_told() {
    within("steps", || {
        let steps = Arc::new(Recorder::default());
        let server = Server::new(demo::procedures()).protocol(Texts::new(1000));
        let server = server.observer(steps.clone());
        let (channel, connection) = Channel::in_memory().unwrap();
        std::thread::spawn(move || server.serve(connection));
        let channel = channel.protocol(Texts::new(1000)).observer(steps.clone());
        let stub = ClientStub::new(&channel).unwrap();
        for id in 1..=3 {
            stub.call::<i64>("add", (10, 5)).unwrap();
            let told = steps.take();
            let mut told: Vec<_> = told.iter().map(|it| (it.step.number(), it.id)).collect();
            // The server may be faster than the client can tell that it has sent.
            told.sort_unstable();
            assert_eq!(told, (1..=9).map(|number| (number, id)).collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_stop_answers_what_was_read_and_refuses_the_rest() {
    over_http2(|_| {
        let server = serve(PATIENT, ThreadPerConnection::default());
        let mut idle = Frames::greeted(server.address());
        is_served(&mut idle, 1);
        let mut busy = Frames::greeted(server.address());
        busy.send(&[call(1, "sleep", "[300]"), call(3, "add", "[10,5]")].concat());
        assert_eq!(busy.answer().0, 3);
        // The half of a call is no call.
        let half = call(5, "add", "[10,5]");
        busy.send(&half[..half.len() - 20]);
        is_served(&mut busy, 7);
        server.stop_handle().stop();

        let bye = idle.news();
        assert_eq!((last(&bye), code(&bye)), (1, NO_ERROR));
        assert!(idle.is_over());

        let bye = busy.news();
        assert_eq!((last(&bye), code(&bye)), (i32::MAX.cast_unsigned(), NO_ERROR));
        let refused = busy.news();
        assert_eq!((refused.stream, code(&refused)), (5, REFUSED_STREAM), "{refused:?}");
        busy.send(&whole_head(9, "add"));
        let refused = busy.news();
        assert_eq!((refused.stream, code(&refused)), (9, REFUSED_STREAM), "{refused:?}");
        assert_eq!(busy.answer(), (1, "null".to_owned()));
        assert_eq!(last(&busy.news()), 9);
        assert!(busy.is_over());
        drop((idle, busy));
        server.ended().unwrap();
    });
}

#[test]
fn a_stop_waits_for_a_slow_call_no_longer_than_it_may() {
    within("a stop", || {
        let (go_on, gate) = mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let procedures = demo::procedures().on("wait", move || gate.lock().unwrap().recv().is_ok());
        let limits = Limits { drain: Duration::from_millis(50), ..PATIENT };
        let server = Server::new(procedures).protocol(Texts::new(1000)).limits(limits);
        let server = ServerThread::run(server, ThreadPerConnection::default());
        let mut frames = Frames::greeted(server.address());
        frames.send(&call(1, "wait", "[]"));
        is_served(&mut frames, 3);
        server.stop_handle().stop();
        assert_eq!(last(&frames.news()), i32::MAX.cast_unsigned());
        assert_eq!(last(&frames.news()), 3);
        assert!(frames.is_over());
        drop((frames, go_on));
        server.ended().unwrap();
    });
}

#[test]
fn who_says_that_nothing_more_comes_has_its_answers_all_the_same() {
    over_http2(|server| {
        let mut frames = Frames::greeted(server.address());
        frames.send(&[call(1, "sleep", "[100]"), call(3, "add", "[10,5]")].concat());
        frames.finish_sending();
        assert_eq!(frames.answer().0, 3);
        assert_eq!(frames.answer().0, 1);
        assert_eq!(last(&frames.news()), 3);
        assert!(frames.is_over());
    });
}

#[test]
fn an_answer_for_which_no_room_will_ever_be_made_is_given_up() {
    within("a half-closed connection", || {
        let procedures = demo::procedures().on("large", || "x".repeat(256 << 10));
        let server = Server::new(procedures).protocol(Texts::new(1000)).limits(PATIENT);
        let server = ServerThread::run(server, ThreadPerConnection::default());
        let mut frames = Frames::greeted(server.address());
        frames.send(&call(1, "large", "[]"));
        frames.finish_sending();
        let mut came = 0;
        while let Some(frame) = frames.next_news() {
            came += if frame.kind == kind::DATA { frame.body.len() } else { 0 };
        }
        assert_eq!(came, 65_535);
    });
}

#[test]
fn a_ping_is_answered() {
    over_http2(|server| {
        let mut frames = Frames::greeted(server.address());
        frames.send(&frame(kind::PING, 0, 0, b"12345678"));
        let pong = loop {
            let next = frames.next_frame().unwrap();
            if next.kind == kind::PING {
                break next;
            }
        };
        assert_eq!((pong.flags, &*pong.body), (flag::ACK, &b"12345678"[..]));
    });
}

#[test]
fn a_call_that_is_given_up_is_not_answered() {
    over_http2(|server| {
        let mut frames = Frames::greeted(server.address());
        frames.send(&[call(1, "sleep", "[100]"), call(3, "sleep", "[200]")].concat());
        frames.send(&frame(kind::RESET, 0, 1, &CANCEL.to_be_bytes()));
        assert_eq!(frames.answer().0, 3);
        is_served(&mut frames, 5);
    });
}

#[test]
fn a_client_that_makes_no_room_is_not_worked_for() {
    within("no room", || {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let large = "x".repeat(256 << 10);
        let procedures = demo::procedures().on("large", move || {
            counted.fetch_add(1, Ordering::SeqCst);
            large.clone()
        });
        let limits = Limits { write: Duration::from_millis(300), ..PATIENT };
        let server = Server::new(procedures).protocol(Texts::new(1000)).limits(limits);
        let server = ServerThread::run(server, ThreadPerConnection::default());
        let calls = |numbers: Range<u32>| {
            numbers.flat_map(|n| call(2 * n + 1, "large", "[]")).collect::<Vec<u8>>()
        };
        let mut frames = Frames::greeted(server.address());
        // It reads, but widens no window: all heads come, and the beginning of a body.
        frames.send(&calls(0..12));
        for _ in 0..12 {
            while frames.news().kind != kind::HEADERS {}
        }
        frames.send(&calls(12..32));
        while frames.next_frame().is_some() {}
        assert_eq!(count.load(Ordering::SeqCst), 12);
    });
}

#[test]
fn slow_clients_are_told_so() {
    within("slow clients", || {
        let short = Duration::from_millis(50);
        let whole = call(3, "add", "[10,5]");
        // The half of a call is given up alone.
        let server = serve(Limits { message: short, ..PATIENT }, ThreadPerConnection::default());
        let mut frames = Frames::greeted(server.address());
        is_served(&mut frames, 1);
        frames.send(&whole[..whole.len() - 20]);
        let told = frames.news();
        assert_eq!((told.kind, told.stream), (kind::HEADERS, 3), "{told:?}");
        assert_eq!(frames.news().kind, kind::DATA);
        assert_eq!(code(&frames.news()), NO_ERROR);
        is_served(&mut frames, 5);

        let first = Limits { first_message: short, ..PATIENT };
        let server = serve(first, ThreadPerConnection::default());
        let begun = [PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat();
        for sent in [0, 10, begun.len()] {
            let mut frames = Frames::connect(server.address());
            frames.send(&begun[..sent]);
            while let Some(told) = frames.next_news() {
                assert_eq!((last(&told), code(&told)), (0, NO_ERROR), "{sent}");
            }
        }
        // Pings without end are no call either.
        let mut frames = Frames::greeted(server.address());
        let pings = frame(kind::PING, 0, 0, b"12345678").repeat(1000);
        let mut talk = frames.0.try_clone().unwrap();
        let talk = thread::spawn(move || while talk.write_all(&pings).is_ok() {});
        let bye = frames.news();
        assert_eq!((bye.kind, last(&bye), code(&bye)), (kind::GOAWAY, 0, NO_ERROR));
        drop(frames);
        talk.join().unwrap();
        // Who is idle is sent away; a ping is no call.
        let server = serve(Limits { idle: short, ..PATIENT }, ThreadPerConnection::default());
        let mut frames = Frames::greeted(server.address());
        is_served(&mut frames, 1);
        frames.send(&frame(kind::PING, 0, 0, b"12345678"));
        let bye = frames.news();
        assert_eq!((last(&bye), code(&bye)), (1, NO_ERROR));
        assert!(frames.is_over());
        // A call under way is none of these.
        let mut frames = Frames::greeted(server.address());
        frames.send(&call(1, "sleep", "[200]"));
        assert_eq!(frames.answer().0, 1);
    });
}

#[test]
fn a_call_whose_deadline_has_passed_is_not_executed() {
    over_http2(|server| {
        let mut late = request("add", "[10,5]");
        late.headers_mut().insert("patience", 0.into());
        let seen = Other::connect(server.address()).ask(late).unwrap();
        assert_eq!(seen.headers["code"], Fault::DEADLINE_PASSED.to_string());
    });
}

#[test]
fn a_refused_connection_is_told_why() {
    within("a refusal", || {
        let (channel, connection) = Channel::in_memory().unwrap();
        let client = channel.connect().unwrap();
        let server = Server::new(demo::procedures()).protocol(Texts::new(1000));
        server.serve(connection.refused(Fault::new(Fault::OVERLOADED, "not today")));
        let mut came = Vec::new();
        while client.receive(&mut came).unwrap() > 0 {}
        let settings = frame(kind::SETTINGS, 0, 0, &[]);
        let bye = [&[0; 4], &REFUSED_STREAM.to_be_bytes(), &b"not today"[..]].concat();
        assert_eq!(came, [settings, frame(kind::GOAWAY, 0, 0, &bye)].concat());
    });
}

#[test]
fn helpers_end_when_they_have_nothing_to_do() {
    over_http2(|server| {
        let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
        let mut frames = Frames::greeted(server.address());
        let before = threads();
        let calls: Vec<_> = (0..50).map(|n| call(2 * n + 1, "sleep", "[100]")).collect();
        frames.send(&calls.concat());
        (0..50).for_each(|_| drop(frames.answer()));
        let most = threads();
        assert!(most > before, "{before} threads");
        eventually("the end of the helpers", || threads() + 40 < most);
        frames.0.shutdown(Shutdown::Both).unwrap();
    });
}
