//! HTTP/2 under the protocols that use it, against bare frames and another implementation: what
//! goes side by side, what is refused, what ends the connection.
#![cfg(feature = "http2")]

pub mod support;

use std::time::{Duration, Instant};

use ninestep::{Limits, Procedures, Server, Strategy, ThreadPerConnection, demo};
use support::http2::{
    Frames, Other, PREFACE, Texts, call, call_headers, code, flag, frame, headers, kind, last,
    packed, request,
};
use support::{PATIENCE, ServerThread, within};

const HOUR: Duration = Duration::from_secs(3600);
/// Every limit is an hour, but for those that a test sets.
const PATIENT: Limits =
    Limits { first_message: HOUR, message: HOUR, idle: HOUR, write: HOUR, drain: HOUR };

fn serve(limits: Limits, strategy: impl Strategy + Send + 'static) -> ServerThread {
    let server = Server::new(demo::procedures()).protocol(Texts::new(1000)).limits(limits);
    ServerThread::run(server, strategy)
}

/// A test against a patient server of at most 1,000 bytes in a message.
fn over_http2(test: impl FnOnce(&ServerThread) + Send + 'static) {
    within("a test over HTTP/2", || test(&serve(PATIENT, ThreadPerConnection::default())));
}

#[test]
fn an_answer_is_headers_data_and_trailers() {
    over_http2(|server| {
        let seen = Other::connect(server.address()).ask(request("add", "[10,5]")).unwrap();
        assert_eq!((seen.status, &seen.body[5..]), (200, "15"));
        assert_eq!(seen.headers["content-type"], "application/texts");
        assert_eq!(seen.trailers["code"], "0");
    });
}

#[test]
fn a_slow_call_holds_up_no_other() {
    over_http2(|server| {
        let mut frames = Frames::greeted(server.address());
        frames.send(&call(1, "sleep", "[500]"));
        frames.send(&call(3, "add", "[10,5]"));
        assert_eq!(frames.answer(), (3, "15".to_owned()));
        assert_eq!(frames.answer(), (1, "null".to_owned()));
    });
}
