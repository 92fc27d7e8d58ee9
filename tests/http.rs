//! HTTP/1.1 under the protocols that use it, against bare bytes: what is refused, what is read on,
//! what ends the connection.
#![cfg(feature = "json-rpc")]

pub mod support;

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use ninestep::protocol::json_rpc::JsonRpc;
use ninestep::{Channel, Fault, Limits, Server, ThreadPerConnection, demo};
use support::http::{HttpRaw, Response, post, post_with};
use support::{ServerThread, within};

const ADD: &str = r#"{"jsonrpc":"2.0","method":"add","params":[10,5],"id":1}"#;
const SUM: &str = r#"{"jsonrpc":"2.0","result":15,"id":1}"#;
const JSON: &str = "content-type: application/json\r\n";
const HOUR: Duration = Duration::from_secs(3600);
/// Every limit is an hour, but for those that a test sets.
const PATIENT: Limits =
    Limits { first_message: HOUR, message: HOUR, idle: HOUR, write: HOUR, drain: HOUR };

fn serve(protocol: JsonRpc, limits: Limits) -> ServerThread {
    let server = Server::new(demo::procedures()).protocol(protocol).limits(limits);
    ServerThread::run(server, ThreadPerConnection::default())
}

/// A test against a patient server of at most 1,000 bytes in a message.
fn over_http(test: impl FnOnce(&ServerThread) + Send + 'static) {
    within("a test over HTTP", || test(&serve(JsonRpc::over_http().max_message(1000), PATIENT)));
}

/// The request is refused with this status, and the next one on the connection is answered.
fn is_refused_and_served_on(server: &ServerThread, request: &[u8], status: u16) -> Response {
    let mut raw = HttpRaw::connect(server.address());
    raw.send(request);
    let refused = raw.response();
    let shown = String::from_utf8_lossy(request);
    assert_eq!(refused.status, status, "{shown}");
    assert_eq!(raw.ask(ADD).body, SUM, "after {shown}");
    refused
}

/// The request is refused with this status, and the connection ends; others are served on.
fn is_refused_for_good(server: &ServerThread, request: &[u8], status: u16) {
    let mut raw = HttpRaw::connect(server.address());
    raw.send(request);
    let refused = raw.response();
    let shown = String::from_utf8_lossy(&request[..request.len().min(300)]);
    assert_eq!(refused.status, status, "{shown}: {refused:?}");
    assert!(refused.head.contains("connection: close"), "{shown}: {refused:?}");
    assert!(raw.is_over(), "{shown}");
    assert_eq!(HttpRaw::connect(server.address()).ask(ADD).body, SUM, "after {shown}");
}

#[test]
fn calls_are_posts() {
    over_http(|server| {
        for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            let request = format!("{method} / HTTP/1.1\r\nhost: test\r\n\r\n");
            let refused = is_refused_and_served_on(server, request.as_bytes(), 405);
            assert!(refused.head.contains("allow: post"), "{refused:?}");
        }
        let body = String::from_utf8(post(ADD)).unwrap().replace("POST", "PUT");
        is_refused_and_served_on(server, body.as_bytes(), 405);
    });
}

#[test]
fn a_request_names_one_host() {
    over_http(|server| {
        let named = String::from_utf8(post(ADD)).unwrap();
        for hosts in ["", "host: test\r\nhost: test\r\n"] {
            let request = named.replace("host: test\r\n", hosts);
            is_refused_for_good(server, request.as_bytes(), 400);
        }
        // HTTP/1.0 had no such header (RFC 1945).
        let old = named.replace("host: test\r\n", "").replace("HTTP/1.1", "HTTP/1.0");
        let mut raw = HttpRaw::connect(server.address());
        raw.send(old.as_bytes());
        assert_eq!(raw.response().body, SUM);
    });
}

#[test]
fn a_body_is_not_coded_on_the_way() {
    over_http(|server| {
        for codings in ["gzip, chunked", "chunked, chunked", "identity, chunked"] {
            let head =
                format!("POST / HTTP/1.1\r\nhost: test\r\n{JSON}transfer-encoding: {codings}");
            let request = format!("{head}\r\n\r\n{:x}\r\n{ADD}\r\n0\r\n\r\n", ADD.len());
            is_refused_for_good(server, request.as_bytes(), 501);
        }
    });
}

#[test]
fn calls_are_of_the_protocols_media_type() {
    over_http(|server| {
        for wrong in ["", "content-type: text/plain\r\n", "content-type: application/jsonx\r\n"] {
            let refused = is_refused_and_served_on(server, &post_with("/", wrong, ADD), 415);
            assert!(refused.body.contains("application/json"), "{refused:?}");
        }
        let encoded = format!("{JSON}content-encoding: gzip\r\n");
        is_refused_and_served_on(server, &post_with("/", &encoded, ADD), 415);
        for right in [
            "content-type: application/json; charset=utf-8\r\n",
            "Content-Type: Application/JSON\r\n",
            "content-type: application/json-rpc\r\n",
        ] {
            let mut raw = HttpRaw::connect(server.address());
            raw.send(&post_with("/", right, ADD));
            assert_eq!(raw.response().body, SUM, "{right}");
        }
    });
}

#[test]
fn a_server_may_have_one_path() {
    within("paths", || {
        let server = serve(JsonRpc::over_http().path("/rpc"), PATIENT);
        let mut raw = HttpRaw::connect(server.address());
        for (path, status) in [("/", 404), ("/rpc", 200), ("/rpc/", 404), ("/rpc?q=1", 200)] {
            raw.send(&post_with(path, JSON, ADD));
            assert_eq!(raw.response().status, status, "{path}");
        }
    });
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_read() {
    over_http(|server| {
        let announced = format!("POST / HTTP/1.1\r\nhost: test\r\n{JSON}content-length: 1001\r\n");
        is_refused_for_good(server, format!("{announced}\r\n").as_bytes(), 413);
        // Who asks first is not told to go on.
        let asks = format!("{announced}expect: 100-continue\r\n\r\n");
        is_refused_for_good(server, asks.as_bytes(), 413);
        let huge = format!(
            "POST / HTTP/1.1\r\nhost: test\r\n{JSON}content-length: 9999999999999999999\r\n\r\n"
        );
        is_refused_for_good(server, huge.as_bytes(), 413);
        // A body in chunks does not say how long it is; this one has no end.
        let head =
            format!("POST / HTTP/1.1\r\nhost: test\r\n{JSON}transfer-encoding: chunked\r\n\r\n");
        let chunks = format!("200\r\n{}\r\n", " ".repeat(0x200)).repeat(2);
        is_refused_for_good(server, format!("{head}{chunks}").as_bytes(), 413);
        // The limit itself is allowed.
        let mut raw = HttpRaw::connect(server.address());
        assert_eq!(raw.ask(&format!("{ADD:1000}")).body, SUM);
    });
}

#[test]
fn what_is_no_http_is_refused() {
    over_http(|server| {
        let twice = format!("{JSON}content-length: 3\r\n");
        is_refused_for_good(server, &post_with("/", &twice, ADD), 400);
        for (bytes, status) in [
            ("hello\r\n\r\n", 400),
            ("9ST\x01\0\0\0\x05\r\n\r\n", 400),
            ("POST / HTTP/7.7\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: -1\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 1e3\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n", 400),
            ("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nbad header: x\r\n\r\n", 400),
            (
                "POST / HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n",
                400,
            ),
        ] {
            is_refused_for_good(server, bytes.as_bytes(), status);
        }
        let many = "x: y\r\n".repeat(200);
        is_refused_for_good(server, &post_with("/", &many, ADD), 431);
        let endless = format!("POST /{} HTTP/1.1\r\n\r\n", "x".repeat(17_000));
        is_refused_for_good(server, endless.as_bytes(), 431);
    });
}

#[test]
fn chunks_count_more_than_a_length() {
    over_http(|server| {
        let mut raw = HttpRaw::connect(server.address());
        let chunks = format!("{:x}\r\n{}\r\n3\r\n   \r\n0\r\n\r\n", ADD.len(), ADD);
        for lengths in ["", "content-length: 5\r\n"] {
            let head = format!(
                "POST / HTTP/1.1\r\nhost: test\r\n{JSON}{lengths}transfer-encoding: chunked\r\n"
            );
            raw.send(format!("{head}\r\n{chunks}").as_bytes());
            assert_eq!(raw.response().body, SUM, "{lengths}");
        }
    });
}

#[test]
fn a_request_that_is_torn_at_any_byte_harms_nobody() {
    over_http(|server| {
        let request = post(ADD);
        let mut bystander = HttpRaw::connect(server.address());
        for sent in 0..request.len() {
            let mut leaver = HttpRaw::connect(server.address());
            leaver.send(&request[..sent]);
            leaver.finish_sending();
            match leaver.next_response() {
                Some(told) => assert_eq!(told.status, 400, "after {sent} bytes: {told:?}"),
                None => assert_eq!(sent, 0),
            }
            assert!(leaver.is_over(), "after {sent} bytes");
        }
        assert_eq!(bystander.ask(ADD).body, SUM);
        // Who says that nothing more comes has its answer all the same.
        bystander.send(&request);
        bystander.finish_sending();
        assert_eq!(bystander.response().body, SUM);
        assert!(bystander.is_over());
    });
}

#[test]
fn a_request_may_come_in_pieces() {
    over_http(|server| {
        let mut raw = HttpRaw::connect(server.address());
        for byte in post(ADD) {
            raw.send(&[byte]);
        }
        assert_eq!(raw.response().body, SUM);
    });
}

#[test]
fn requests_may_come_together() {
    over_http(|server| {
        let mut raw = HttpRaw::connect(server.address());
        let call = |id| post(&ADD.replace(r#""id":1"#, &format!(r#""id":{id}"#)));
        let wrong = post_with("/", "", ADD);
        let all = [call(1), call(2), wrong, call(3), call(4)].concat();
        raw.send(&all[..all.len() - 1]);
        for id in 1..=2 {
            assert!(raw.response().body.ends_with(&format!(r#""id":{id}}}"#)), "{id}");
        }
        assert_eq!(raw.response().status, 415);
        assert!(raw.response().body.ends_with(r#""id":3}"#));
        raw.send(&all[all.len() - 1..]);
        assert!(raw.response().body.ends_with(r#""id":4}"#));
        // What is no HTTP comes after answers, which come all the same.
        raw.send(&[call(5), b"nonsense\r\n\r\n".to_vec()].concat());
        assert!(raw.response().body.ends_with(r#""id":5}"#));
        assert_eq!(raw.response().status, 400);
        assert!(raw.is_over());
    });
}

#[test]
fn who_asks_before_sending_a_body_is_told_to_go_on() {
    over_http(|server| {
        let mut raw = HttpRaw::connect(server.address());
        let request = post_with("/", &format!("{JSON}expect: 100-continue\r\n"), ADD);
        let (head, body) = request.split_at(request.len() - ADD.len());
        raw.send(head);
        assert_eq!(raw.response().status, 100);
        raw.send(body);
        assert_eq!(raw.response().body, SUM);
    });
}

#[test]
fn a_connection_is_kept_as_the_client_wishes() {
    over_http(|server| {
        let old = |headers| {
            let request = post_with("/", &format!("{JSON}{headers}"), ADD);
            String::from_utf8(request).unwrap().replace("HTTP/1.1", "HTTP/1.0").into_bytes()
        };
        for last in [old(""), post_with("/", &format!("{JSON}connection: close\r\n"), ADD)] {
            let mut raw = HttpRaw::connect(server.address());
            raw.send(&last);
            assert_eq!(raw.response().body, SUM);
            assert!(raw.is_over());
        }
        let mut raw = HttpRaw::connect(server.address());
        for _ in 0..2 {
            raw.send(&old("connection: keep-alive\r\n"));
            let kept = raw.response();
            assert!(kept.head.starts_with("http/1.0 200"), "{kept:?}");
            assert!(kept.head.contains("connection: keep-alive"), "{kept:?}");
        }
    });
}

#[test]
fn a_notification_alone_is_answered_with_an_empty_body() {
    over_http(|server| {
        let mut raw = HttpRaw::connect(server.address());
        let answer = raw.ask(r#"{"jsonrpc":"2.0","method":"add","params":[10,5]}"#);
        assert_eq!((answer.status, &*answer.body), (200, ""));
        assert!(answer.head.contains("content-length: 0"), "{answer:?}");
        assert_eq!(raw.ask(ADD).body, SUM);
    });
}

#[test]
fn head_and_body_come_in_one_piece() {
    over_http(|server| {
        let mut raw = HttpRaw::connect(server.address());
        for _ in 0..100 {
            raw.send(&post(ADD));
            assert!(raw.read_once().ends_with(SUM));
        }
    });
}

#[test]
fn slow_clients_are_told_so() {
    let short = Duration::from_millis(50);
    let request = post(ADD);
    let is_slow = |limits: Limits, before: &[u8], sent: &[u8]| {
        let server = serve(JsonRpc::over_http(), limits);
        let mut raw = HttpRaw::connect(server.address());
        raw.send(before);
        if !before.is_empty() {
            assert_eq!(raw.response().body, SUM);
        }
        raw.send(sent);
        raw.next_response().map(|told| {
            assert!(raw.is_over());
            told.status
        })
    };
    for sent in [&request[..1], &request[..20], &request[..request.len() - 1]] {
        let slow = Limits { message: short, ..PATIENT };
        assert_eq!(is_slow(slow, b"", sent), Some(408));
        assert_eq!(is_slow(slow, &request, sent), Some(408));
        let slow = Limits { first_message: short, ..PATIENT };
        assert_eq!(is_slow(slow, b"", sent), Some(408));
    }
    // What comes without end is not endless time: here a chunk's size of ever more zeros.
    let server = serve(JsonRpc::over_http(), Limits { first_message: short, ..PATIENT });
    let mut talk = TcpStream::connect(server.address()).unwrap();
    let mut raw = HttpRaw::over(talk.try_clone().unwrap());
    let talk = thread::spawn(move || {
        let head = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
        talk.write_all(head.as_bytes()).unwrap();
        while talk.write_all(&[b'0'; 1000]).is_ok() {}
    });
    assert_eq!(raw.response().status, 408);
    drop(raw);
    talk.join().unwrap();
    // Who has not begun is not told anything.
    assert_eq!(is_slow(Limits { first_message: short, ..PATIENT }, b"", b""), None);
    assert_eq!(is_slow(Limits { idle: short, ..PATIENT }, &request, b""), None);
    // A request that was refused has come, too.
    let server = serve(JsonRpc::over_http(), Limits { first_message: short, ..PATIENT });
    let mut raw = HttpRaw::connect(server.address());
    raw.send(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n");
    assert_eq!(raw.response().status, 405);
    assert!(raw.is_silent(4 * short));
    assert_eq!(raw.ask(ADD).body, SUM);
}

#[test]
fn a_stop_in_the_middle_of_a_request_says_that_it_was_not_executed() {
    over_http(|server| {
        let request = post(ADD);
        for sent in [1, 20, request.len() - 1] {
            let server = serve(JsonRpc::over_http(), PATIENT);
            let mut raw = HttpRaw::connect(server.address());
            assert_eq!(raw.ask(ADD).body, SUM);
            raw.send(&request[..sent]);
            raw.is_read();
            server.stop_handle().stop();
            let told = raw.response();
            assert_eq!(told.status, 503, "{sent}: {told:?}");
            assert!(told.head.contains("connection: close"), "{told:?}");
            assert!(raw.is_over());
        }
        assert_eq!(HttpRaw::connect(server.address()).ask(ADD).body, SUM);
    });
}

#[test]
fn a_client_whose_requests_are_all_refused_does_not_put_off_a_stop() {
    within("a stop", || {
        let server = serve(JsonRpc::over_http(), PATIENT);
        let mut raw = HttpRaw::connect(server.address());
        let mut ask = move || {
            raw.try_send(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n");
            raw.next_response().map(|response| response.status)
        };
        assert_eq!(ask(), Some(405));
        server.stop_handle().stop();
        while let Some(status) = ask() {
            assert_eq!(status, 405);
        }
        server.ended().unwrap();
    });
}

#[test]
fn a_refused_connection_is_told_why() {
    for (code, status) in [(Fault::OVERLOADED, "503 "), (Fault::NOT_ALLOWED, "403 ")] {
        let (channel, connection) = Channel::in_memory().unwrap();
        let client = channel.connect().unwrap();
        let server = Server::new(demo::procedures()).protocol(JsonRpc::over_http());
        server.serve(connection.refused(Fault::new(code, "not today")));
        let mut came = Vec::new();
        while client.receive(&mut came).unwrap() > 0 {}
        let told = String::from_utf8(came).unwrap();
        assert!(told.starts_with(&format!("HTTP/1.1 {status}")), "{told}");
        assert!(told.ends_with("\r\n\r\nnot today\n"), "{told}");
    }
}
