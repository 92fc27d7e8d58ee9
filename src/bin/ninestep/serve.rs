//! `ninestep serve`: the demo services on a strategy of choice.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::process::{ExitCode, exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use ninestep::{
    Error, ForkPerConnection, Procedures, ProcessPool, Result, Server, SingleThreaded,
    SpawnPerConnection, StopHandle, Strategy, ThreadPerConnection, ThreadPool, demo,
};
use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process, setrlimit};

use crate::json_lines::JsonLines;
use crate::protocol::Protocol;

/// What `ninestep serve` is told.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Serve {
    /// The address to listen on; port 0 lets the system choose.
    #[arg(long, default_value = "127.0.0.1:9000", value_name = "ADDR")]
    listen: String,
    /// Which thread or process serves a connection.
    #[arg(long, default_value = "thread")]
    strategy: StrategyName,
    /// How `--strategy process` starts a process: spawn, unless told otherwise.
    #[arg(long)]
    start: Option<Start>,
    #[command(flatten)]
    protocol: Protocol,
    /// Offer `panic`, `abort`, `overflow`, `leak` and `spin` too.
    #[arg(long)]
    with_trouble: bool,
    /// Print steps 4 to 7 of every call as JSON lines on standard error.
    #[arg(long)]
    trace: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StrategyName {
    /// One thread, one connection after another.
    Single,
    /// A thread for each connection.
    Thread,
    /// A fixed number of threads, each with one connection after another.
    ThreadPool,
    /// A process for each connection.
    Process,
    /// A fixed number of processes, each with one connection after another.
    ProcessPool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Start {
    /// As a copy of the server.
    Fork,
    /// Anew: the program runs itself again.
    Spawn,
}

const EXAMPLES: &str = "\
Procedures:
  add, subtract, multiply, divide, ping, login, sayHi, sayBye, echo, sleep

Examples:
  ninestep serve
  ninestep serve --protocol json-rpc
  ninestep serve --protocol thrift --idl demo.thrift
  ninestep serve --protocol grpc --idl demo.proto
  ninestep serve --listen 127.0.0.1:0 --strategy process --start fork --trace";

impl Serve {
    /// Serves until Ctrl-C or SIGTERM, and then finishes the calls that run.
    pub(crate) fn run(self) -> ExitCode {
        if self.start.is_some() && self.strategy != StrategyName::Process {
            let error = "--start says how --strategy process starts them; others have no choice";
            return crate::failed(error, "add --strategy process, or leave --start out");
        }
        if let Some(code) = self.protocol.mistake() {
            return code;
        }
        match self.serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => crate::failed(error.with_causes(), tip(&error)),
        }
    }

    fn serve(&self) -> Result<()> {
        let trouble = if self.with_trouble { demo::trouble() } else { Procedures::new() };
        let server = Server::new(demo::procedures().and(trouble));
        let mut server = self.protocol.server(server);
        if self.trace {
            server = server.observer(Arc::new(JsonLines));
        }
        server.serve_if_child()?;
        raise_descriptor_limit();
        let server = server.bind(&*self.listen)?;
        stop_on_signal(server.stop_handle());
        // Nobody may be left who wants to know. The line is whole when it is flushed, also in a
        // pipe.
        let _ = writeln!(io::stdout(), "listening on {}", server.local_addr());
        let _ = io::stdout().flush();
        server.run(&*self.strategy())
    }

    fn strategy(&self) -> Box<dyn Strategy> {
        match (self.strategy, self.start) {
            (StrategyName::Single, _) => Box::new(SingleThreaded),
            (StrategyName::Thread, _) => Box::new(ThreadPerConnection::default()),
            (StrategyName::ThreadPool, _) => Box::new(ThreadPool::default()),
            (StrategyName::Process, Some(Start::Fork)) => Box::new(ForkPerConnection::default()),
            (StrategyName::Process, _) => Box::new(SpawnPerConnection::new()),
            (StrategyName::ProcessPool, _) => Box::new(ProcessPool::new()),
        }
    }
}

/// What a person can do about a server that does not start.
fn tip(error: &Error) -> &'static str {
    let Error::Transport { source, .. } = error else {
        return "--help lists the strategies";
    };
    match source.kind() {
        ErrorKind::AddrInUse => {
            "another program listens there: stop it, or choose another port with --listen \
             (for port 0 the system chooses a free one)"
        }
        ErrorKind::AddrNotAvailable => {
            "this machine does not have that address: choose another with --listen"
        }
        ErrorKind::PermissionDenied => {
            "ports below 1024 need privileges: choose a higher one with --listen"
        }
        _ => "--listen takes HOST:PORT, for instance 127.0.0.1:9000",
    }
}

/// The first signal drains the server, the second ends the process and its children at once.
fn stop_on_signal(stop: StopHandle) {
    let asked = AtomicBool::new(false);
    let handler = move || {
        if asked.swap(true, Ordering::Relaxed) {
            kill_children();
            exit(130);
        }
        // Not `println!`: a process that is forked meanwhile would have its lock, locked for ever.
        let _ = rustix::io::write(rustix::stdio::stdout(), FINISHING.as_bytes());
        stop.stop();
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        log::warn!("Ctrl-C will end the server without draining it: {error}");
    }
}

const FINISHING: &str = "finishing the calls that run; a second Ctrl-C ends them\n";

/// A child whose parent is gone still finishes its call, however long that takes.
fn kill_children() {
    for task in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
        for child in children.filter_map(Pid::from_raw) {
            let _ = kill_process(child, Signal::KILL);
        }
    }
}

/// Every connection is a descriptor, and the usual soft limit of 1,024 is less than the kernel
/// allows.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        log::info!("the limit on open files stays as it is: {error}");
    }
}
