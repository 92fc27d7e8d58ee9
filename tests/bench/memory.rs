//! What an idle connection costs its server in memory.

use std::fs;
use std::thread;
use std::time::Duration;

use ninestep::{Channel, ClientStub};

use crate::process::Process;
use crate::table::Row;
use crate::{Result, machine};

/// A server gives memory back that it needed for calls after a second without any.
const IDLE: Duration = Duration::from_secs(2);

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row("1,000 idle connections: thread", 32.0, "RSS", threads),
        row("200 idle connections: fork", 150.0, "PSS", forked),
    ]
}

fn row(work: &str, most: f64, unit: &str, measure: fn() -> Result<(f64, String)>) -> Row {
    match measure() {
        Ok((each, figures)) => Row::new(
            work,
            format!("{each:.1} KiB {unit} each"),
            format!("at most {most} KiB"),
            each <= most,
            figures,
        ),
        Err(error) => Row::failed(work, error.to_string()),
    }
}

/// How much the server process grows for each connection.
fn threads() -> Result<(f64, String)> {
    const CONNECTIONS: u32 = 1_000;
    let (server, address) = serve("thread")?;
    let first = connected(&address, 1)?;
    let before = machine::resident(server.id())?;
    let others = connected(&address, CONNECTIONS)?;
    thread::sleep(IDLE);
    let after = machine::resident(server.id())?;
    still_answered(&first)?;
    still_answered(&others)?;
    let each = (after.saturating_sub(before)) as f64 / f64::from(CONNECTIONS);
    Ok((each, format!("{before} KiB with 1 connection, {after} KiB with {CONNECTIONS} more")))
}

/// What each child has, where it shares a page with others its part of it.
fn forked() -> Result<(f64, String)> {
    const CONNECTIONS: u32 = 200;
    let (server, address) = serve("fork")?;
    let stubs = connected(&address, CONNECTIONS)?;
    thread::sleep(IDLE);
    let children = children(server.id())?;
    if children.len() != stubs.len() {
        return Err(format!("{} children for {} connections", children.len(), stubs.len()).into());
    }
    let sizes = children.iter().map(|child| proportional(*child));
    let sum: u64 = sizes.sum::<Result<u64>>()?;
    still_answered(&stubs)?;
    let each = sum as f64 / f64::from(CONNECTIONS);
    Ok((each, format!("{sum} KiB in {} processes", children.len())))
}

fn serve(what: &str) -> Result<(Process, String)> {
    let core = *machine::cores()?.first().ok_or("no core")?;
    let mut server = Process::start(&["serve", what, &core.to_string()])?;
    let address = server.answer()?;
    Ok((server, address))
}

/// So many connections, each of which has made a call.
fn connected(address: &str, count: u32) -> Result<Vec<ClientStub>> {
    machine::raise_descriptor_limit()?;
    let channel = Channel::new(address);
    let stubs = (0..count).map(|_| ClientStub::new(&channel));
    let stubs = stubs.collect::<ninestep::Result<Vec<_>>>()?;
    still_answered(&stubs)?;
    Ok(stubs)
}

fn still_answered(stubs: &[ClientStub]) -> Result<()> {
    stubs.iter().try_for_each(|stub| {
        let sum: i64 = stub.call("add", (10_i64, 5_i64))?;
        if sum == 15 { Ok(()) } else { Err("a wrong result".into()) }
    })
}

/// The memory of a process in KiB, where what several processes share is divided between them.
fn proportional(process: u32) -> Result<u64> {
    machine::kib(&fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?, "Pss:")
}

/// The processes whose parent this one is.
fn children(of: u32) -> Result<Vec<u32>> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process that has ended meanwhile is nobody's child any more.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name stands in parentheses and may hold anything; state and parent follow it.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split(' ').nth(2));
        if parent.and_then(|parent| parent.parse().ok()) == Some(of) {
            children.push(process);
        }
    }
    Ok(children)
}
