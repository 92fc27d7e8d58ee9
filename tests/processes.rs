//! Servers that start processes: what a child needs, what it must not keep, and what happens when
//! it cannot be started.

pub mod support;

use std::collections::HashSet;
use std::env;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ninestep::{
    Error, Execution, Fault, ForkPerConnection, Limits, Procedures, Server, SpawnPerConnection,
    StrategyError, demo,
};
use support::{ServerThread, children_of, eventually, within};

/// Says what `entry` is to do in a process that a test starts.
const ENTRY: &str = "NINESTEP_TEST_ENTRY";

/// By this the library tells a program that it is a child.
const CHILD: &str = "NINESTEP_CHILD";

fn procedures() -> Procedures {
    demo::procedures().and(demo::trouble()).on("pid", std::process::id)
}

/// The `main` of other processes: this program is started again to run nothing but this. As a
/// test of its own it does nothing.
#[test]
fn entry() {
    let server = Server::new(procedures());
    let result = match env::var(ENTRY).as_deref() {
        Ok("serve") => server.serve_if_child(),
        Ok("forget") => server.bind("127.0.0.1:0").map(|_| ()),
        _ => return,
    };
    // On a line of its own, whatever the test harness prints.
    println!("\n{result:?}");
}

/// A shell's command that runs `entry`; what it prints is no business of this test's output.
fn spawn(what: &str) -> SpawnPerConnection {
    let script = format!(r#"{ENTRY}={what} exec "$0" --exact entry --nocapture >/dev/null 2>&1"#);
    let this = env::current_exe().unwrap().into_os_string();
    SpawnPerConnection::command("/bin/sh", ["-c".into(), script.into(), this])
}

/// What `entry` says when it is started as a child, but not by a parent.
fn orphan(what: &str) -> String {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "entry", "--nocapture"]).stdin(Stdio::null());
    let output = command.env(ENTRY, what).env(CHILD, "1").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_child_without_a_parent_says_so() {
    let said = within("a child without a parent", || orphan("serve"));
    assert!(said.contains("\nErr(Strategy(NoParent("), "{said}");
}

#[test]
fn a_program_that_forgot_the_entry_of_children_is_told() {
    let said = within("a child that listens", || orphan("forget"));
    assert!(said.contains("\nErr(Strategy(ChildEntryMissing))"), "{said}");
    let error = Error::from(StrategyError::ChildEntryMissing).with_causes();
    assert!(error.contains("server.serve_if_child()"), "{error}");
}

#[test]
fn clients_of_a_program_that_forgot_the_entry_are_not_left_waiting() {
    let server = ServerThread::run(Server::new(procedures()), spawn("forget"));
    for _ in 0..3 {
        let error = server.client().call::<String>("ping", ()).unwrap_err();
        let ended = matches!(error, Error::Closed { sent: true } | Error::Transport { .. });
        assert!(ended, "{error:?}");
    }
}

#[test]
fn serve_if_child_does_nothing_elsewhere() {
    Server::new(procedures()).serve_if_child().unwrap();
}

#[test]
fn every_connection_has_a_process() {
    let server = ServerThread::run(Server::new(procedures()), spawn("serve"));
    let stubs: Vec<_> = (0..3).map(|_| server.client()).collect();
    let pid = |stub: &ninestep::ClientStub| stub.call::<u32>("pid", ()).unwrap();
    let pids: HashSet<u32> = stubs.iter().map(pid).collect();
    assert_eq!(pids.len(), 3);
    assert!(!pids.contains(&std::process::id()));
    assert_eq!(pid(&stubs[0]), pid(&stubs[0]), "it stays for the whole connection");
    drop(stubs);
    let ours = |pids: &HashSet<u32>| {
        children_of(std::process::id()).into_iter().any(|(pid, _)| pids.contains(&pid))
    };
    eventually("the children have ended and were reaped", || !ours(&pids));
}

#[test]
fn past_the_limit_of_processes_connections_wait() {
    let mut strategy = spawn("serve");
    strategy.at_most = 1;
    let server = ServerThread::run(Server::new(procedures()), strategy);
    let first = server.client();
    let pid: u32 = first.call("pid", ()).unwrap();
    let mut second = server.raw();
    second.send(&support::call(1, "ping", ()));
    assert_eq!(first.call::<u32>("pid", ()).unwrap(), pid);
    assert!(second.is_silent(Duration::from_millis(100)));
    drop(first);
    assert_eq!(second.frame().result(), ninestep::Value::from("pong"));
}

#[test]
fn a_process_that_cannot_be_started_is_an_answer() {
    let nothing = SpawnPerConnection::command("/nonexistent/program", Vec::<String>::new());
    let server = ServerThread::run(Server::new(procedures()), nothing);
    within("a server whose processes cannot be started", move || {
        for _ in 0..3 {
            let error = server.client().call::<String>("ping", ()).unwrap_err();
            match &error {
                Error::Fault(fault) => assert_eq!(fault.code, Fault::OVERLOADED),
                other => panic!("{other:?}"),
            }
            assert_eq!(error.execution(), Execution::No);
        }
        server.stop_handle().stop();
        server.ended().unwrap();
    });
}

#[test]
fn a_child_that_does_not_finish_in_time_is_killed() {
    let limits = Limits { drain: Duration::from_millis(200), ..Limits::default() };
    let server = Server::new(procedures()).limits(limits);
    let server = ServerThread::run(server, spawn("serve"));
    let stub = server.client();
    let pid: u32 = stub.call("pid", ()).unwrap();
    let mut batch = stub.batch();
    let ping = batch.send::<String>("ping", ()).unwrap();
    let endless = batch.send::<()>("sleep", (60_000,)).unwrap();
    drop(batch);
    assert_eq!(ping.wait().unwrap(), "pong");
    server.stop_handle().stop();
    server.ended().unwrap();
    let error = endless.wait().unwrap_err();
    let ended = matches!(error, Error::Closed { sent: true } | Error::Transport { .. });
    assert!(ended, "{error:?}");
    assert!(!children_of(std::process::id()).iter().any(|child| child.0 == pid), "reaped");
}

#[test]
fn fork_refuses_a_process_with_threads() {
    let (leave, stay) = mpsc::channel::<()>();
    let bystander = thread::Builder::new().name("bystander".into());
    let bystander = bystander.spawn(move || stay.recv()).unwrap();
    let server = Server::new(procedures()).bind("127.0.0.1:0").unwrap();
    let address = server.local_addr();
    let refused =
        within("a fork server with threads", move || server.run(&ForkPerConnection::default()));
    match refused {
        Err(Error::Strategy(StrategyError::OtherThreads(names))) => {
            assert!(names.contains("bystander"), "{names}");
        }
        other => panic!("{other:?}"),
    }
    // Nothing is left of it.
    TcpListener::bind(address).unwrap();
    drop(leave);
    assert!(bystander.join().unwrap().is_err());
}

/// Against the command line's server.
#[cfg(feature = "cli")]
mod command {
    use std::collections::HashSet;
    use std::fs;
    use std::net::TcpListener;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use ninestep::Value;
    use rustix::process::{Pid, Signal, getpgid, kill_process_group};

    use super::support::{Raw, ServerProcess, call, eventually};

    /// The inodes of all sockets of this machine that listen.
    fn listening() -> HashSet<String> {
        let mut inodes = HashSet::new();
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            let Ok(table) = fs::read_to_string(table) else { continue };
            let rows = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
            // proc_pid_net(5): the fourth column is the state, 0A is LISTEN, the tenth is the inode.
            inodes.extend(rows.filter(|row| row[3] == "0A").map(|row| row[9].to_owned()));
        }
        inodes
    }

    /// The inodes of all sockets that a process holds.
    fn sockets_of(pid: u32) -> HashSet<String> {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
        let inode =
            |target: &str| Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned());
        targets.filter_map(|target| inode(target.to_str()?)).collect()
    }

    fn serve(start: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ninestep"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--strategy", "process"]);
        command.args(["--start", start]);
        command
    }

    fn only_child(server: &ServerProcess) -> u32 {
        let children = server.children();
        assert_eq!(children.len(), 1, "{children:?}");
        children[0].0
    }

    #[test]
    fn children_hold_no_listener() {
        for start in ["spawn", "fork"] {
            let server = ServerProcess::start(&mut serve(start));
            let mut client = Raw::greeted(server.address());
            assert_eq!(client.ask(1, "add", (10, 5)).result(), Value::Int(15), "{start}");
            let child = only_child(&server);
            let listening = listening();
            assert!(!sockets_of(server.pid()).is_disjoint(&listening), "{start}: the server's own");
            assert!(sockets_of(child).is_disjoint(&listening), "{start}");

            // While the child still takes its leave of a client that stays, the port is free.
            let address = server.address();
            server.signal(Signal::KILL);
            assert_eq!(client.frame().bye(), 1, "{start}");
            eventually(start, || TcpListener::bind(address).is_ok());
            drop(client);
            server.ended(start);
        }
    }

    #[test]
    fn children_hold_no_connection_of_others() {
        for start in ["spawn", "fork"] {
            let server = ServerProcess::start(&mut serve(start));
            let mut first = Raw::greeted(server.address());
            assert_eq!(first.ask(1, "add", (10, 5)).result(), Value::Int(15), "{start}");
            let first_child = only_child(&server);
            let mut second = Raw::greeted(server.address());
            assert_eq!(second.ask(1, "add", (10, 5)).result(), Value::Int(15), "{start}");

            // Whoever else held the first connection would keep its end from being seen.
            let pid = Pid::from_raw(first_child.cast_signed()).unwrap();
            rustix::process::kill_process(pid, Signal::KILL).unwrap();
            assert_eq!(first.next_frame(), None, "{start}");
            assert_eq!(second.ask(2, "add", (10, 5)).result(), Value::Int(15), "{start}");
        }
    }

    #[test]
    fn ctrl_c_at_a_terminal_leaves_replies_alive() {
        for start in ["spawn", "fork"] {
            let server = ServerProcess::start(serve(start).process_group(0));
            let mut client = Raw::greeted(server.address());
            client.send(&[call(1, "ping", ()), call(2, "sleep", (300,))].concat());
            assert_eq!(client.frame().result(), Value::from("pong"), "{start}");
            let pid = |pid: u32| Pid::from_raw(pid.cast_signed()).unwrap();
            let group = getpgid(Some(pid(server.pid()))).unwrap();
            assert_eq!(group, pid(server.pid()), "{start}: the terminal's group");
            let child = pid(only_child(&server));
            assert_eq!(getpgid(Some(child)).unwrap(), child, "{start}: a group of its own");

            kill_process_group(group, Signal::INT).unwrap();
            let slept = client.frame();
            assert_eq!((slept.id, slept.result()), (2, Value::Null), "{start}");
            assert_eq!(client.frame().bye(), 2, "{start}");
            assert_eq!(client.next_frame(), None, "{start}");
            drop(client);
            let (status, _) = server.ended(start);
            assert_eq!(status.code(), Some(0));
        }
    }
}
