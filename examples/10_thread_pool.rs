//! A pool of two threads: two clients are served at once, the third waits until one has left.
//!
//! Chapter 10. The pool bounds what the server uses. The price: two clients that are connected
//! and idle starve everybody else, as one does in 08_single_threaded.

use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use ninestep::{Channel, ClientStub, Procedures, Result, Server, ThreadPool};

/// Asks which thread of the server answers.
fn thread_of(stub: &ClientStub) -> Result<String> {
    stub.call("thread", ())
}

fn clients(channel: &Channel) -> Result<()> {
    let first = ClientStub::new(channel)?;
    let thread_of_first = thread_of(&first)?;
    let second = ClientStub::new(channel)?;
    let thread_of_second = thread_of(&second)?;
    println!("two clients are connected, and each has its answer");
    println!("on one thread: {}", thread_of_first == thread_of_second);

    let third = ClientStub::new(channel)?;
    match thread_of(&third.call_timeout(Duration::from_millis(200))) {
        Ok(thread) => println!("third client:  answered by {thread}"),
        Err(error) => println!("third client:  {error}"),
    }

    println!("first client:  leaves");
    drop(first);
    let thread_of_third = thread_of(&third)?;
    println!("third client:  has its answer");
    println!("on the thread that the first one had: {}", thread_of_third == thread_of_first);
    println!("second client: still has its own: {}", thread_of(&second)? == thread_of_second);
    Ok(())
}

fn main() -> Result<()> {
    let procedures = Procedures::new().on("thread", || format!("{:?}", thread::current().id()));
    let server = Server::new(procedures).bind("127.0.0.1:0")?;
    let (address, stop) = (server.local_addr(), server.stop_handle());
    let serving = thread::spawn(move || server.run(&ThreadPool { threads: 2 }));
    clients(&Channel::new(address))?;
    stop.stop();
    serving.join().unwrap_or_else(|panic| resume_unwind(panic))
}
