//! Chapter 10: where clients wait when a pool is full, with a queue and without one.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use ninestep::{Channel, ClientStub, Connection, Incoming, Procedures, Result, Server, Strategy};

const CLIENTS: usize = 20;

/// Two ends of a channel between the acceptor and the threads.
type Between = (Sender<Connection>, Receiver<Connection>);

// ANCHOR: strategy
/// Two threads, and between them and the acceptor a channel of this kind.
struct Pool {
    between: fn() -> Between,
    accepted: Arc<AtomicUsize>,
}

impl Strategy for Pool {
    fn run(&self, incoming: &mut Incoming, serve: &(dyn Fn(Connection) + Sync)) -> Result<()> {
        let (hand_over, handed) = (self.between)();
        thread::scope(|scope| {
            for handed in [handed.clone(), handed] {
                scope.spawn(move || handed.into_iter().for_each(serve));
            }
            for connection in incoming {
                self.accepted.fetch_add(1, Ordering::SeqCst);
                // This waits where the channel has no room.
                let _ = hand_over.send(connection);
            }
            drop(hand_over);
        });
        Ok(())
    }
}
// ANCHOR_END: strategy

/// Twenty clients connect and stay: two are served, the third calls in vain.
fn clients(channel: &Channel) -> Result<Vec<ClientStub>> {
    let stubs = (0..CLIENTS).map(|_| ClientStub::new(channel)).collect::<Result<Vec<_>>>()?;
    for stub in &stubs[..2] {
        stub.call::<()>("hello", ())?;
    }
    let third = stubs[2].call_timeout(Duration::from_millis(200)).call::<()>("hello", ());
    println!(
        "  two clients are served; the third: {}",
        third.map_or_else(|e| e.to_string(), |()| "too".to_owned())
    );
    Ok(stubs)
}

fn experiment(between: fn() -> Between) -> Result<()> {
    let server = Server::new(Procedures::new().on("hello", || ())).bind("127.0.0.1:0")?;
    let (address, stop) = (server.local_addr(), server.stop_handle());
    let accepted = Arc::new(AtomicUsize::new(0));
    let pool = Pool { between, accepted: Arc::clone(&accepted) };
    let serving = thread::spawn(move || server.run(&pool));
    let stubs = clients(&Channel::new(address))?;
    println!("  the server holds {} connections", accepted.load(Ordering::SeqCst));
    drop(stubs);
    stop.stop();
    serving.join().unwrap_or_else(|panic| resume_unwind(panic))
}

pub(crate) fn run() -> crate::Result {
    println!("A pool of two, with a queue that takes whatever comes:");
    experiment(unbounded)?;
    println!("The same pool, and no queue:");
    Ok(experiment(|| bounded(0))?)
}
