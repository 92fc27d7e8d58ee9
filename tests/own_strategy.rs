//! A strategy that is not one of ninestep's own, and what every strategy is given.

pub mod support;

use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use ninestep::{Connection, Incoming, Result, Server, Strategy, demo};
use rustix::net::sockopt::{Timeout, socket_timeout, tcp_nodelay};
use support::{ServerThread, within};

/// Serves one connection after another, and tells how the kernel treats each.
struct Watching(Sender<(bool, Option<Duration>)>);

impl Strategy for Watching {
    fn run(&self, incoming: &mut Incoming, serve: &(dyn Fn(Connection) + Sync)) -> Result<()> {
        for connection in incoming {
            let delayed = !tcp_nodelay(&connection).expect("a TCP socket");
            let limit = socket_timeout(&connection, Timeout::Recv).expect("a socket");
            self.0.send((delayed, limit)).expect("the test listens");
            serve(connection);
        }
        Ok(())
    }
}

#[test]
fn connections_send_at_once_and_look_up_from_reading() {
    let (tell, told) = mpsc::channel();
    let server = ServerThread::run(Server::new(demo::procedures()), Watching(tell));
    within("two clients", move || {
        for _ in 0..2 {
            let stub = server.client();
            assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
            let (delayed, limit) = told.recv().unwrap();
            assert!(!delayed, "Nagle's algorithm waits for acknowledgements");
            let limit = limit.expect("a read that never ends sees no stop");
            assert!(limit <= Duration::from_millis(100), "a stop would be seen after {limit:?}");
        }
        // Told to stop, the connections end, and with them the strategy.
        server.stop_handle().stop();
        server.ended().unwrap();
    });
}
