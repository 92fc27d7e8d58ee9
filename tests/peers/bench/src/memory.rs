//! What an idle connection costs our servers: memory and descriptors.

use std::fs;
use std::thread;
use std::time::Duration;

use ninestep::ClientStub;

use crate::process::Process;
use crate::table::Row;
use crate::{Result, check, machine, ours};

const CONNECTIONS: u32 = 1_000;
/// A server gives memory back that it needed for calls after a second without any.
const IDLE: Duration = Duration::from_secs(2);
const MOST_KIB: f64 = 64.0;
const MOST_DESCRIPTORS: f64 = 2.0;

pub(crate) fn rows() -> Vec<Row> {
    ["thrift", "json-rpc", "xml-rpc", "hprose", "grpc"].map(row).into()
}

fn row(system: &str) -> Row {
    let work = format!("1,000 idle connections: {system}");
    match each(system) {
        Ok((kib, descriptors)) => Row::new(
            work,
            format!("{kib:.1} KiB, {descriptors:.1} descriptors each"),
            format!("{MOST_KIB} KiB, {MOST_DESCRIPTORS}"),
            kib <= MOST_KIB && descriptors <= MOST_DESCRIPTORS,
            "",
        ),
        Err(error) => Row::failed(work, error.to_string()),
    }
}

/// How much the server grows for each connection that has made a call: KiB, and descriptors.
fn each(system: &str) -> Result<(f64, f64)> {
    machine::raise_descriptor_limit()?;
    let core = *machine::cores()?.first().ok_or("no core")?;
    let mut server = Process::start(&["serve", system, &core.to_string()])?;
    let channel = ours::channel(system, &server.answer()?)?;
    let connect = || {
        let stub = ClientStub::new(&channel)?;
        check(stub.call::<i64>("add", (10_i64, 5_i64))? == 15)?;
        Ok(stub)
    };
    let held = || -> Result<(u64, usize)> {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", server.id()))?.count();
        Ok((machine::resident(server.id())?, descriptors))
    };
    let _first = connect()?;
    let before = held()?;
    let stubs = (0..CONNECTIONS).map(|_| connect()).collect::<Result<Vec<ClientStub>>>()?;
    thread::sleep(IDLE);
    let after = held()?;
    drop(stubs);
    let connections = f64::from(CONNECTIONS);
    let kib = after.0.saturating_sub(before.0) as f64 / connections;
    Ok((kib, after.1.saturating_sub(before.1) as f64 / connections))
}
