//! The client over HTTP/2: many calls on one connection, and what becomes of them.
#![cfg(feature = "http2")]

pub mod support;

use std::thread;
use std::time::Duration;

use ninestep::{Channel, ClientStub, Error, Fault, Server, ThreadPerConnection, demo};
use support::http2::Texts;
use support::{PATIENCE, ServerThread, within};

fn serve() -> ServerThread {
    let server = Server::new(demo::procedures()).protocol(Texts::new(8 << 20));
    ServerThread::run(server, ThreadPerConnection::default())
}

fn client(server: &ServerThread) -> ClientStub {
    let channel = Channel::new(server.address()).protocol(Texts::new(8 << 20));
    ClientStub::new(&channel.call_timeout(PATIENCE)).unwrap()
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
