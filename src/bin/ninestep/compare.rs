//! `ninestep compare`: the strategies side by side, in a table and in a report.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::{ExitCode, exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use ninestep::compare::{Comparison, Effort, Progress, Results};

/// What `ninestep compare` is told.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Compare {
    /// Measure for a minute instead of ten: the figures are rougher.
    #[arg(long)]
    quick: bool,
    /// Run this experiment and no other; it can be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// The folder for the report, which is made if it is not there.
    #[arg(long, default_value = "target/compare", value_name = "DIR")]
    out: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  ninestep compare --quick
  ninestep compare --only connections --only memory --out /tmp/compare";

impl Compare {
    /// Measures until it is done, or until Ctrl-C, and writes down what it has.
    pub(crate) fn run(self) -> ExitCode {
        match self.compare() {
            Ok(code) => code,
            Err(error) => {
                let tip = format!(
                    "choose a folder that can be written, with --out: {}",
                    self.out.display()
                );
                crate::failed(error, tip)
            }
        }
    }

    fn compare(&self) -> io::Result<ExitCode> {
        // A folder that cannot be written is found out before ten minutes of measuring.
        fs::create_dir_all(&self.out)?;
        let effort = if self.quick { Effort::Quick } else { Effort::Full };
        let comparison = Comparison { effort, only: self.only.clone(), ..Comparison::new()? };
        interrupt_on_signal(Arc::clone(&comparison.interrupted));
        let results = measure(&comparison);
        let path = self.out.join("results.json");
        fs::write(&path, serde_json::to_string_pretty(&results)?)?;
        println!("{}", path.display());
        Ok(match results.complete {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(130),
        })
    }
}

/// Runs the comparison, with a bar on a terminal, and else with a line for each experiment.
fn measure(comparison: &Comparison) -> Results {
    if !io::stderr().is_terminal() {
        let mut last = String::new();
        return comparison.run(&mut |progress| {
            if progress.experiment != last {
                progress.experiment.clone_into(&mut last);
                eprintln!("{last}");
            }
        });
    }
    let template = "{msg:36} {wide_bar:.cyan/dim} {pos:>4}/{len}  {eta:>4} left";
    let bar = ProgressBar::new(0);
    bar.set_style(
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let results = comparison.run(&mut |Progress { experiment, done, of }| {
        bar.set_message(experiment.to_owned());
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    results
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
