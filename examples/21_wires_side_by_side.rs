//! The same two calls on six wires: every byte, how many there are, how long a call takes.
//! Chapter 14. With `record FILE` the table is written into a file too, as the book has it.

#[path = "side_by_side/tap.rs"]
mod tap;
#[path = "side_by_side/turns.rs"]
mod turns;

use std::{env, error::Error, fs, sync::Arc, thread};

use ninestep::demo::{Calculator, Demo};
use ninestep::protocol::http::explain::{http1, http2};
use ninestep::protocol::native::explain::{Annotated, Field, explain as native};
use ninestep::protocol::{Protocol, grpc, hprose, json_rpc, native::Native, thrift, xml_rpc};
use ninestep::{Channel, ClientStub, Recorder, Server, Step, ThreadPerConnection};

type Done<T> = Result<T, Box<dyn Error>>;
type Explain = fn(&[u8]) -> Vec<Field>;
type Shown = (ClientStub, String);

fn call(stub: &ClientStub, procedure: &str) -> Done<String> {
    Ok(match procedure {
        "add" => format!("add(10, 5) = {}", stub.call::<i64>("add", (10_i64, 5_i64))?),
        _ => format!("sayHi(\"phyger\") = {:?}", stub.call::<String>("sayHi", ("phyger",))?),
    })
}

/// Calls with a listener in between and shows what it heard. A stub without one is left to
/// measure with, and a line of the table.
fn show<P: Protocol + 'static>(wire: &str, explain: Explain, protocol: fn() -> P) -> Done<Shown> {
    let procedures = Demo.procedures().on("sayHi", |name: String| format!("Hi {name}!"));
    let server = Server::new(procedures).protocol(protocol()).bind("127.0.0.1:0")?;
    let address = server.local_addr();
    thread::spawn(move || server.run(&ThreadPerConnection::default()));
    let (tap, tapped) = tap::Tap::before(address)?;
    let steps = Arc::new(Recorder::default());
    let channel = Channel::new(tapped).protocol(protocol()).observer(steps.clone());
    let stub = ClientStub::new(&channel)?.call_timeout(None);
    // What is said only at the beginning of a connection is over after these.
    ["add", "sayHi", "add"].iter().try_for_each(|name| call(&stub, name).map(drop))?;
    let mut line = format!("| {wire} |");
    for procedure in ["add", "sayHi"] {
        drop((tap.take(), steps.take()));
        println!("{wire}: {}", call(&stub, procedure)?);
        let (events, ends) = (steps.take(), [("client", Step::Pack), ("server", Step::Receive)]);
        for (bytes, (who, step)) in tap.take().iter().zip(ends) {
            println!("the {who} sends {} bytes\n{}", bytes.len(), Annotated(bytes, explain(bytes)));
            let message = events.iter().find(|it| it.step == step).map_or(0, |it| it.bytes.len());
            line += &match bytes.len() - message {
                0 => format!(" {message} |"),
                around => format!(" {message} + {around} |"),
            };
        }
    }
    Ok((ClientStub::new(&Channel::new(address).protocol(protocol()))?, line))
}

fn main() -> Done<()> {
    let (1 | 3, file) = (env::args().len(), env::args().nth(2)) else {
        return Err("usage: 21_wires_side_by_side [record FILE]".into());
    };
    let wires = [
        show("native", native, Native::default)?,
        show("Thrift", thrift::explain::explain, thrift::Thrift::default)?,
        show("gRPC", |it| http2(it, grpc::explain::explain), || grpc::Grpc::service("Demo"))?,
        show("Hprose", |it| http1(it, hprose::explain::explain), hprose::Hprose::default)?,
        show("JSON-RPC", |it| http1(it, json_rpc::explain::explain), json_rpc::JsonRpc::over_http)?,
        show("XML-RPC", |it| http1(it, xml_rpc::explain::explain), xml_rpc::XmlRpc::default)?,
    ];
    let times = turns::fastest(&wires, |(stub, _)| call(stub, "add").map(drop))?;
    let mut table =
        "| wire | add: request | reply | sayHi: request | reply | a call |\n".to_owned();
    table += "|---|---|---|---|---|---|\n";
    for ((_, line), time) in wires.iter().zip(times) {
        table += &format!("{line} {:.1} µs |\n", time.as_secs_f64() * 1e6);
    }
    println!("bytes of the message + bytes around it\n\n{table}");
    file.map_or(Ok(()), |file| Ok(fs::write(file, table)?))
}
