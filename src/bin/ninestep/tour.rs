//! `ninestep` alone: the tour. One call between two processes, step by step; then the strategies
//! side by side; then where to go on.

pub(crate) mod process;
pub(crate) mod steps;
mod strategies;

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};

const TITLE: Style = Style::new().bold();
const QUIET: Style = Style::new().dimmed();
const CLIENT: Style = AnsiColor::Cyan.on_default();
const SERVER: Style = AnsiColor::Green.on_default();

/// Why the tour ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("nothing can be printed: {0}")]
    Output(#[from] io::Error),
    #[error("stopped while {doing}: {why}")]
    Process {
        doing: String,
        why: String,
        /// The command that shows a person the same.
        by_hand: String,
    },
    #[error("stopped while writing {}: {why}", file.display())]
    File { file: PathBuf, why: io::Error },
    #[error("the tour was interrupted")]
    Interrupted,
}

impl Failure {
    pub(crate) fn new(doing: &str, why: impl ToString, by_hand: &str) -> Failure {
        let (doing, why, by_hand) = (doing.to_owned(), why.to_string(), by_hand.to_owned());
        Failure::Process { doing, why, by_hand }
    }

    pub(crate) fn tip(&self) -> String {
        match self {
            Failure::Process { by_hand, .. } => format!("to see more of it, run: {by_hand}"),
            Failure::File { .. } => {
                "choose another file: its folder must be there, and you may write in it".to_owned()
            }
            Failure::Output(_) | Failure::Interrupted => "run it again".to_owned(),
        }
    }
}

/// Whether Ctrl-C was pressed. The tour then returns through all its functions, because on the
/// way it ends the processes that it started.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn go_on() -> Result<(), Failure> {
    match INTERRUPTED.load(Ordering::Relaxed) {
        true => Err(Failure::Interrupted),
        false => Ok(()),
    }
}

/// Runs the tour.
pub(crate) fn run() -> ExitCode {
    if let Err(error) = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed)) {
        log::warn!("Ctrl-C will leave a server behind: {error}");
    }
    match tour(&mut anstream::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        // Ctrl-C reaches the servers too, so it can look like any failure.
        Err(_) if go_on().is_err() => ExitCode::from(130),
        // Nobody reads any more, as after `ninestep | head`.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => crate::failed(&failure, failure.tip()),
    }
}

fn tour(out: &mut impl Write) -> Result<(), Failure> {
    writeln!(out, "{TITLE}One call, two processes, nine steps{TITLE:#}\n")?;
    steps::show(out)?;
    writeln!(out, "\n{TITLE}The same call on each server strategy{TITLE:#}\n")?;
    strategies::show(out)?;
    writeln!(out, "\n{TITLE}Where to go on{TITLE:#}\n")?;
    let serve = by_hand("serve --trace");
    let call = by_hand("call --trace 127.0.0.1:9000 add 10 5");
    writeln!(out, "  example 01     cargo run --example 01_local_and_remote")?;
    writeln!(out, "  chapter 1      cargo book serve   (its text is chapters/01-nine-steps.md)")?;
    writeln!(out, "  this by hand   {serve}")?;
    writeln!(out, "                 {call}   (in another terminal)")?;
    writeln!(out, "  strategies     {}", by_hand("compare --quick"))?;
    Ok(())
}

/// Prints what is worth knowing about what was printed above.
fn quietly(out: &mut impl Write, notes: &[&str]) -> Result<(), Failure> {
    writeln!(out)?;
    for note in notes {
        writeln!(out, "  {QUIET}{note}{QUIET:#}")?;
    }
    Ok(())
}

/// The command line that runs this program with these arguments.
fn by_hand(arguments: &str) -> String {
    let program = env::args_os().next().unwrap_or_else(|| "ninestep".into());
    format!("{} {arguments}", program.display())
}
