//! The servers under test: what runs in their processes, and how the comparison holds one.

use std::io::stdin;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::compare::census::Census;
use crate::compare::lab::Lab;
use crate::compare::process::{Answer, Failure, Process, Role, say};
use crate::compare::{CannotRun, machine};
use crate::transport::{Lifeline, tcp};
use crate::{
    Channel, ClientStub, Error, ForkPerConnection, Incoming, Procedures, ProcessPool, Result,
    Server, SingleThreaded, SpawnPerConnection, Strategy, StrategyError, ThreadPerConnection,
    ThreadPool, demo,
};

/// The strategies that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Contestant {
    Single,
    Thread,
    ThreadPool,
    ProcessFork,
    ProcessSpawn,
    ProcessPool,
}

impl Contestant {
    pub(super) const ALL: [Contestant; 6] = [
        Contestant::Single,
        Contestant::Thread,
        Contestant::ThreadPool,
        Contestant::ProcessFork,
        Contestant::ProcessSpawn,
        Contestant::ProcessPool,
    ];

    /// As `--strategy` has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Contestant::Single => "single",
            Contestant::Thread => "thread",
            Contestant::ThreadPool => "thread-pool",
            Contestant::ProcessFork => "process-fork",
            Contestant::ProcessSpawn => "process-spawn",
            Contestant::ProcessPool => "process-pool",
        }
    }

    /// The strategy, with at most so many connections at once if it has no pool, and with a pool
    /// of this size if it has one.
    pub(super) fn strategy(self, at_most: usize, pool: usize) -> Box<dyn Strategy> {
        match self {
            Contestant::Single => Box::new(SingleThreaded),
            Contestant::Thread => Box::new(ThreadPerConnection { at_most }),
            Contestant::ThreadPool => Box::new(ThreadPool { threads: pool }),
            Contestant::ProcessFork => Box::new(ForkPerConnection { at_most }),
            Contestant::ProcessSpawn => {
                let mut spawn = SpawnPerConnection::new();
                spawn.at_most = at_most;
                Box::new(spawn)
            }
            Contestant::ProcessPool => {
                let mut processes = ProcessPool::new();
                processes.processes = pool;
                Box::new(processes)
            }
        }
    }

    /// How many clients it serves at once if its pool has this size; `None` if it has no pool.
    pub(super) fn pool(self, size: usize) -> Option<usize> {
        match self {
            Contestant::Single => Some(1),
            Contestant::ThreadPool | Contestant::ProcessPool => Some(size),
            Contestant::Thread | Contestant::ProcessFork | Contestant::ProcessSpawn => None,
        }
    }

    /// Whether every connection has a process.
    pub(super) fn is_process_per_connection(self) -> bool {
        matches!(self, Contestant::ProcessFork | Contestant::ProcessSpawn)
    }
}

/// How a server is to serve.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ServerRole {
    pub(super) strategy: Contestant,
    /// The cores that it may use.
    pub(super) cores: Vec<usize>,
    /// Connections at once, for strategies without a pool.
    pub(super) at_most: usize,
    /// Threads or processes of a pool.
    pub(super) pool: usize,
}

/// The child's side: serves until it is not wanted any more.
pub(super) fn play(role: &ServerRole) -> Answer<()> {
    serve(role).map_err(|error| cannot(&error))
}

fn serve(role: &ServerRole) -> Result<()> {
    let server = Server::new(procedures());
    server.serve_if_child()?;
    let failed = |error| Error::transport("preparing the server's process", error);
    machine::pin(&role.cores).map_err(failed)?;
    machine::raise_descriptor_limit().map_err(failed)?;
    let mut incoming = listen(server.limits.drain)?;
    let strategy = role.strategy.strategy(role.at_most, role.pool);
    strategy.run(&mut incoming, &|connection| server.serve(connection))
}

/// Listens, and answers where. There are connections for as long as this process is wanted.
pub(super) fn listen(drain: Duration) -> Result<Incoming> {
    let failed = |error| Error::transport("listening", error);
    let listener = tcp::listen(&[(Ipv4Addr::LOCALHOST, 0).into()]).map_err(failed)?;
    say(&Ok(listener.local_addr().map_err(failed)?));
    // The server stops when the other end of its standard input is closed. No thread waits for
    // that, so a server that forks can have it too.
    let wanted = Lifeline::watching(stdin().as_fd().try_clone_to_owned().map_err(failed)?);
    Incoming::from_listener(listener, wanted, drain)
}

impl ServerRole {
    /// How many of so many clients, who come and stay, are served at once.
    pub(super) fn serves(&self, clients: usize) -> usize {
        self.strategy.pool(self.pool).unwrap_or(clients).min(clients)
    }
}

/// What the servers under test offer: the demo services, and what some experiments need.
fn procedures() -> Procedures {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    demo::procedures()
        .on("compute", |rounds: u64| compute(rounds))
        .on("count", || (COUNT.fetch_add(1, Ordering::Relaxed) + 1, process::id()))
}

/// Work for the processor, always the same for the same number of rounds.
pub(super) fn compute(rounds: u64) -> u64 {
    // Marsaglia's xorshift: each round needs the one before, so none can be left out.
    (0..std::hint::black_box(rounds)).fold(88_172_645_463_325_252, |mut state: u64, _| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^ (state << 17)
    })
}

/// An error of a server or a client, for the reader of a table.
pub(super) fn cannot(error: &Error) -> CannotRun {
    let remedy = match error {
        Error::Connect { source, .. } | Error::Transport { source, .. }
            if Errno::from_io_error(source) == Some(Errno::MFILE) =>
        {
            "allow more descriptors: ulimit -n"
        }
        Error::Strategy(StrategyError::CannotCountThreads(_)) => "mount /proc",
        Error::Fault(_) => "allow more processes and threads: ulimit -u, or the container's limit",
        _ => "run it again while the machine does little else; if it stays so, please report it",
    };
    CannotRun::new(error.with_causes(), remedy)
}

/// A server under test, in its process.
pub(super) struct ServerUnderTest<'a> {
    process: Process<'a>,
    pub(super) address: SocketAddr,
    /// The cores that it may use.
    pub(super) cores: Vec<usize>,
    /// What it held when its first clients were connected; unknown where there is no `/proc`.
    with_clients: Option<Census>,
}

impl<'a> ServerUnderTest<'a> {
    const PATIENCE: Duration = Duration::from_secs(10);

    /// Starts a server, and waits until all of it has begun: every member of a pool has answered.
    pub(super) fn start(lab: &'a Lab, role: ServerRole) -> Result<ServerUnderTest<'a>, Failure> {
        let cores = role.cores.clone();
        let clients = role.strategy.pool(role.pool).unwrap_or(1);
        let mut process = Process::start(&lab.program, &lab.interrupted, &Role::Server(role))?;
        let address: SocketAddr = process.answer(ServerUnderTest::PATIENCE)?;
        let channel = Channel::new(address).call_timeout(ServerUnderTest::PATIENCE);
        let first_call = |_| {
            let stub = ClientStub::new(&channel)?;
            stub.call::<i64>("add", (10, 5)).map(|_| stub)
        };
        match (0..clients).map(first_call).collect::<Result<Vec<_>>>() {
            Ok(_connected) => {
                let with_clients = Census::of(process.id()).ok();
                Ok(ServerUnderTest { process, address, cores, with_clients })
            }
            // A strategy that cannot run here has said why.
            Err(error) => Err(process.complaint().unwrap_or_else(|| cannot(&error)).into()),
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends the server, after a look at what its clients have left in it.
    pub(super) fn end(self) -> Result<(), Failure> {
        let left = self.left_behind();
        // An interruption is the first to be told.
        self.process.end()?;
        match left {
            None => Ok(()),
            Some(left) => {
                let reason = format!("the server kept, after its clients had gone, {left}");
                log::error!("{reason}");
                Err(Failure::new(reason, "this is a defect of the strategy: please report it"))
            }
        }
    }

    /// What the server still holds some time after its last client has gone.
    fn left_behind(&self) -> Option<Census> {
        let before = self.with_clients?;
        let deadline = Instant::now() + Duration::from_secs(3);
        loop {
            let more = Census::of(self.id()).ok()?.more_than(&before);
            if more == Census::default() {
                return None;
            }
            if Instant::now() > deadline || self.process.is_interrupted() {
                return Some(more);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
