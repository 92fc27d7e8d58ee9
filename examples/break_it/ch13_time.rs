//! Chapter 13: an impatient client orders three times, and two ways to make that harmless.

use std::collections::HashSet;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::Duration;

use ninestep::{Channel, ClientStub, Error, Procedures, Result, Server, ThreadPerConnection};

/// The client waits for less than half of the time that an order takes.
const PATIENCE: Duration = Duration::from_millis(200);
const WORK: Duration = Duration::from_millis(500);

// ANCHOR: orders
/// `order` works, then counts; `order_once` does so for each name that it has not seen before.
fn procedures(orders: &Arc<AtomicU32>) -> Procedures {
    let (orders, again) = (Arc::clone(orders), Arc::clone(orders));
    let seen = Mutex::new(HashSet::new());
    Procedures::new()
        .on("order", move || {
            sleep(WORK);
            orders.fetch_add(1, Ordering::SeqCst);
        })
        .on("order_once", move |name: String| {
            // Whoever repeats an order that is under way waits here until it is done.
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.insert(name) {
                sleep(WORK);
                again.fetch_add(1, Ordering::SeqCst);
            }
        })
}
// ANCHOR_END: orders

// ANCHOR: impatient
/// Calls, and calls anew when there is no reply in time.
fn impatient(call: impl Fn() -> Result<()>) -> Result<()> {
    for attempt in 1..=3 {
        match call() {
            Err(error @ Error::Timeout(_)) => println!("  attempt {attempt}: {error}"),
            other => return other.inspect(|()| println!("  attempt {attempt}: done")),
        }
    }
    Ok(())
}
// ANCHOR_END: impatient

fn together(stub: &ClientStub) -> Result<()> {
    let mut batch = stub.batch();
    let orders = [(); 4].map(|()| batch.send::<()>("order", ()));
    batch.flush()?;
    for (number, order) in (1..).zip(orders) {
        let outcome = order?.wait().map_or_else(|error| error.to_string(), |()| "done".to_owned());
        println!("  order {number}: {outcome}");
    }
    Ok(())
}

/// Runs the client, drains the server, and tells how many orders were executed.
fn count(
    what: &str,
    client: impl FnOnce(&dyn Fn() -> Result<ClientStub>) -> Result<()>,
) -> Result<()> {
    println!("{what}:");
    let orders = Arc::new(AtomicU32::new(0));
    let server = Server::new(procedures(&orders)).bind("127.0.0.1:0")?;
    let (channel, stop) =
        (Channel::new(server.local_addr()).call_timeout(PATIENCE), server.stop_handle());
    let serving = thread::spawn(move || server.run(&ThreadPerConnection::default()));
    client(&|| ClientStub::new(&channel))?;
    stop.stop();
    serving.join().unwrap_or_else(|panic| resume_unwind(panic))?;
    println!("  orders executed: {}", orders.load(Ordering::SeqCst));
    Ok(())
}

pub(crate) fn run() -> crate::Result {
    count("The client repeats its order", |stub| impatient(|| stub()?.call("order", ())))?;
    count("It gives the order a name", |stub| impatient(|| stub()?.call("order_once", ("4711",))))?;
    Ok(count("It sends four orders in one write", |stub| together(&stub()?))?)
}
