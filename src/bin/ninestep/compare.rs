//! `ninestep compare`: the strategies side by side, in tables and in a report.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::{ExitCode, exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use ninestep::compare::crash_lab::CrashLab;
use ninestep::compare::{Comparison, EXPERIMENTS, Effort, report};

/// What `ninestep compare` is told.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Compare {
    /// Measure for a minute instead of ten: the figures are rougher.
    #[arg(long)]
    quick: bool,
    /// Run this experiment and nothing else; it can be given several times.
    #[arg(long, value_name = "NAME", value_parser = EXPERIMENTS)]
    only: Vec<String>,
    /// Run the crash lab and nothing else.
    #[arg(long, conflicts_with = "only")]
    crash_lab: bool,
    /// The folder for the report; it is made if it is not there.
    #[arg(long, default_value = "target/compare", value_name = "DIR")]
    out: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  ninestep compare --quick
  ninestep compare --crash-lab
  ninestep compare --only connections --only memory --out /tmp/compare";

impl Compare {
    /// Measures until it is done, or until Ctrl-C, and writes down what it has.
    pub(crate) fn run(self) -> ExitCode {
        match self.compare() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(130),
            // Nobody reads any more, as after `ninestep compare | head`.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(error) => {
                let folder = self.out.display();
                crate::failed(error, format!("{folder} must be a folder, or choose one with --out"))
            }
        }
    }

    /// Whether it came to its end.
    fn compare(&self) -> io::Result<bool> {
        // What cannot be written is found out before it is measured.
        fs::create_dir_all(&self.out)?;
        let mut comparison = Comparison::new()?;
        if self.quick {
            comparison.effort = Effort::Quick;
        }
        if self.crash_lab || !self.only.is_empty() {
            comparison.experiments.clone_from(&self.only);
        }
        let interrupted = Arc::clone(&comparison.interrupted);
        interrupt_on_signal(Arc::clone(&interrupted));
        let progress = Progress::new();
        let mut results =
            comparison.run(&mut |now| progress.show(now.experiment, now.done, now.of));
        if results.complete && self.only.is_empty() {
            let at_once = if self.quick { 2 } else { 1 };
            let lab = CrashLab { interrupted, at_once, ..CrashLab::new()? };
            let (mut done, of) = (0, lab.troubles.len() * lab.strategies.len());
            progress.show("Who outlives what?", done, of);
            results.survival = Some(lab.run(&mut |_| {
                done += 1;
                progress.show("Who outlives what?", done, of);
            }));
            results.complete = !comparison.interrupted.load(Ordering::Relaxed);
        }
        progress.0.finish_and_clear();
        let report = report::write(&results, &self.out)?;
        let mut out = io::stdout().lock();
        write!(out, "{}", report::tables(&results))?;
        writeln!(out, "\nThe report, with charts: {}", report.display())?;
        Ok(results.complete)
    }
}

/// A bar on a terminal; else a line when something begins.
struct Progress(ProgressBar);

impl Progress {
    fn new() -> Progress {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{wide_msg} {bar:24} {pos:>4} of {len:4}") {
            bar.set_style(style);
        }
        Progress(bar)
    }

    fn show(&self, what: &str, done: usize, of: usize) {
        if !io::stderr().is_terminal() && self.0.message() != what {
            // Nobody may be left who wants to know.
            let _ = writeln!(io::stderr(), "{what}");
        }
        self.0.set_message(what.to_owned());
        self.0.set_length(of as u64);
        self.0.set_position(done as u64);
    }
}

/// The first signal ends the measuring, the second ends the process at once.
fn interrupt_on_signal(interrupted: Arc<AtomicBool>) {
    let handler = move || {
        if interrupted.swap(true, Ordering::Relaxed) {
            exit(130);
        }
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        log::warn!("Ctrl-C will lose what has been measured: {error}");
    }
}
