//! One function, called with a local object and with a remote one: it cannot tell them apart.
//!
//! Chapter 1. To see the nine steps of the remote calls on standard error:
//! `RUST_LOG=ninestep=debug cargo run --example 01_local_and_remote`

use std::panic::resume_unwind;
use std::thread;

use ninestep::{Channel, ClientStub, Fault, Result, Server, SingleThreaded};

// ANCHOR: service
ninestep::service! {
    /// What every calculator can do, wherever it is.
    pub trait Calculator {
        /// The sum.
        fn add(&self, a: i64, b: i64) -> Result<i64>;
        /// The quotient, or a fault.
        fn divide(&self, a: f64, b: f64) -> Result<f64>;
    }
}
// ANCHOR_END: service

/// The calculator itself.
struct Local;

impl Calculator for Local {
    fn add(&self, a: i64, b: i64) -> Result<i64> {
        println!("  add runs on {:?}", thread::current().id());
        Ok(a.checked_add(b).ok_or_else(|| Fault::new(2, "overflow"))?)
    }

    fn divide(&self, a: f64, b: f64) -> Result<f64> {
        println!("  divide runs on {:?}", thread::current().id());
        match b {
            0.0 => Err(Fault::new(1, "division by zero").into()),
            _ => Ok(a / b),
        }
    }
}

// ANCHOR: use-it
/// The caller: `impl Calculator` is all that it knows.
fn use_it(calculator: &impl Calculator) -> Result<()> {
    println!("  10 + 5 = {}", calculator.add(10, 5)?);
    println!("  10 / 4 = {}", calculator.divide(10.0, 4.0)?);
    match calculator.divide(10.0, 0.0) {
        Ok(quotient) => println!("  10 / 0 = {quotient}"),
        Err(error) => println!("  10 / 0: {error}"),
    }
    Ok(())
}
// ANCHOR_END: use-it

fn main() -> Result<()> {
    env_logger::init();
    println!("local, called on {:?}:", thread::current().id());
    use_it(&Local)?;

    // The same object, offered by a server on a thread of its own. Port 0 is any free port.
    let server = Server::new(Local.procedures()).bind("127.0.0.1:0")?;
    let (address, stop) = (server.local_addr(), server.stop_handle());
    let serving = thread::spawn(move || server.run(&SingleThreaded));

    println!("remote, at {address}, called on {:?}:", thread::current().id());
    let remote = ClientStub::new(&Channel::new(address))?;
    use_it(&remote)?;

    // The client hangs up, the server stops, and whatever ended its thread ends this one too.
    drop(remote);
    stop.stop();
    serving.join().unwrap_or_else(|panic| resume_unwind(panic))
}
