//! `ninestep serve`: the demo services on a strategy of choice.

use std::io::{self, Write};
use std::process::{ExitCode, exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use ninestep::{
    ForkPerConnection, Procedures, Result, Server, SingleThreaded, SpawnPerConnection, StopHandle,
    Strategy, ThreadPerConnection, ThreadPool, demo,
};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::trace::JsonLines;

/// What `ninestep serve` is told.
#[derive(Args)]
pub(crate) struct Serve {
    /// The address to listen on; port 0 lets the system choose.
    #[arg(long, default_value = "127.0.0.1:9000", value_name = "ADDR")]
    listen: String,
    /// Which thread or process serves a connection.
    #[arg(long, default_value = "thread")]
    strategy: StrategyName,
    /// How a process is started.
    #[arg(long, default_value = "spawn")]
    start: Start,
    /// Offer `panic`, `abort`, `overflow`, `leak` and `spin` too.
    #[arg(long)]
    with_trouble: bool,
    /// Print steps 4 to 7 of every call as JSON lines on standard error.
    #[arg(long)]
    trace: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum StrategyName {
    Single,
    Thread,
    ThreadPool,
    Process,
}

#[derive(Clone, Copy, ValueEnum)]
enum Start {
    Fork,
    Spawn,
}

impl Serve {
    /// Serves until Ctrl-C or SIGTERM.
    pub(crate) fn run(self) -> ExitCode {
        match self.serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => crate::failed(&error),
        }
    }

    fn serve(&self) -> Result<()> {
        let trouble = if self.with_trouble { demo::trouble() } else { Procedures::new() };
        let mut server = Server::new(demo::procedures().and(trouble));
        if self.trace {
            server = server.observer(Arc::new(JsonLines));
        }
        server.serve_if_child()?;
        raise_descriptor_limit();
        let server = server.bind(&*self.listen)?;
        stop_on_signal(server.stop_handle());
        println!("listening on {}", server.local_addr());
        // Nobody may be left who wants to know.
        let _ = io::stdout().flush();
        server.run(&*self.strategy())
    }

    fn strategy(&self) -> Box<dyn Strategy> {
        match (self.strategy, self.start) {
            (StrategyName::Single, _) => Box::new(SingleThreaded),
            (StrategyName::Thread, _) => Box::new(ThreadPerConnection::default()),
            (StrategyName::ThreadPool, _) => Box::new(ThreadPool::default()),
            (StrategyName::Process, Start::Fork) => Box::new(ForkPerConnection::default()),
            (StrategyName::Process, Start::Spawn) => Box::new(SpawnPerConnection::new()),
        }
    }
}

/// The first signal drains the server, the second ends the process at once.
fn stop_on_signal(stop: StopHandle) {
    let asked = AtomicBool::new(false);
    let handler = move || {
        if asked.swap(true, Ordering::Relaxed) {
            exit(130);
        }
        stop.stop();
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        log::warn!("Ctrl-C will end the server without draining it: {error}");
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
