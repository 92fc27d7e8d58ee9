//! Hprose: one letter for what a value is, and no value twice. Chapter 14.
//!
//! With `serve ADDR` it is a server for Hprose's clients in any language, and with `call ADDR` a
//! client for any server of `sayHi` and `sayBye`.

use std::sync::Arc;
use std::{env, error::Error, thread};

use ninestep::demo::{Calculator, Demo};
use ninestep::protocol::hprose::{Hprose, explain::Dump};
use ninestep::{
    Channel, ClientStub, Procedures, Recorder, Server, Step, ThreadPerConnection, Value,
};

type Done = Result<(), Box<dyn Error>>;

fn procedures() -> Procedures {
    Demo.procedures()
        .on("sayHi", |name: String| format!("Hi,{name}!"))
        .on("sayBye", |name: String| format!("Bye,{name}!"))
        .on("ping", || "pong")
        .on("echo", |value: Value| value)
        .on("pair", |a: Value, b: Value| [a, b])
}

fn serve(address: &str) -> Done {
    let server = Server::new(procedures()).protocol(Hprose::default()).bind(address)?;
    println!("listening on {}", server.local_addr());
    Ok(server.run(&ThreadPerConnection::default())?)
}

fn call(address: &str) -> Done {
    let stub = ClientStub::new(&Channel::new(address).protocol(Hprose::default()))?;
    println!("{}", stub.call::<String>("sayHi", ("phyger",))?);
    println!("{}", stub.call::<String>("sayBye", ("phyger",))?);
    Ok(())
}

fn both_ends() -> Done {
    let server = Server::new(procedures()).protocol(Hprose::default());
    let (channel, connection) = Channel::in_memory()?;
    thread::spawn(move || server.serve(connection));
    let steps = Arc::new(Recorder::default());
    let stub = ClientStub::new(&channel.protocol(Hprose::default()).observer(steps.clone()))?;
    let pair: Value = stub.call("pair", ("the same text", "the same text"))?;
    println!("pair(\"the same text\", \"the same text\") = {pair}");
    // HTTP's head is left out here.
    let travels = |step| matches!(step, Step::Pack | Step::Receive);
    for event in steps.take().iter().filter(|event| travels(event.step)) {
        let text = String::from_utf8_lossy(&event.bytes);
        println!("\n{:?}, {} bytes: {text}", event.step, event.bytes.len());
        print!("{}", Dump(&event.bytes));
    }
    println!(
        "\nADD(10, 5) = {}: names may be in capital letters",
        stub.call::<i64>("ADD", (10, 5))?
    );
    println!("divide(10, 0): {:?}", stub.call::<f64>("divide", (10, 0)));
    Ok(())
}

fn main() -> Done {
    let words: Vec<String> = env::args().collect();
    match &*words.iter().map(String::as_str).collect::<Vec<_>>() {
        [_] => both_ends(),
        [_, "serve", address] => serve(address),
        [_, "call", address] => call(address),
        _ => Err("usage: 18_hprose [serve ADDR | call ADDR]".into()),
    }
}
