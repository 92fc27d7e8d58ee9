//! A thread for each connection: an idle client is in nobody's way, and all share one memory.
//!
//! Chapter 9. Compare with 08_single_threaded, whose second client waits in vain, and with
//! 11_process_per_connection, where each client has a counter of its own.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use ninestep::{Channel, ClientStub, Procedures, Result, Server, ThreadPerConnection};

fn clients(channel: &Channel) -> Result<()> {
    let first = ClientStub::new(channel)?;
    println!("first client:  {}", first.call::<String>("hello", ())?);
    println!("first client:  stays connected and says nothing");

    let second = ClientStub::new(channel)?;
    println!("second client: {}", second.call::<String>("hello", ())?);
    println!("first client:  {}", first.call::<String>("hello", ())?);

    // Four clients count at once. Nothing gets lost, because the counter is an atomic one.
    thread::scope(|scope| {
        let count = || {
            let stub = ClientStub::new(channel)?;
            (0..250).try_for_each(|_| stub.call::<String>("hello", ()).map(drop))
        };
        let counting = [(); 4].map(|()| scope.spawn(count));
        let join = |thread: thread::ScopedJoinHandle<'_, Result<()>>| {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        counting.into_iter().try_for_each(join)
    })?;
    println!("after 1,000 calls by four clients at once:");
    println!("second client: {}", second.call::<String>("hello", ())?);
    Ok(())
}

fn main() -> Result<()> {
    let calls = Arc::new(AtomicU32::new(0));
    let procedures = Procedures::new().on("hello", move || {
        let number = calls.fetch_add(1, Ordering::Relaxed) + 1;
        format!("call {number} of this process, served by {:?}", thread::current().id())
    });
    let server = Server::new(procedures).bind("127.0.0.1:0")?;
    let (address, stop) = (server.local_addr(), server.stop_handle());
    let serving = thread::spawn(move || server.run(&ThreadPerConnection::default()));
    clients(&Channel::new(address))?;
    stop.stop();
    serving.join().unwrap_or_else(|panic| resume_unwind(panic))
}
