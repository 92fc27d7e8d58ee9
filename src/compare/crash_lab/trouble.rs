//! What one client does to its server, and what the others see of it.

use std::fmt;
use std::fs::File;
use std::hint::black_box;
use std::os::fd::IntoRawFd;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{env, mem, process, thread};

use rustix::process::{Signal, getpid, kill_process};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::limits;
use crate::demo::{Demo, Trouble as _};
use crate::error::Result;
use crate::message::Fault;
use crate::procedure::Procedures;

/// What a client can do to its server in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trouble {
    /// A panic, which the server stub catches.
    Panic,
    /// A panic while the procedure holds the lock that all procedures share.
    PanicWithLock,
    /// The process aborts itself.
    Abort,
    /// Recursion without an end.
    StackOverflow,
    /// The process ends itself in good order.
    Exit,
    /// The process is sent SIGKILL.
    Kill,
    /// Memory is asked for until the limit refuses it.
    OutOfMemory,
    /// 32 MiB are never given back, ten times.
    LeakMemory,
    /// 100 descriptors are never closed.
    LeakDescriptors,
    /// The process changes its working directory.
    ChangeDirectory,
    /// A processor is kept busy, for a client that left at once: for two seconds, or, in a process
    /// of its own, until the process's limit ends it.
    Spin,
}

impl Trouble {
    /// Every trouble, the mildest first.
    pub const ALL: [Trouble; 11] = [
        Trouble::Panic,
        Trouble::PanicWithLock,
        Trouble::Abort,
        Trouble::StackOverflow,
        Trouble::Exit,
        Trouble::Kill,
        Trouble::OutOfMemory,
        Trouble::LeakMemory,
        Trouble::LeakDescriptors,
        Trouble::ChangeDirectory,
        Trouble::Spin,
    ];

    /// How long its client waits for an outcome before it leaves.
    pub(super) fn patience(self) -> Duration {
        match self {
            Trouble::Spin => Duration::from_millis(20),
            _ => super::PATIENCE,
        }
    }

    /// Makes it; it spins for so many seconds of the processor's time, if it does.
    fn make(self, seconds: f64) -> Result<()> {
        match self {
            Trouble::Panic => Demo.panic(),
            Trouble::PanicWithLock => {
                let _held = LOCK.lock();
                Demo.panic()
            }
            Trouble::Abort => Demo.abort(),
            Trouble::StackOverflow => Demo.overflow(),
            Trouble::Exit => process::exit(0),
            Trouble::Kill => Ok(kill_process(getpid(), Signal::KILL).map_err(cannot)?),
            Trouble::OutOfMemory => {
                const BLOCK: usize = 64 << 20;
                // Address space is what the limit counts, so no page of it need be written.
                for _ in 0..=limits::ADDRESS_SPACE / BLOCK as u64 {
                    mem::forget(black_box(Vec::<u8>::with_capacity(BLOCK)));
                }
                Ok(())
            }
            Trouble::LeakMemory => (0..10).try_for_each(|_| Demo.leak(32)),
            Trouble::LeakDescriptors => {
                for _ in 0..100 {
                    let _ = File::open("/dev/null").map_err(cannot)?.into_raw_fd();
                }
                Ok(())
            }
            Trouble::ChangeDirectory => Ok(env::set_current_dir("/").map_err(cannot)?),
            Trouble::Spin => {
                // The processor's time, not the clock's: so a busy machine does not shorten it.
                let spent = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime));
                while spent().is_ok_and(|spent| spent.as_secs_f64() < seconds) {
                    std::hint::spin_loop();
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Trouble::Panic => "panic",
            Trouble::PanicWithLock => "panic with lock",
            Trouble::Abort => "abort",
            Trouble::StackOverflow => "stack overflow",
            Trouble::Exit => "exit",
            Trouble::Kill => "kill",
            Trouble::OutOfMemory => "out of memory",
            Trouble::LeakMemory => "leak memory",
            Trouble::LeakDescriptors => "leak descriptors",
            Trouble::ChangeDirectory => "change directory",
            Trouble::Spin => "spin",
        })
    }
}

fn cannot(error: impl fmt::Display) -> Fault {
    Fault::new(1, error.to_string())
}

/// What all procedures of one process share.
static LOCK: Mutex<u64> = Mutex::new(0);

/// What a client sees of the process that serves it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Seen {
    /// Whether somebody panicked while holding the lock.
    pub(super) poisoned: bool,
    /// The working directory.
    pub(super) directory: String,
}

impl Seen {
    fn after(milliseconds: u64) -> Seen {
        thread::sleep(Duration::from_millis(milliseconds));
        let poisoned = LOCK.is_poisoned();
        *LOCK.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let directory = env::current_dir().unwrap_or_default().display().to_string();
        Seen { poisoned, directory }
    }
}

/// What the lab's servers offer.
pub(super) fn procedures() -> Procedures {
    Procedures::new().on("look", Seen::after).on("trouble", Trouble::make)
}
