//! ninestep doing the work that is measured, with default settings.

use ninestep::{
    Channel, ClientStub, ForkPerConnection, PendingCall, ProcessPool, Server, ThreadPerConnection,
    ThreadPool, demo,
};
use serde_bytes::{ByteBuf, Bytes};

use crate::Result;
use crate::calls::{check, one_at_a_time};
use crate::compare::{self, LONE_CALLS};
use crate::plans::{self, IN_FLIGHT};

/// What is echoed.
pub(crate) fn mib() -> ByteBuf {
    ByteBuf::from(vec![b'9'; 1 << 20])
}

pub(crate) fn serve(what: &str) -> Result<()> {
    let server = Server::new(demo::procedures());
    server.serve_if_child()?;
    let server = server.bind("127.0.0.1:0")?;
    println!("{}", server.local_addr());
    match what {
        "thread" => server.run(&ThreadPerConnection::default())?,
        "thread-pool" => server.run(&ThreadPool::default())?,
        "fork" => server.run(&ForkPerConnection::default())?,
        "process-pool" => server.run(&ProcessPool::new())?,
        _ => return Err("no such server".into()),
    }
    Ok(())
}

pub(crate) fn client(work: &str, address: &str) -> Result<()> {
    let channel = Channel::new(address);
    let stub = || ClientStub::new(&channel);
    let rate = match work {
        "lone" => compare::rate(LONE_CALLS, one_at_a_time(stub()?, LONE_CALLS)),
        "shared" => {
            let shared = stub()?;
            compare::rate_of_threads(8, || Ok(one_at_a_time(shared.clone(), 1)))
        }
        "many" => compare::rate_of_threads(64, || Ok(one_at_a_time(stub()?, 1))),
        "batch" => {
            let stub = stub()?;
            compare::rate(IN_FLIGHT, move || {
                let mut batch = stub.batch();
                let calls = (0..IN_FLIGHT).map(|_| batch.send("add", (10_i64, 5_i64)));
                let calls = calls.collect::<ninestep::Result<Vec<_>>>()?;
                batch.flush()?;
                all_at_once(calls.into_iter().map(Ok))
            })
        }
        "flight" => {
            let stub = stub()?;
            compare::rate(IN_FLIGHT, move || {
                all_at_once((0..IN_FLIGHT).map(|_| stub.send("add", (10_i64, 5_i64))))
            })
        }
        "mib" => {
            let (stub, mib) = (stub()?, mib());
            compare::rate(1, move || {
                let back: ByteBuf = stub.call("echo", (Bytes::new(&mib),))?;
                check(back.len() == mib.len())
            })
        }
        "connect" => plans::rate_of_connections(|| {
            let sum: i64 = stub()?.call("add", (10_i64, 5_i64))?;
            check(sum == 15)
        }),
        _ => return Err("no such work".into()),
    }?;
    println!("{rate}");
    Ok(())
}

/// Sends all calls before it waits for the first.
fn all_at_once(calls: impl Iterator<Item = ninestep::Result<PendingCall<i64>>>) -> Result<()> {
    let calls = calls.collect::<ninestep::Result<Vec<_>>>()?;
    calls.into_iter().try_for_each(|call| check(call.wait()? == 15))
}
