//! gRPC: the tutorials' services, from ordinary closures, without a `.proto` file. Chapter 14.
//!
//! With `serve ADDR hello`, `calculator`, `add` or `subtract` it is a server for gRPC's clients in
//! any language; with `call ADDR hello` or `calculator` a client for any server of these.

use std::sync::Arc;
use std::{env, error::Error, thread};

use ninestep::demo::{Calculator, Demo};
use ninestep::protocol::grpc::{Grpc, explain::Dump};
use ninestep::{Channel, ClientStub, Procedures, Recorder, Server, Step, ThreadPerConnection};

type Done = Result<(), Box<dyn Error>>;

/// Methods are called `SayHello` and `Add`, and find `sayHello` and `add`.
fn service(name: &str) -> Option<(Grpc, Procedures)> {
    let nothing = Procedures::new();
    let (service, procedures) = match name {
        "hello" => {
            let hello = nothing.on("sayHello", |name: String| format!("Hello, {name}!"));
            ("rpc_package.HelloWorldService", hello)
        }
        "calculator" => ("Calculator", Demo.procedures()),
        "add" => ("Add", nothing.on("add", |a: i64, b: i64| a + b)),
        "subtract" => ("Subtract", nothing.on("subtract", |a: i64, b: i64| a - b)),
        _ => return None,
    };
    Some((Grpc::service(service), procedures))
}

fn serve(address: &str, (grpc, procedures): (Grpc, Procedures)) -> Done {
    let server = Server::new(procedures).protocol(grpc).bind(address)?;
    println!("listening on {}", server.local_addr());
    Ok(server.run(&ThreadPerConnection::default())?)
}

fn call(address: &str, name: &str, grpc: Grpc) -> Done {
    let stub = ClientStub::new(&Channel::new(address).protocol(grpc))?;
    if name == "hello" {
        let message: String = stub.call("sayHello", ("eric",))?;
        println!("hello client received: {message}");
        return Ok(());
    }
    for whole in ["add", "subtract", "multiply"] {
        println!("{}", stub.call::<i64>(whole, (10, 5))?);
    }
    println!("{:?}", stub.call::<f64>("divide", (10, 5))?);
    Ok(())
}

fn both_ends() -> Done {
    let grpc = || Grpc::service("Calculator");
    let (channel, connection) = Channel::in_memory()?;
    let server = Server::new(Demo.procedures()).protocol(grpc());
    thread::spawn(move || server.serve(connection));
    let steps = Arc::new(Recorder::default());
    let stub = ClientStub::new(&channel.protocol(grpc()).observer(steps.clone()))?;
    println!("add(10, 5) = {}, in these bytes:", stub.call::<i64>("add", (10, 5))?);
    // What HTTP/2 makes of them is another matter: the path is there, and the status.
    let bodies = |step| matches!(step, Step::Pack | Step::Receive);
    for event in steps.take().iter().filter(|event| bodies(event.step)) {
        println!("\n{:?}, {} bytes\n{}", event.step, event.bytes.len(), Dump(&event.bytes));
    }
    println!("divide(10, 0): {:?}", stub.call::<f64>("divide", (10, 0)));
    Ok(())
}

fn main() -> Done {
    let words: Vec<String> = env::args().collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match (&words[..], words.get(3).and_then(|name| service(name))) {
        ([_], _) => both_ends(),
        ([_, "serve", address, _], Some(service)) => serve(address, service),
        ([_, "call", address, name], Some((grpc, _))) => call(address, name, grpc),
        _ => Err("usage: 20_grpc [serve|call ADDR hello|calculator|add|subtract]".into()),
    }
}
