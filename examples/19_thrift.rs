//! Thrift: numbered fields, and a file that says what the numbers mean. Chapter 14.
//!
//! With `serve ADDR pingpong` or `serve ADDR calculator` it is a server for Thrift's clients in
//! any language; with `call ADDR` a client for any server of `ping` and `login`.

use std::sync::{Arc, atomic::AtomicI64, atomic::Ordering::SeqCst};
use std::{env, error::Error, thread};

use ninestep::demo::{Calculator, Demo};
use ninestep::protocol::thrift::{Idl, IdlError, Thrift, explain::Dump};
use ninestep::{Channel, ClientStub, Procedures, Recorder, Server, Step, ThreadPerConnection};

/// What is thrown, and what is never answered. All else is as without a file: 1, 2, … in order.
const DECLARED: &str = "
    exception DivideByZero { 1: string message }
    service Calculator {
        double divide(1: double a, 2: double b) throws (1: DivideByZero error),
        oneway void notify(1: string text) }";

type Done = Result<(), Box<dyn Error>>;

fn thrift() -> Result<Thrift, IdlError> {
    Ok(Thrift { idl: Idl::parse(DECLARED)?, ..Thrift::default() })
}

fn pingpong() -> Procedures {
    let login = |_: String, _: String| " Login successful !";
    Procedures::new().on("ping", || "pong").on("login", login)
}

fn calculator() -> Procedures {
    static NOTIFIED: AtomicI64 = AtomicI64::new(0);
    Demo.procedures()
        .on("echo", |value: ninestep::Value| value)
        .on("notify", |_text: String| NOTIFIED.fetch_add(1, SeqCst))
        .on("notified", || NOTIFIED.load(SeqCst))
        .on("nothing", || ())
}

fn serve(address: &str, procedures: Procedures) -> Done {
    let server = Server::new(procedures).protocol(thrift()?).bind(address)?;
    println!("listening on {}", server.local_addr());
    Ok(server.run(&ThreadPerConnection::default())?)
}

fn call(address: &str) -> Done {
    let stub = ClientStub::new(&Channel::new(address).protocol(Thrift::default()))?;
    println!("{}", stub.call::<String>("ping", ())?);
    println!("{}", stub.call::<String>("login", ("root", "pwd"))?);
    Ok(())
}

fn both_ends() -> Done {
    let server = Server::new(calculator()).protocol(thrift()?);
    let (channel, connection) = Channel::in_memory()?;
    thread::spawn(move || server.serve(connection));
    let steps = Arc::new(Recorder::default());
    let stub = ClientStub::new(&channel.protocol(thrift()?).observer(steps.clone()))?;
    println!("add(10, 5) = {}, in these bytes:", stub.call::<i64>("add", (10_i64, 5_i64))?);
    let travels = |step| matches!(step, Step::Send | Step::Receive);
    for event in steps.take().iter().filter(|event| travels(event.step)) {
        println!("\n{:?}, {} bytes\n{}", event.step, event.bytes.len(), Dump(&event.bytes));
    }
    println!("divide(10, 0): {:?}", stub.call::<f64>("divide", (10, 0)));
    stub.notify("notify", ("nobody answers this",))?;
    println!("notified() = {}", stub.call::<i64>("notified", ())?);
    Ok(())
}

fn main() -> Done {
    let words: Vec<String> = env::args().collect();
    match &*words.iter().map(String::as_str).collect::<Vec<_>>() {
        [_] => both_ends(),
        [_, "serve", address, "pingpong"] => serve(address, pingpong()),
        [_, "serve", address, "calculator"] => serve(address, calculator()),
        [_, "call", address] => call(address),
        _ => Err("usage: 19_thrift [serve ADDR pingpong|calculator | call ADDR]".into()),
    }
}
