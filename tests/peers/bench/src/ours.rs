//! ninestep on its foreign wires, with default settings.

use ninestep::protocol::grpc::Grpc;
use ninestep::protocol::hprose::Hprose;
use ninestep::protocol::json_rpc::JsonRpc;
use ninestep::protocol::thrift::Thrift;
use ninestep::protocol::xml_rpc::XmlRpc;
use ninestep::{
    Channel, ClientStub, Procedures, Server, SingleThreaded, Strategy, ThreadPerConnection,
    ThreadPool, demo,
};

use crate::Result;
use crate::apache::WORKERS;
use crate::calls::{check, one_at_a_time};
use crate::compare::{self, LONE_CALLS};

/// `json-rpc` has a thread for each connection, `single-json-rpc` one for all, `pool-json-rpc` as many
/// as Apache's server.
pub(crate) fn serve(what: &str) -> Result<()> {
    let (strategy, system): (&dyn Strategy, _) = match what.split_once('-') {
        Some(("single", system)) => (&SingleThreaded, system),
        Some(("pool", system)) => (&ThreadPool { threads: WORKERS }, system),
        _ => (&ThreadPerConnection::default(), what),
    };
    let server = Server::new(demo::procedures().and(of_tutorial(system)));
    let server = match system {
        "thrift" => server.protocol(Thrift::default()),
        "json-rpc" => server.protocol(JsonRpc::over_http()),
        "xml-rpc" => server.protocol(XmlRpc::default()),
        "hprose" => server.protocol(Hprose::default()),
        "grpc" => server.protocol(Grpc::service("Calculator")),
        _ => return Err("no such server".into()),
    };
    let server = server.bind("127.0.0.1:0")?;
    println!("{}", server.local_addr());
    Ok(server.run(strategy)?)
}

/// What a tutorial's server answers otherwise than the demo services.
fn of_tutorial(system: &str) -> Procedures {
    let procedures = Procedures::new();
    match system {
        "thrift" => procedures.on("login", |_: String, _: String| " Login successful !"),
        "hprose" => procedures
            .on("sayHi", |name: String| format!("Hi,{name}!"))
            .on("sayBye", |name: String| format!("Bye,{name}!")),
        _ => procedures,
    }
}

/// A channel to a server of ours.
pub(crate) fn channel(system: &str, address: &str) -> Result<Channel> {
    let channel = Channel::new(address);
    Ok(match system {
        "thrift" => channel.protocol(Thrift::default()),
        "json-rpc" => channel.protocol(JsonRpc::over_http()),
        "xml-rpc" => channel.protocol(XmlRpc::default()),
        "hprose" => channel.protocol(Hprose::default()),
        "grpc" => channel.protocol(Grpc::service("Calculator")),
        _ => return Err("no such client".into()),
    })
}

pub(crate) fn client(work: &str, address: &str) -> Result<()> {
    let (system, work) = work.rsplit_once('-').ok_or("no such work")?;
    let channel = channel(system, address)?;
    let stub = || ClientStub::new(&channel);
    let rate = match work {
        "lone" => compare::rate(LONE_CALLS, one_at_a_time(stub()?, LONE_CALLS)),
        "many" => {
            let stubs = (0..64).map(|_| stub()).collect::<ninestep::Result<Vec<_>>>()?;
            let call = |stub: &ClientStub| stub.send::<i64>("add", (10_i64, 5_i64)).map(Some);
            let mut calls = stubs.iter().map(call).collect::<ninestep::Result<Vec<_>>>()?;
            compare::rate(stubs.len(), || {
                for (stub, under_way) in stubs.iter().zip(&mut calls) {
                    if let Some(done) = under_way.take() {
                        check(done.wait()? == 15)?;
                    }
                    *under_way = call(stub)?;
                }
                Ok(())
            })
        }
        "threads" => compare::rate_of_threads(64, || Ok(one_at_a_time(stub()?, 1))),
        _ => return Err("no such work".into()),
    }?;
    println!("{rate}");
    Ok(())
}
