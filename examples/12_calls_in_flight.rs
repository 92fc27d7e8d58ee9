//! Many calls under way on one connection: what that gains, and what a slow one among them costs.
//!
//! Chapters 5 and 12. The microseconds differ from run to run and from machine to machine; the
//! number of writes does not.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ninestep::{
    Channel, ClientStub, PendingCall, Recorder, Result, Server, Step, ThreadPerConnection, demo,
};

fn timed<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let start = Instant::now();
    work()?;
    let took = start.elapsed();
    println!("  {what}: {} µs", took.as_micros());
    Ok(took)
}

/// How many writes there were since it was asked last.
fn writes(steps: &Recorder) -> usize {
    steps.take().into_iter().filter(|event| event.step == Step::Send).count()
}

fn many(channel: &Channel, steps: &Recorder) -> Result<()> {
    let stub = ClientStub::new(channel)?;
    println!("2,000 calls of add(n, n):");
    timed("one at a time", || {
        (0..2000).try_for_each(|n| stub.call::<i64>("add", (n, n)).map(drop))
    })?;
    println!("    writes: {}", writes(steps));
    // ANCHOR: batch
    timed("in one batch", || {
        let mut batch = stub.batch();
        let calls: Vec<PendingCall<i64>> =
            (0..2000).map(|n| batch.send("add", (n, n))).collect::<Result<_>>()?;
        batch.flush()?;
        calls.into_iter().try_for_each(|call| call.wait().map(drop))
    })?;
    // ANCHOR_END: batch
    println!("    writes: {}", writes(steps));
    Ok(())
}

fn one_slow(channel: &Channel, steps: &Recorder) -> Result<()> {
    let stub = ClientStub::new(channel)?;
    println!("three calls on one connection, the first of them slow, waited for in reverse order:");
    let slow = stub.send::<()>("sleep", (300,))?;
    let quick = [stub.send::<i64>("add", (1, 1))?, stub.send::<i64>("add", (2, 2))?];
    let sent = [slow.id(), quick[0].id(), quick[1].id()];
    for call in quick.into_iter().rev() {
        call.wait()?;
    }
    slow.wait()?;
    let events = steps.take().into_iter().filter(|event| event.step == Step::Receive);
    let received: Vec<u32> = events.map(|event| event.id).collect();
    println!("  sent {sent:?}, received {received:?}: a server answers a connection in its order");

    println!("the same, the slow call on a connection of its own:");
    let other = ClientStub::new(channel)?;
    let slow = other.send::<()>("sleep", (300,))?;
    let quick = timed("a quick call meanwhile", || stub.call::<i64>("add", (1, 1)))?;
    let slow = timed("then the rest of the slow call", || slow.wait())?;
    println!("  the quick call was the first to be answered: {}", quick < slow);
    Ok(())
}

fn main() -> Result<()> {
    let server = Server::new(demo::procedures()).bind("127.0.0.1:0")?;
    let (address, stop) = (server.local_addr(), server.stop_handle());
    let serving = thread::spawn(move || server.run(&ThreadPerConnection::default()));
    let steps = Arc::new(Recorder::default());
    let channel = Channel::new(address).observer(steps.clone());
    many(&channel, &steps)?;
    one_slow(&channel, &steps)?;
    stop.stop();
    serving.join().unwrap_or_else(|panic| resume_unwind(panic))
}
