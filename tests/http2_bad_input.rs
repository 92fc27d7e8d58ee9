//! What no call looks like over HTTP/2: each wrong thing has a clear answer, and others are served
//! on.
#![cfg(feature = "http2")]

pub mod support;

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

use ninestep::{Procedures, Server, ThreadPerConnection, demo};
use support::http2::reason::{
    CANCEL, ENHANCE_YOUR_CALM, FRAME_SIZE_ERROR, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM,
};
use support::http2::{
    Frames, Other, PATIENT, PREFACE, Texts, call, call_headers, code, flag, frame, headers,
    is_served, kind, last, over_http2, request, whole_head,
};
use support::{ServerThread, eventually, within};

#[test]
fn what_is_no_http2_is_told_so() {
    over_http2(|server| {
        let others: [&[u8]; 5] = [
            b"POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n",
            b"GET / HTTP/1.0\r\n\r\n",
            b"PRI * HTTP/3.0\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"x",
        ];
        for bytes in others {
            let mut frames = Frames::connect(server.address());
            frames.send(bytes);
            let mut told = String::new();
            frames.0.read_to_string(&mut told).unwrap();
            assert!(told.starts_with("HTTP/1.1 505 HTTP Version Not Supported\r\n"), "{told}");
            assert!(told.ends_with("speaks HTTP/2 and nothing else\n"), "{told}");
        }
        is_served(&mut Frames::greeted(server.address()), 1);
    });
}

#[test]
fn what_is_no_call_is_refused_and_others_are_served_on() {
    let mut texts = Texts::new(1000);
    texts.0.paths = vec!["/add".into()].into();
    within("refusals", || {
        let server = Server::new(demo::procedures()).protocol(texts).limits(PATIENT);
        let server = ServerThread::run(server, ThreadPerConnection::default());
        let mut other = Other::connect(server.address());
        let good = || request("add", "[10,5]");
        let mut wrong = [good(), good(), good(), good(), good(), good()];
        *wrong[0].method_mut() = http::Method::GET;
        *wrong[1].method_mut() = http::Method::PUT;
        *wrong[2].uri_mut() = "http://test/subtract".parse().unwrap();
        wrong[3].headers_mut().remove("content-type");
        wrong[4].headers_mut().insert("content-type", "application/json".parse().unwrap());
        wrong[5].headers_mut().insert("content-encoding", "gzip".parse().unwrap());
        for (request, status) in wrong.into_iter().zip([405, 405, 404, 415, 415, 415]) {
            let shown = format!("{request:?}");
            let seen = other.ask(request).unwrap();
            assert_eq!(seen.status, status, "{shown}");
            assert_eq!(seen.headers["content-type"], "text/plain");
            assert!(!seen.body.is_empty(), "{shown}");
            assert_eq!(&other.ask(good()).unwrap().body[5..], "15", "after {shown}");
        }
        // The protocol itself cannot read this one.
        let mut malformed = good();
        *malformed.body_mut() = b"nonsense".to_vec();
        assert_eq!(other.ask(malformed).unwrap().status, 400);
        assert_eq!(&other.ask(good()).unwrap().body[5..], "15");
    });
}

#[test]
fn a_body_over_the_limit_is_refused() {
    over_http2(|server| {
        let mut other = Other::connect(server.address());
        let text = |length: usize| request("echo", &format!("[{:?}]", "x".repeat(length - 9)));
        assert_eq!(other.ask(text(1000)).unwrap().status, 200);
        // The protocol refuses what is longer, and does not see all of it.
        for length in [1001, 5000, 100_000] {
            let seen = other.ask(text(length)).unwrap();
            assert_eq!(
                (seen.status, seen.headers["message"].as_bytes()),
                (200, &b"cut off after 1001"[..])
            );
        }
        // What is announced is not read.
        let mut frames = Frames::greeted(server.address());
        let mut head = call_headers("/echo");
        head.extend(headers(&[("content-length", "1001")]));
        frames.send(&frame(kind::HEADERS, flag::END_HEADERS, 1, &head));
        let refused = frames.news();
        assert_eq!((refused.kind, refused.stream), (kind::HEADERS, 1), "{refused:?}");
        assert_eq!(frames.news().kind, kind::DATA);
        // The rest is not wanted, which is no error.
        let reset = frames.news();
        assert_eq!((reset.kind, code(&reset)), (kind::RESET, NO_ERROR), "{reset:?}");
        is_served(&mut frames, 3);
    });
}

#[test]
fn a_conversation_that_is_torn_at_any_byte_harms_nobody() {
    over_http2(|server| {
        let mut bystander = Frames::greeted(server.address());
        let settings = frame(kind::SETTINGS, 0, 0, &[]);
        let all = [PREFACE, &settings, &call(1, "add", "[10,5]")].concat();
        for sent in 0..all.len() {
            let mut leaver = Frames::connect(server.address());
            leaver.send(&all[..sent]);
            leaver.finish_sending();
            while let Some(told) = leaver.next_news() {
                assert_eq!(told.kind, kind::GOAWAY, "after {sent} bytes: {told:?}");
            }
        }
        is_served(&mut bystander, 1);
        // It may also come in pieces.
        let mut slow = Frames::connect(server.address());
        for byte in all {
            slow.send(&[byte]);
        }
        assert_eq!(slow.answer(), (1, "15".to_owned()));
    });
}

#[test]
fn what_breaks_the_rules_ends_the_connection() {
    over_http2(|server| {
        let mut bystander = Frames::greeted(server.address());
        let on_stream_0 = frame(kind::HEADERS, flag::END_HEADERS, 0, &call_headers("/add"));
        let on_even_stream = frame(kind::HEADERS, flag::END_HEADERS, 2, &call_headers("/add"));
        let data_of_nothing = frame(kind::DATA, 0, 1, b"x");
        let short_settings = frame(kind::SETTINGS, 0, 0, b"x");
        let short_ping = frame(kind::PING, 0, 0, b"x");
        let too_long = frame(kind::DATA, 0, 1, &[0; 16 * 1024 + 1]);
        let no_window = frame(kind::WINDOW_UPDATE, 0, 0, &[0; 4]);
        for bytes in [
            on_stream_0,
            on_even_stream,
            data_of_nothing,
            short_settings,
            short_ping,
            too_long,
            no_window,
        ] {
            let mut frames = Frames::greeted(server.address());
            frames.send(&bytes);
            let bye = frames.news();
            assert_eq!(last(&bye), 0, "{:?}", &bytes[..9]);
            assert!(matches!(code(&bye), PROTOCOL_ERROR | FRAME_SIZE_ERROR), "{bye:?}");
            assert!(frames.is_over());
        }
        is_served(&mut bystander, 1);
    });
}

#[test]
fn endless_headers_are_refused() {
    over_http2(|server| {
        let mut request = request("add", "[10,5]");
        for n in 0..100 {
            let name: http::HeaderName = format!("x-{n}").parse().unwrap();
            request.headers_mut().insert(name, "x".repeat(200).parse().unwrap());
        }
        let mut other = Other::connect(server.address());
        assert_eq!(other.ask(request).unwrap().status, 431);
    });
}

#[test]
fn who_only_begins_calls_and_gives_them_up_is_sent_away() {
    over_http2(|server| {
        let mut bystander = Frames::greeted(server.address());
        let mut frames = Frames::greeted(server.address());
        let begun_and_given_up = |n: u32| {
            let head = frame(kind::HEADERS, flag::END_HEADERS, 2 * n + 1, &call_headers("/add"));
            [head, frame(kind::RESET, 0, 2 * n + 1, &CANCEL.to_be_bytes())].concat()
        };
        frames.send(&(0..1000).flat_map(begun_and_given_up).collect::<Vec<u8>>());
        assert_eq!(code(&frames.news()), ENHANCE_YOUR_CALM);
        assert!(frames.is_over());
        is_served(&mut bystander, 1);
    });
}

#[test]
fn more_calls_at_once_than_allowed_are_refused() {
    over_http2(|server| {
        let mut frames = Frames::greeted(server.address());
        let calls: Vec<_> = (0..128).map(|n| call(2 * n + 1, "sleep", "[300]")).collect();
        frames.send(&calls.concat());
        frames.send(&[whole_head(257, "add"), whole_head(259, "add")].concat());
        for n in [128, 129] {
            let refused = frames.news();
            assert_eq!((refused.kind, refused.stream), (kind::RESET, 2 * n + 1), "{refused:?}");
            assert_eq!(code(&refused), REFUSED_STREAM);
        }
        for _ in 0..128 {
            assert!(frames.answer().0 < 256);
        }
        is_served(&mut frames, 261);
    });
}

#[test]
fn more_slow_calls_on_all_connections_than_allowed_are_refused() {
    within("1,024 slow calls", || {
        let (gate, begun) = (Arc::new(RwLock::new(())), Arc::new(AtomicUsize::new(0)));
        let (passed, counted) = (Arc::clone(&gate), Arc::clone(&begun));
        let procedures = Procedures::new().on("hold", move || {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(passed.read().unwrap());
        });
        let procedures = procedures.on("free", || true);
        let server = Server::new(procedures).protocol(Texts::new(1 << 20)).limits(PATIENT);
        let server = ServerThread::run(server, ThreadPerConnection::default());
        let closed = gate.write().unwrap();
        let mut all = Vec::new();
        for count in [128, 128, 128, 128, 128, 128, 128, 127, 1] {
            let mut frames = Frames::greeted(server.address());
            let calls: Vec<_> = (0..count).map(|n| call(2 * n + 1, "hold", "[]")).collect();
            frames.send(&calls.concat());
            all.push((frames, count));
        }
        eventually("1,024 calls under way", || begun.load(Ordering::SeqCst) == 1_024);
        let (last, _) = &mut all[8];
        last.send(&call(3, "hold", "[]"));
        let refused = last.news();
        assert_eq!((refused.kind, code(&refused)), (kind::RESET, REFUSED_STREAM));
        // One call at a time is left to everybody, be it of a procedure that nobody knows as quick.
        let mut other = Frames::greeted(server.address());
        for stream in [1, 3] {
            other.send(&call(stream, "free", "[]"));
            assert_eq!(other.answer(), (stream, "true".to_owned()));
        }
        drop(closed);
        for (frames, count) in &mut all {
            (0..*count).for_each(|_| drop(frames.answer()));
        }
        assert_eq!(begun.load(Ordering::SeqCst), 1_024);
    });
}
