//! A process for each connection: when a procedure brings its process down, one client notices.
//!
//! Chapter 11. A child begins as a new run of this program (*spawn*) or as a copy of the server
//! (*fork*), which needs a server without other threads. So the server is a process of its own:
//! this program, run again with the word `spawn` or `fork`.

use std::env;
use std::error::Error;
use std::io::{BufRead, BufReader, Write, stdout};
use std::process::{Command, Stdio, id};
use std::sync::atomic::{AtomicU32, Ordering};

use ninestep::{
    Channel, ClientStub, ForkPerConnection, Procedures, Result, Server, SpawnPerConnection,
    Strategy, demo,
};
use rustix::process::{Pid, Signal, kill_process};

static CALLS: AtomicU32 = AtomicU32::new(0);

fn server() -> Server {
    let procedures = Procedures::new()
        .on("process", id)
        .on("count", || CALLS.fetch_add(1, Ordering::Relaxed) + 1);
    Server::new(procedures.and(demo::trouble()))
}

fn serve(server: Server, start: &str) -> Result<(), Box<dyn Error>> {
    let strategy: &dyn Strategy = match start {
        "spawn" => &SpawnPerConnection::new(),
        "fork" => &ForkPerConnection::default(),
        _ => return Err("usage: 11_process_per_connection [spawn | fork]".into()),
    };
    let server = server.bind("127.0.0.1:0")?;
    let stop = server.stop_handle();
    ctrlc::set_handler(move || stop.stop())?;
    println!("{}", server.local_addr());
    stdout().flush()?;
    Ok(server.run(strategy)?)
}

fn clients(channel: &Channel, server: u32) -> Result<()> {
    let (first, second) = (ClientStub::new(channel)?, ClientStub::new(channel)?);
    let processes: [u32; 2] = [first.call("process", ())?, second.call("process", ())?];
    println!("  the server is process {server}");
    println!("  the clients have process {} and process {}", processes[0], processes[1]);
    let counts: [u32; 3] =
        [first.call("count", ())?, first.call("count", ())?, second.call("count", ())?];
    println!("  the first counts {} and {}, the second {}", counts[0], counts[1], counts[2]);
    match first.call::<()>("abort", ()) {
        Ok(()) => println!("  abort returned"),
        Err(error) => println!("  the first calls abort: {error}"),
    }
    println!("  the second counts {}", second.call::<u32>("count", ())?);
    println!("  a new client counts {}", ClientStub::new(channel)?.call::<u32>("count", ())?);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    // ANCHOR: main
    // First thing in `main`: a spawned child serves its connection here and does not return.
    server().serve_if_child()?;
    if let Some(start) = env::args().nth(1) {
        return serve(server(), &start);
    }
    // ANCHOR_END: main
    for start in ["spawn", "fork"] {
        let mut server =
            Command::new(env::current_exe()?).arg(start).stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        BufReader::new(server.stdout.take().ok_or("no standard output")?)
            .read_line(&mut address)?;
        println!("{start}:");
        let outcome = clients(&Channel::new(address.trim_end()), server.id());
        kill_process(Pid::from_child(&server), Signal::TERM)?;
        println!("  the server stopped: {}", server.wait()?);
        outcome?;
    }
    Ok(())
}
