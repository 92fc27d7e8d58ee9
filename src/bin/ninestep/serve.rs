//! `ninestep serve`: the demo services on a strategy of choice.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use ninestep::{
    Error, Event, ForkPerConnection, Observer, Result, Server, SingleThreaded, SpawnPerConnection,
    StopHandle, Strategy, ThreadPerConnection, ThreadPool, demo,
};

/// What `ninestep serve` is told.
#[derive(Args)]
pub struct Serve {
    /// The address to listen on; port 0 lets the system choose.
    #[arg(long, default_value = "127.0.0.1:9000")]
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
    pub fn run(self) -> Result<()> {
        let trouble = if self.with_trouble { demo::trouble() } else { ninestep::Procedures::new() };
        let mut server = Server::new(demo::procedures().and(trouble));
        if self.trace {
            server = server.observer(Arc::new(crate::trace::JsonLines));
        }
        server.serve_if_child()?;
        let server = server.bind(&*self.listen)?;
        stop_on_signal(server.stop_handle())?;
        println!("listening on {}", server.local_addr());
        // Nobody may be left who wants to know.
        let _ = io::stdout().flush();
        server.run(self.strategy())
    }

    fn strategy(&self) -> &'static dyn Strategy {
        todo!()
    }
}
