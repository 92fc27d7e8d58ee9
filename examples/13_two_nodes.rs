//! Two nodes: one adds, one subtracts. A third offers both and passes every call on.
//!
//! Chapter 15. The third node is a *relay*: a client stub in the place of an implementation. Its
//! callers cannot tell, and an error on the far side reaches them as the fault that it was.

use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::thread::{self, JoinHandle};

use ninestep::{
    Channel, ClientStub, Fault, Procedures, Result, Server, StopHandle, ThreadPerConnection,
};

ninestep::service! {
    /// What the first node does.
    pub trait Adder {
        /// The sum, or a fault.
        fn add(&self, a: i64, b: i64) -> Result<i64>;
    }
}

ninestep::service! {
    /// What the second node does.
    pub trait Subtractor {
        /// The difference, or a fault.
        fn subtract(&self, a: i64, b: i64) -> Result<i64>;
    }
}

/// A server that runs on threads of its own.
struct Node(SocketAddr, StopHandle, JoinHandle<Result<()>>);

impl Node {
    fn start(procedures: Procedures) -> Result<Node> {
        let server = Server::new(procedures).bind("127.0.0.1:0")?;
        let (address, stop) = (server.local_addr(), server.stop_handle());
        let serving = thread::spawn(move || server.run(&ThreadPerConnection::default()));
        Ok(Node(address, stop, serving))
    }

    fn connect(&self) -> Result<ClientStub> {
        ClientStub::new(&Channel::new(self.0))
    }

    fn stop(self) -> Result<()> {
        self.1.stop();
        self.2.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

// ANCHOR: caller
/// The caller: it knows what the two can do, and not where they are.
fn use_both(adder: &impl Adder, subtractor: &impl Subtractor) -> Result<()> {
    println!("  10 + 5 = {}, 10 - 5 = {}", adder.add(10, 5)?, subtractor.subtract(10, 5)?);
    if let Err(error) = adder.add(i64::MAX, 1) {
        println!("  {} + 1: {error}", i64::MAX);
    }
    Ok(())
}
// ANCHOR_END: caller

fn main() -> Result<()> {
    let overflow = || Fault::new(2, "overflow");
    let add = move |a: i64, b: i64| a.checked_add(b).ok_or_else(overflow);
    let subtract = move |a: i64, b: i64| a.checked_sub(b).ok_or_else(overflow);
    let adding = Node::start(Procedures::new().on("add", add))?;
    let subtracting = Node::start(Procedures::new().on("subtract", subtract))?;
    println!("one client, two nodes at {} and {}:", adding.0, subtracting.0);
    use_both(&adding.connect()?, &subtracting.connect()?)?;

    // ANCHOR: relay
    let both =
        Adder::procedures(adding.connect()?).and(Subtractor::procedures(subtracting.connect()?));
    let relay = Node::start(both)?;
    // ANCHOR_END: relay
    println!("the same through one relay at {}:", relay.0);
    let stub = relay.connect()?;
    use_both(&stub, &stub)?;
    drop(stub);
    relay.stop()?;
    adding.stop()?;
    subtracting.stop()
}
