//! Servers that start processes: what a child needs, what it must not keep, and what happens when
//! it cannot be started.

pub mod support;

use std::collections::HashSet;
use std::ffi::OsString;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::{env, fs};

use ninestep::{
    ClientStub, Error, Execution, Fault, ForkPerConnection, Limits, Procedures, ProcessPool,
    Server, SpawnPerConnection, Strategy, StrategyError, demo,
};
use rustix::process::{Pid, Signal, kill_process};
use support::{ServerThread, children_of, eventually, within};

/// Says what `entry` is to do in a process that a test starts.
const ENTRY: &str = "NINESTEP_TEST_ENTRY";

/// By this the library tells a program that it is a child.
const CHILD: &str = "NINESTEP_CHILD";

fn procedures() -> Procedures {
    let heir = || Command::new("sleep").arg("60").spawn().map(|heir| heir.id()).unwrap();
    demo::procedures().and(demo::trouble()).on("pid", std::process::id).on("heir", heir)
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

/// The arguments of a shell that runs `entry`; what it prints is no business of this test's output.
fn shell(what: &str) -> [OsString; 3] {
    let script = format!(r#"{ENTRY}={what} exec "$0" --exact entry --nocapture >/dev/null 2>&1"#);
    ["-c".into(), script.into(), env::current_exe().unwrap().into_os_string()]
}

fn spawn(what: &str) -> SpawnPerConnection {
    SpawnPerConnection::command("/bin/sh", shell(what))
}

fn pool(what: &str, processes: usize) -> ProcessPool {
    let mut pool = ProcessPool::command("/bin/sh", shell(what));
    pool.processes = processes;
    pool
}

fn pid(stub: &ClientStub) -> u32 {
    stub.call("pid", ()).unwrap()
}

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
}

/// Whether it is a child of this process, be it a dead one that was not reaped.
fn is_child(pid: u32) -> bool {
    children_of(std::process::id()).iter().any(|child| child.0 == pid)
}

fn is_end(error: &Error) -> bool {
    matches!(error, Error::Closed { sent: true } | Error::Transport { .. })
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
    assert!(said.contains("standard input is not the parent's socket"), "{said}");
}

#[test]
fn a_program_that_forgot_the_entry_of_children_is_told() {
    let said = within("a child that listens", || orphan("forget"));
    let error = Error::from(StrategyError::ChildEntryMissing);
    assert!(said.contains(&format!("\nErr({})", error.with_causes())), "{said}");
    assert!(said.contains("server.serve_if_child()"), "{said}");
}

#[test]
fn clients_of_a_program_that_forgot_the_entry_are_not_left_waiting() {
    clients_are_told_that_there_is_no_process(spawn("forget"));
    clients_are_told_that_there_is_no_process(pool("forget", 2));
}

fn assert_overloaded(error: &Error) {
    match error {
        Error::Fault(fault) => assert_eq!(fault.code, Fault::OVERLOADED),
        other => panic!("{other:?}"),
    }
    assert_eq!(error.execution(), Execution::No);
}

#[test]
fn serve_if_child_does_nothing_elsewhere() {
    Server::new(procedures()).serve_if_child().unwrap();
}

#[test]
fn every_connection_has_a_process() {
    let server = ServerThread::run(Server::new(procedures()), spawn("serve"));
    let stubs: Vec<_> = (0..3).map(|_| server.client()).collect();
    let pids: HashSet<u32> = stubs.iter().map(pid).collect();
    assert_eq!(pids.len(), 3);
    assert!(!pids.contains(&std::process::id()));
    assert_eq!(pid(&stubs[0]), pid(&stubs[0]), "it stays for the whole connection");
    drop(stubs);
    eventually("the children have ended and were reaped", || !pids.iter().copied().any(is_child));
}

#[test]
fn a_pool_serves_one_connection_after_another_in_each_process() {
    let server = ServerThread::run(Server::new(procedures()), pool("serve", 2));
    let pids: Vec<u32> = (0..6).map(|_| pid(&server.client())).collect();
    assert_ne!(pids[0], pids[1], "they take turns");
    assert!(!pids.contains(&std::process::id()));
    assert_eq!(pids.iter().collect::<HashSet<_>>().len(), 2, "{pids:?}");
    server.stop_handle().stop();
    server.ended().unwrap();
    assert!(!pids.into_iter().any(is_child), "they have ended and were reaped");
}

#[test]
fn past_the_limit_of_processes_connections_wait() {
    let mut one = spawn("serve");
    one.at_most = 1;
    connections_wait_for_the_only_process(one);
    connections_wait_for_the_only_process(pool("serve", 1));
}

fn connections_wait_for_the_only_process(strategy: impl Strategy + 'static) {
    let server = ServerThread::run(Server::new(procedures()), strategy);
    let first = server.client();
    let only = pid(&first);
    let mut second = server.raw();
    second.send(&support::call(1, "ping", ()));
    assert_eq!(pid(&first), only);
    assert!(second.is_silent(Duration::from_millis(100)));
    drop(first);
    assert_eq!(second.frame().result(), ninestep::Value::from("pong"));
}

#[test]
fn a_process_that_cannot_be_started_is_an_answer() {
    const NOTHING: &str = "/nonexistent/program";
    clients_are_told_that_there_is_no_process(SpawnPerConnection::command(NOTHING, [""; 0]));
    clients_are_told_that_there_is_no_process(ProcessPool::command(NOTHING, [""; 0]));
}

fn clients_are_told_that_there_is_no_process(strategy: impl Strategy + 'static) {
    let server = ServerThread::run(Server::new(procedures()), strategy);
    within("a server whose processes cannot be started", move || {
        for _ in 0..3 {
            assert_overloaded(&server.client().call::<String>("ping", ()).unwrap_err());
        }
        server.stop_handle().stop();
        server.ended().unwrap();
    });
}

#[test]
fn a_child_that_does_not_finish_in_time_is_killed() {
    the_child_is_killed_at_the_end(spawn("serve"));
    the_child_is_killed_at_the_end(pool("serve", 2));
}

fn the_child_is_killed_at_the_end(strategy: impl Strategy + 'static) {
    let limits = Limits { drain: Duration::from_millis(200), ..Limits::default() };
    let server = ServerThread::run(Server::new(procedures()).limits(limits), strategy);
    let stub = server.client();
    let pid = pid(&stub);
    let mut batch = stub.batch();
    let ping = batch.send::<String>("ping", ()).unwrap();
    let endless = batch.send::<()>("sleep", (60_000,)).unwrap();
    drop(batch);
    assert_eq!(ping.wait().unwrap(), "pong");
    server.stop_handle().stop();
    server.ended().unwrap();
    let error = endless.wait().unwrap_err();
    assert!(is_end(&error), "{error:?}");
    assert!(!is_child(pid), "reaped");
}

#[test]
fn a_process_of_a_pool_that_dies_while_it_serves_is_replaced() {
    let server = ServerThread::run(Server::new(procedures()), pool("serve", 2));
    let (neighbour, mut victim) = (server.client(), server.raw());
    let nearby = pid(&neighbour);
    let unpacked = victim.ask(1, "pid", ()).result();
    let ninestep::Value::Int(dead) = unpacked else { panic!("{unpacked:?}") };
    let dead = u32::try_from(dead).unwrap();
    kill(dead);
    // Its client's connection ends, although it sends nothing.
    assert_eq!(victim.next_frame(), None);
    assert_eq!(pid(&neighbour), nearby);
    let fresh = pid(&server.client());
    assert!(![nearby, dead].contains(&fresh));
    assert_eq!(pid(&neighbour), nearby);
    assert!(!is_child(dead), "reaped");
}

#[test]
fn a_process_of_a_pool_that_dies_idle_costs_nobody_a_connection() {
    let server = ServerThread::run(Server::new(procedures()), pool("serve", 1));
    let mut last = pid(&server.client());
    for _ in 0..6 {
        // Death and connection come at the same time.
        kill(last);
        let next = pid(&server.client());
        assert_ne!(next, last);
        assert!(!is_child(last), "reaped");
        last = next;
    }
    kill(last);
    eventually("it is reaped without a connection", || !is_child(last));
}

#[test]
fn what_a_process_has_started_does_not_hide_its_death() {
    death_is_seen(spawn("serve"));
    death_is_seen(pool("serve", 1));
}

fn death_is_seen(strategy: impl Strategy + 'static) {
    let server = ServerThread::run(Server::new(procedures()), strategy);
    let stub = server.client();
    let dead = pid(&stub);
    let heir: u32 = stub.call("heir", ()).unwrap();
    kill(dead);
    eventually("it is reaped", || !is_child(dead));
    kill(heir);
}

#[test]
fn a_pool_that_lost_its_program_recovers_with_it() {
    let name = format!("shell-{}", std::process::id());
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    symlink("/bin/sh", &program).unwrap();
    let mut strategy = ProcessPool::command(&program, shell("serve"));
    strategy.processes = 1;
    let server = ServerThread::run(Server::new(procedures()), strategy);
    let first = pid(&server.client());

    fs::remove_file(&program).unwrap();
    kill(first);
    for _ in 0..2 {
        assert_overloaded(&server.client().call::<String>("ping", ()).unwrap_err());
    }
    symlink("/bin/sh", &program).unwrap();
    assert_ne!(pid(&server.client()), first);
    fs::remove_file(&program).unwrap();
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
    use std::time::Duration;

    use ninestep::{ForkPerConnection, Value};
    use procfs::net::{TcpNetEntry, TcpState};
    use procfs::process::{FDTarget, Process};
    use rustix::process::{Pid, Signal, getpgid, kill_process, kill_process_group};

    use super::support::{Raw, ServerProcess, call, children_of, eventually};
    use super::{is_end, kill};

    const STRATEGIES: [&[&str]; 3] = [
        &["--strategy", "process", "--start", "spawn"],
        &["--strategy", "process", "--start", "fork"],
        POOL,
    ];

    const POOL: &[&str] = &["--strategy", "process-pool"];

    /// The states of a TCP socket in proc_pid_net(5).
    const LISTEN: &str = "0A";
    const ESTABLISHED: &str = "01";

    /// The inodes of all TCP sockets of this machine in this state.
    fn sockets_in(state: &str) -> HashSet<String> {
        let mut inodes = HashSet::new();
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            let Ok(table) = fs::read_to_string(table) else { continue };
            let rows = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
            // The fourth column is the state, the tenth is the inode.
            inodes.extend(rows.filter(|row| row[3] == state).map(|row| row[9].to_owned()));
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

    fn children(server: &ServerProcess) -> Vec<u32> {
        server.children().into_iter().map(|(pid, _)| pid).collect()
    }

    /// The only child that has a connection.
    fn serving(server: &ServerProcess) -> u32 {
        let connections = sockets_in(ESTABLISHED);
        let serves = |pid: &u32| !sockets_of(*pid).is_disjoint(&connections);
        let serving: Vec<u32> = children(server).into_iter().filter(serves).collect();
        assert_eq!(serving.len(), 1, "{serving:?}");
        serving[0]
    }

    #[test]
    fn children_hold_no_listener() {
        for strategy in STRATEGIES {
            let server = ServerProcess::serve(strategy);
            let mut client = Raw::greeted(server.address());
            assert_eq!(client.ask(1, "add", (10, 5)).result(), Value::Int(15), "{strategy:?}");
            let listening = sockets_in(LISTEN);
            assert!(!sockets_of(server.pid()).is_disjoint(&listening), "the server's own");
            for child in children(&server) {
                assert!(sockets_of(child).is_disjoint(&listening), "{strategy:?}");
            }

            // While the child still takes its leave of a client that stays, the port is free.
            let address = server.address();
            server.signal(Signal::KILL);
            assert_eq!(client.frame().bye(), 1, "{strategy:?}");
            eventually("a free port", || TcpListener::bind(address).is_ok());
            drop(client);
            server.ended("a killed server");
        }
    }

    #[test]
    fn a_forked_child_leaves_its_place_to_the_next_connection_however_it_ends() {
        let server = ServerProcess::serve(STRATEGIES[1]);
        let connect = || {
            let mut client = Raw::greeted(server.address());
            client.send(&call(1, "ping", ()));
            client
        };
        let most = ForkPerConnection::default().at_most;
        let mut served: Vec<Raw> = (0..most).map(|_| connect()).collect();
        let pong = |client: &mut Raw| assert_eq!(client.frame().result(), Value::from("pong"));
        served.iter_mut().for_each(pong);
        let (mut next, mut last) = (connect(), connect());
        assert!(next.is_silent(Duration::from_millis(100)));
        // By these a full server sees its children end, and they are its own.
        assert_eq!(watched_by(server.pid()), most);
        served.pop();
        pong(&mut next);
        assert!(last.is_silent(Duration::from_millis(100)));
        let child = children(&server)[0];
        assert!(children(&server).into_iter().all(|child| watched_by(child) == 0));
        kill(child);
        pong(&mut last);
    }

    /// How many processes this one can see end.
    fn watched_by(pid: u32) -> usize {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
        targets.filter(|target| target.to_string_lossy().contains("pidfd")).count()
    }

    #[test]
    fn children_hold_no_connection_of_others() {
        for strategy in STRATEGIES {
            let server = ServerProcess::serve(strategy);
            let mut first = Raw::greeted(server.address());
            assert_eq!(first.ask(1, "add", (10, 5)).result(), Value::Int(15), "{strategy:?}");
            let first_child = serving(&server);
            let mut second = Raw::greeted(server.address());
            assert_eq!(second.ask(1, "add", (10, 5)).result(), Value::Int(15), "{strategy:?}");

            // Whoever else held the first connection would keep its end from being seen.
            kill(first_child);
            assert_eq!(first.next_frame(), None, "{strategy:?}");
            assert_eq!(second.ask(2, "add", (10, 5)).result(), Value::Int(15), "{strategy:?}");
        }
    }

    #[test]
    fn ctrl_c_at_a_terminal_leaves_replies_alive() {
        for strategy in STRATEGIES {
            let mut command = Command::new(env!("CARGO_BIN_EXE_ninestep"));
            command.args(["serve", "--listen", "127.0.0.1:0"]).args(strategy).process_group(0);
            let server = ServerProcess::start(&mut command);
            let mut client = Raw::greeted(server.address());
            client.send(&[call(1, "ping", ()), call(2, "sleep", (300,))].concat());
            assert_eq!(client.frame().result(), Value::from("pong"), "{strategy:?}");
            let pid = |pid: u32| Pid::from_raw(pid.cast_signed()).unwrap();
            let group = getpgid(Some(pid(server.pid()))).unwrap();
            assert_eq!(group, pid(server.pid()), "the terminal's group");
            let child = pid(serving(&server));
            assert_eq!(getpgid(Some(child)).unwrap(), child, "{strategy:?}: its own group");

            kill_process_group(group, Signal::INT).unwrap();
            let slept = client.frame();
            assert_eq!((slept.id, slept.result()), (2, Value::Null), "{strategy:?}");
            assert_eq!(client.frame().bye(), 2, "{strategy:?}");
            assert_eq!(client.next_frame(), None, "{strategy:?}");
            drop(client);
            let (status, _) = server.ended("a server after Ctrl-C");
            assert_eq!(status.code(), Some(0));
        }
    }

    #[test]
    fn a_second_ctrl_c_ends_calls_that_run() {
        for strategy in STRATEGIES {
            let server = ServerProcess::serve(strategy);
            let mut client = Raw::greeted(server.address());
            client.send(&[call(1, "ping", ()), call(2, "sleep", (1_000_000_000,))].concat());
            assert_eq!(client.frame().result(), Value::from("pong"), "{strategy:?}");
            // Signals that come together may be one.
            eventually("the server's end", || {
                server.signal(Signal::INT);
                children_of(std::process::id()).contains(&(server.pid(), 'Z'))
            });
            let (status, _) = server.ended("a server and its children after Ctrl-C");
            assert_eq!(status.code(), Some(130), "{strategy:?}");
            assert!(client.is_over(), "{strategy:?}");
        }
    }

    #[test]
    fn crashes_leave_nothing_behind() {
        for strategy in STRATEGIES {
            let server = ServerProcess::serve(strategy);
            assert_eq!(server.client().call::<String>("ping", ()).unwrap(), "pong");
            if strategy != POOL {
                eventually("the first child has ended", || children(&server).is_empty());
            }
            let threads = || fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap().count();
            let (processes, descriptors, before) =
                (children(&server).len(), server.descriptors(), threads());
            for _ in 0..10 {
                assert!(is_end(&server.client().call::<()>("abort", ()).unwrap_err()));
            }
            eventually(&format!("{strategy:?}: as many processes, none of them dead"), || {
                let now = server.children();
                now.len() == processes && now.iter().all(|(_, state)| *state != 'Z')
            });
            eventually(&format!("{strategy:?}: not more descriptors and threads"), || {
                server.descriptors() <= descriptors && threads() <= before
            });
        }
    }

    /// How many connections of its clients the server's first process holds itself.
    fn connections(server: &ServerProcess) -> usize {
        let port = server.address().port();
        let of_clients = |entry: &TcpNetEntry| {
            entry.local_address.port() == port && entry.state != TcpState::Listen
        };
        let inodes = procfs::net::tcp().unwrap().into_iter().filter(of_clients);
        let inodes: HashSet<u64> = inodes.map(|entry| entry.inode).collect();
        let process = Process::new(server.pid().cast_signed()).unwrap();
        let held = process.fd().unwrap().filter_map(Result::ok).filter(|descriptor| {
            matches!(descriptor.target, FDTarget::Socket(inode) if inodes.contains(&inode))
        });
        held.count()
    }

    #[test]
    fn a_connection_that_a_dead_process_did_not_take_is_served_by_another() {
        let server = ServerProcess::serve(POOL);
        let ping = || assert_eq!(server.client().call::<String>("ping", ()).unwrap(), "pong");
        ping();
        let processes = children(&server);
        // They take turns, so after this each has started.
        processes.iter().for_each(|_| ping());
        eventually("the server has given all connections away", || connections(&server) == 0);
        let signal = |signal: Signal| {
            let pids = processes.iter().map(|pid| Pid::from_raw(pid.cast_signed()).unwrap());
            pids.for_each(|pid| kill_process(pid, signal).unwrap());
        };
        signal(Signal::STOP);
        let mut client = Raw::greeted(server.address());
        client.send(&call(1, "add", (10, 5)));
        eventually("the server has it in its hands", || connections(&server) == 1);
        signal(Signal::KILL);
        assert_eq!(client.frame().result(), Value::Int(15));
    }
}
