//! XML-RPC: every value says in words what it is. Chapter 14.
//!
//! With `serve ADDR` it is a server for XML-RPC's clients in any language, Python's among them:
//! `xmlrpc.client.ServerProxy("http://ADDR", allow_none=True)`. With `call ADDR` it is a client for
//! any server of `sayHi`.

use std::sync::Arc;
use std::{env, error::Error, thread};

use ninestep::demo::{Calculator, Demo};
use ninestep::protocol::xml_rpc::XmlRpc;
use ninestep::{
    Channel, ClientStub, Fault, Procedures, Recorder, Server, Step, ThreadPerConnection, Value,
};

type Done = Result<(), Box<dyn Error>>;

fn procedures() -> Procedures {
    Demo.procedures()
        .on("sayHi", |name: String| format!("Hi {name}!"))
        .on("echo", |value: Value| value)
        .on("noop", || ())
        .on("fail", |code: i32, message: String| -> Result<(), Fault> {
            Err(Fault::new(code, message))
        })
}

fn serve(address: &str) -> Done {
    let server = Server::new(procedures()).protocol(XmlRpc::default()).bind(address)?;
    println!("listening on {}", server.local_addr());
    Ok(server.run(&ThreadPerConnection::default())?)
}

fn call(address: &str) -> Done {
    let stub = ClientStub::new(&Channel::new(address).protocol(XmlRpc::default()))?;
    println!("{}", stub.call::<String>("sayHi", ("phyger",))?);
    Ok(())
}

fn both_ends() -> Done {
    let server = Server::new(procedures()).protocol(XmlRpc::default());
    let (channel, connection) = Channel::in_memory()?;
    thread::spawn(move || server.serve(connection));
    let steps = Arc::new(Recorder::default());
    let stub = ClientStub::new(&channel.protocol(XmlRpc::default()).observer(steps.clone()))?;
    println!("add(10, 5) = {}, in these bytes:", stub.call::<i64>("add", (10, 5))?);
    // What is sent has HTTP's head before it, and of what is received only the body is shown.
    let travels = |step| matches!(step, Step::Send | Step::Receive);
    for event in steps.take().iter().filter(|event| travels(event.step)) {
        let text = String::from_utf8_lossy(&event.bytes);
        println!("\n{:?}, {} bytes\n{text}", event.step, event.bytes.len());
    }
    println!("system.listMethods() = {:?}", stub.call::<Vec<String>>("system.listMethods", ())?);
    println!("noop() = {:?}", stub.call::<()>("noop", ())?);
    println!("fail(7, \"no\"): {:?}", stub.call::<()>("fail", (7, "no")));
    Ok(())
}

fn main() -> Done {
    let words: Vec<String> = env::args().collect();
    match &*words.iter().map(String::as_str).collect::<Vec<_>>() {
        [_] => both_ends(),
        [_, "serve", address] => serve(address),
        [_, "call", address] => call(address),
        _ => Err("usage: 17_xml_rpc [serve ADDR | call ADDR]".into()),
    }
}
