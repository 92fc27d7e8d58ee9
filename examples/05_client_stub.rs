//! What a client stub can do: call; send now and wait later; batch; notify; give up.
//!
//! Chapter 5. Any number of calls may be under way on one connection, because each carries a
//! number that its reply repeats. `RUST_LOG=ninestep=debug` shows them as steps.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use ninestep::{
    Channel, ClientStub, PendingCall, Procedures, Result, Server, SingleThreaded, demo,
};

fn client(channel: &Channel) -> Result<()> {
    let stub = ClientStub::new(channel)?;

    println!("call: waits for the result");
    let sum: i64 = stub.call("add", (10, 5))?;
    println!("  add(10, 5) = {sum}");

    // ANCHOR: send-and-wait
    println!("send, then wait: both calls are under way before the first is waited for");
    let product: PendingCall<i64> = stub.send("multiply", (6, 7))?;
    let greeting: PendingCall<String> = stub.send("sayHi", ("Ada",))?;
    println!("  call {} and call {} are sent", product.id(), greeting.id());
    println!("  sayHi(Ada) = {}", greeting.wait()?);
    println!("  multiply(6, 7) = {}", product.wait()?);
    // ANCHOR_END: send-and-wait

    println!("batch: a hundred calls in one write");
    let mut batch = stub.batch();
    let mut calls = Vec::new();
    for n in 1..=100 {
        calls.push(batch.send::<i64>("multiply", (n, n))?);
    }
    batch.flush()?;
    let squares = calls.into_iter().map(PendingCall::wait).collect::<Result<Vec<_>>>()?;
    println!("  the sum of all squares up to 100 is {}", squares.iter().sum::<i64>());

    println!("notify: nobody waits, and nothing comes back");
    for _ in 0..3 {
        stub.notify("ring", ())?;
    }
    println!("  the bell has rung {} times", stub.call::<u32>("rung", ())?);

    println!("a limit on the time: the caller gives up, the connection lives on");
    let impatient = stub.call_timeout(Duration::from_millis(50));
    match impatient.call::<()>("sleep", (1000,)) {
        Ok(()) => println!("  sleep(1000) came to its end"),
        Err(error) => println!("  sleep(1000): {error}"),
    }
    println!("  add(1, 2) = {}", stub.call::<i64>("add", (1, 2))?);
    Ok(())
}

fn main() -> Result<()> {
    env_logger::init();
    static BELL: AtomicU32 = AtomicU32::new(0);
    let bell = Procedures::new()
        .on("ring", || {
            BELL.fetch_add(1, Ordering::Relaxed);
        })
        .on("rung", || BELL.load(Ordering::Relaxed));
    let server = Server::new(demo::procedures().and(bell)).bind("127.0.0.1:0")?;
    let (address, stop) = (server.local_addr(), server.stop_handle());
    let serving = thread::spawn(move || server.run(&SingleThreaded));
    client(&Channel::new(address))?;
    stop.stop();
    serving.join().unwrap_or_else(|panic| resume_unwind(panic))
}
