//! Chapter 8: an idle client blocks everyone, and so does a server that calls itself.

use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use ninestep::{Channel, ClientStub, Limits, Procedures, Result, Server, SingleThreaded};

/// Runs the clients against a single-threaded server of these procedures.
fn with_server(
    server: Server,
    address: &'static OnceLock<SocketAddr>,
    clients: impl FnOnce(SocketAddr) -> Result<()>,
) -> Result<()> {
    let server = server.bind("127.0.0.1:0")?;
    let (here, stop) = (server.local_addr(), server.stop_handle());
    let _ = address.set(here);
    let serving = thread::spawn(move || server.run(&SingleThreaded));
    clients(here)?;
    stop.stop();
    serving.join().unwrap_or_else(|panic| resume_unwind(panic))
}

fn idle_client() -> Result<()> {
    static UNUSED: OnceLock<SocketAddr> = OnceLock::new();
    let procedures = Procedures::new().on("hello", || "hello");
    // ANCHOR: idle-limit
    let limits = Limits { idle: Duration::from_millis(300), ..Limits::default() };
    let server = Server::new(procedures).limits(limits);
    // ANCHOR_END: idle-limit
    with_server(server, &UNUSED, |address| {
        let idle = ClientStub::new(&Channel::new(address))?;
        println!("  the idle client calls once:     {}", idle.call::<String>("hello", ())?);
        let waiting = ClientStub::new(&Channel::new(address))?;
        println!(
            "  the second client calls, and in the end gets {}",
            waiting.call::<String>("hello", ())?
        );
        let again = idle.call::<String>("hello", ());
        let again = again.unwrap_or_else(|why| why.to_string());
        println!("  the idle client calls again:    {again}");
        Ok(())
    })
}

fn calls_itself() -> Result<()> {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    // ANCHOR: calls-itself
    let procedures = Procedures::new().on("answer", || 42).on("ask", || -> Result<i64> {
        let Some(address) = ADDRESS.get() else { return Ok(0) };
        let own = ClientStub::new(&Channel::new(*address))?;
        own.call_timeout(Duration::from_millis(200)).call("answer", ())
    });
    // ANCHOR_END: calls-itself
    with_server(Server::new(procedures), &ADDRESS, |address| {
        let stub = ClientStub::new(&Channel::new(address))?;
        let asked = stub.call::<i64>("ask", ());
        println!("  ask() says: {}", asked.map_or_else(|why| why.to_string(), |it| it.to_string()));
        println!("  answer() says: {}", stub.call::<i64>("answer", ())?);
        Ok(())
    })
}

pub(crate) fn run() -> crate::Result {
    println!("An idle client, on a server that sends idle clients away:");
    idle_client()?;
    println!("A procedure that calls the server in which it runs:");
    Ok(calls_itself()?)
}
