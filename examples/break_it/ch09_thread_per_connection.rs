//! Chapter 9: what threads share, they share in bad times too: a balance, a lock, a process.

use std::env;
use std::io::{BufRead, BufReader, Write, stdout};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use ninestep::{Channel, ClientStub, Procedures, Result, Server, ThreadPerConnection, demo};

// ANCHOR: procedures
fn procedures() -> Procedures {
    let account = Arc::new(Mutex::new(100));
    let (read, write, broken) = (Arc::clone(&account), Arc::clone(&account), account);
    Procedures::new()
        .on("balance", move || *read.lock().unwrap_or_else(PoisonError::into_inner))
        .on("set_balance", move |to: i64| match write.lock() {
            Ok(mut balance) => *balance = to,
            Err(_) => panic!("somebody panicked while the balance was in his hands"),
        })
        .on("panic_with_the_lock", move || {
            let _held = broken.lock();
            if true {
                panic!("with the lock in my hand");
            }
        })
}
// ANCHOR_END: procedures

/// The server is a process of its own, because in the end it dies.
fn serve() -> crate::Result {
    // What the panics say is not part of the experiment.
    std::panic::set_hook(Box::new(|_| {}));
    let server = Server::new(procedures().and(demo::trouble())).bind("127.0.0.1:0")?;
    println!("{}", server.local_addr());
    stdout().flush()?;
    Ok(server.run(&ThreadPerConnection::default())?)
}

fn show<T: std::fmt::Debug>(what: &str, outcome: Result<T>) {
    match outcome {
        Ok(result) => println!("  {what}: {result:?}"),
        Err(error) => println!("  {what}: {error}"),
    }
}

fn clients(channel: &Channel) -> Result<()> {
    let (ann, bob) = (ClientStub::new(channel)?, ClientStub::new(channel)?);
    println!(
        "Ann and Bob each take 30 out of 100, by reading the balance and writing the new one:"
    );
    let seen_by_ann: i64 = ann.call("balance", ())?;
    let seen_by_bob: i64 = bob.call("balance", ())?;
    ann.call::<()>("set_balance", (seen_by_ann - 30,))?;
    bob.call::<()>("set_balance", (seen_by_bob - 30,))?;
    show("they have 60, and the balance is", ann.call::<i64>("balance", ()));
    println!("Ann's call panics while it holds the lock:");
    show("Ann's call", ann.call::<()>("panic_with_the_lock", ()));
    show("Bob sets the balance", bob.call::<()>("set_balance", (40,)));
    println!("Ann's call aborts:");
    show("Ann's call", ann.call::<()>("abort", ()));
    show("Bob reads the balance", bob.call::<i64>("balance", ()));
    Ok(())
}

pub(crate) fn run() -> crate::Result {
    if env::args().nth(2).as_deref() == Some("serve") {
        return serve();
    }
    let mut server =
        Command::new(env::current_exe()?).args(["9", "serve"]).stdout(Stdio::piped()).spawn()?;
    let mut address = String::new();
    BufReader::new(server.stdout.take().ok_or("no standard output")?).read_line(&mut address)?;
    let channel = Channel::new(address.trim_end());
    // If it has not died of the experiment, it must not outlive it.
    clients(&channel).inspect_err(|_| drop(server.kill()))?;
    println!("  the server: {}", server.wait()?);
    show("a new client", ClientStub::new(&channel).map(drop));
    Ok(())
}
