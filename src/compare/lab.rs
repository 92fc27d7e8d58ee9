//! What experiments are done with: the machine's cores, servers, and clients in their processes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::compare::experiments::Load;
use crate::compare::load::LoadRole;
use crate::compare::process::{Failure, Process, Role};
use crate::compare::server::{Contestant, ServerRole, ServerUnderTest, compute};
use crate::compare::{Effort, machine};

/// What every experiment needs to know.
pub(super) struct Lab {
    /// What its processes run.
    pub(super) program: PathBuf,
    pub(super) effort: Effort,
    pub(super) interrupted: Arc<AtomicBool>,
    /// The cores that there are.
    pub(super) cores: Vec<usize>,
    /// When no further round begins: on a slow machine everything is measured, but less often.
    pub(super) last_round: Instant,
    /// Rounds of [`compute`] that take a core 100 µs.
    pub(super) hundred_micros: u64,
}

impl Lab {
    /// Longer than anything that clients do, unless it does not end.
    const PATIENCE: Duration = Duration::from_secs(90);

    pub(super) fn new(program: PathBuf, effort: Effort, interrupted: Arc<AtomicBool>) -> Lab {
        const ROUNDS: u64 = 1_000_000;
        let timed = |_| {
            let start = Instant::now();
            std::hint::black_box(compute(ROUNDS));
            start.elapsed()
        };
        let fastest = (0..3).map(timed).min().unwrap_or_default().as_secs_f64();
        let hundred_micros = (ROUNDS as f64 * 1e-4 / fastest.max(1e-9)) as u64;
        let last_round = Instant::now() + Duration::from_secs(effort.of(600, 30, 480));
        Lab { program, effort, interrupted, cores: machine::cores(), last_round, hundred_micros }
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Threads or processes of a pool, unless an experiment needs another number: four for each
    /// core of the machine.
    pub(super) fn pool(&self) -> usize {
        4 * self.cores.len()
    }

    /// Half of the cores: a round trip within one core differs from one between two, so it must
    /// not be left to chance which it is.
    pub(super) fn server_cores(&self) -> &[usize] {
        &self.cores[..self.cores.len().div_ceil(2)]
    }

    /// Which cores are held, for the reader.
    pub(super) fn cores_held(&self) -> String {
        match (self.server_cores().len(), self.client_cores(self.server_cores()).len()) {
            _ if !cfg!(target_os = "linux") => "no core is held, for want of a way".to_owned(),
            _ if self.cores.len() == 1 => "server and clients share the only core".to_owned(),
            (1, 1) => "the server has one core, the clients the other".to_owned(),
            (server, clients) => {
                format!("the server has {server} of the cores, the clients the other {clients}")
            }
        }
    }

    /// Clients have the cores that the server does not have; or all, if it has all.
    fn client_cores(&self, of_server: &[usize]) -> Vec<usize> {
        let others = self.cores.iter().filter(|core| !of_server.contains(core)).copied();
        match others.collect::<Vec<_>>() {
            none if none.is_empty() => self.cores.clone(),
            others => others,
        }
    }

    /// A server for so many clients, with nothing special.
    pub(super) fn server(&self, strategy: Contestant, clients: usize) -> ServerRole {
        ServerRole {
            strategy,
            cores: self.server_cores().to_vec(),
            // Some who have left may not be gone yet.
            at_most: clients + 8,
            pool: self.pool(),
        }
    }

    /// A server, one load, and what the load finds.
    pub(super) fn measure(&self, server: ServerRole, load: Load) -> Result<Vec<f64>, Failure> {
        let server = ServerUnderTest::start(self, server)?;
        let found = self.load(&server, load)?.found()?;
        server.end()?;
        Ok(found)
    }

    /// Clients of a server.
    pub(super) fn load<'a>(
        &'a self,
        server: &ServerUnderTest<'_>,
        load: Load,
    ) -> Result<LoadProcess<'a>, Failure> {
        let cores = self.client_cores(&server.cores);
        let role = LoadRole { address: server.address, cores, load };
        Ok(LoadProcess(Process::start(&self.program, &self.interrupted, &Role::Load(role))?))
    }

    /// Fails if a process cannot have so many connections here.
    pub(super) fn needs_descriptors(&self, connections: usize) -> Result<(), Failure> {
        // Some for the process itself; a connection of process-spawn needs two for a moment.
        let needed = connections as u64 + 32;
        match machine::most_descriptors() {
            most if most >= needed => Ok(()),
            most => Err(Failure::new(
                format!("{connections} clients need {needed} descriptors, and {most} are allowed"),
                format!(
                    "run it again after `ulimit -n {needed}`, as root if the hard limit is less"
                ),
            )),
        }
    }
}

/// Clients, in their process.
pub(super) struct LoadProcess<'a>(Process<'a>);

impl LoadProcess<'_> {
    /// What the clients found; they are gone then.
    pub(super) fn found(mut self) -> Result<Vec<f64>, Failure> {
        let found = self.next()?;
        self.0.end()?;
        Ok(found)
    }

    /// Lets the clients go on that have said something and wait.
    pub(super) fn go_on(&mut self) {
        self.0.go_on();
    }

    /// What the clients say next; they stay.
    pub(super) fn next(&mut self) -> Result<Vec<f64>, Failure> {
        self.0.answer(Lab::PATIENCE)
    }
}
