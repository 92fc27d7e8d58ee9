//! The tutorials' calculator in JSON-RPC 2.0 over HTTP, which any language can call. Chapter 14.
//! One end alone is `serve ADDR`, `serve-spec ADDR` (the specification's examples) or `call ADDR`.

use std::{env, error::Error, sync::Arc, thread};

use ninestep::protocol::json_rpc::JsonRpc;
use ninestep::{Channel, ClientStub, Fault, Procedures, Recorder, Server, Value};

/// A number that is whole as long as it can be, as in Python.
#[derive(Clone, Copy, serde::Deserialize, serde::Serialize)]
#[serde(untagged)]
enum Number {
    Int(i64),
    Float(f64),
}

type Whole = fn(i64, i64) -> Option<i64>;
fn number(a: Number, b: Number, whole: Whole, float: fn(f64, f64) -> f64) -> Number {
    let wide = |it| match it {
        Number::Int(it) => it as f64,
        Number::Float(it) => it,
    };
    let exact = if let (Number::Int(a), Number::Int(b)) = (a, b) { whole(a, b) } else { None };
    exact.map_or_else(|| Number::Float(float(wide(a), wide(b))), Number::Int)
}

fn calculator() -> Procedures {
    let names = &["a", "b"];
    Procedures::new()
        .on_named("add", names, |a, b| number(a, b, i64::checked_add, |a, b| a + b))
        .on_named("subtract", names, |a, b| number(a, b, i64::checked_sub, |a, b| a - b))
        .on_named("multiply", names, |a, b| number(a, b, i64::checked_mul, |a, b| a * b))
        // Section 5.1 leaves -32000 to -32099 to servers.
        .on_named("divide", names, |a: f64, b: f64| {
            if b == 0.0 { Err(Fault::new(-32000, "division by zero")) } else { Ok(a / b) }
        })
        .on_named("echo", &["value"], |value: Value| value)
}

fn specification() -> Procedures {
    Procedures::new()
        .on_named("subtract", &["minuend", "subtrahend"], |a: i64, b: i64| a - b)
        .on_all("sum", |numbers: Vec<i64>| numbers.iter().sum::<i64>())
        .on("get_data", || ("hello", 5))
}

fn main() -> Result<(), Box<dyn Error>> {
    let role = env::args().nth(1).unwrap_or_default();
    let mut address = match (&*role, env::args().nth(2)) {
        ("", None) => "127.0.0.1:0".to_owned(),
        ("serve" | "serve-spec" | "call", Some(address)) => address,
        _ => return Err("usage: 16_json_rpc [serve ADDR | serve-spec ADDR | call ADDR]".into()),
    };
    if role != "call" {
        let procedures = if role == "serve-spec" { specification() } else { calculator() };
        // ANCHOR: protocol
        let server = Server::new(procedures).protocol(JsonRpc::over_http()).bind(&*address)?;
        // ANCHOR_END: protocol
        address = server.local_addr().to_string();
        println!("listening on {address}");
        let serving = thread::spawn(|| server.run(&ninestep::ThreadPerConnection::default()));
        if !role.is_empty() {
            return Ok(serving.join().expect("the server does not panic")?);
        }
    }
    let steps = Arc::new(Recorder::default());
    let channel = Channel::new(&address).protocol(JsonRpc::over_http()).observer(steps.clone());
    let stub = ClientStub::new(&channel)?;
    for name in ["add", "subtract", "multiply", "divide"] {
        println!("{}", stub.call::<Value>(name, (10, 5))?);
    }
    if role.is_empty() {
        // What step 3 of the first call sent, once more by hand.
        let (raw, mut bytes) = (channel.connect()?, steps.take().swap_remove(2).bytes);
        raw.send(&bytes)?;
        bytes.extend(b"\n\n");
        raw.receive(&mut bytes)?;
        println!("\n{}", String::from_utf8(bytes)?.replace('\r', ""));
    }
    Ok(())
}
