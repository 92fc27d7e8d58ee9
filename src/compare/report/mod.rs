//! What a comparison found, to read: files, a page with charts, and tables for the terminal.

mod advice;
mod chart;
mod files;
mod matrix;
mod number;
mod page;
mod standing;
mod terminal;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Results;

pub use terminal::tables;

/// Writes `results.json`, a CSV file for each experiment, `survival.csv` and `report.html` into a
/// folder, which is made if there is none, and returns the path of `report.html`.
///
/// Each file is either the old one or the whole new one, whenever the program is interrupted.
///
/// # Errors
///
/// What the file system says, or `InvalidInput` if an experiment's name cannot name a file.
pub fn write(results: &Results, out: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(out)?;
    replace(&out.join("results.json"), &serde_json::to_vec_pretty(results)?)?;
    for experiment in &results.experiments {
        let name = files::name(experiment)?;
        replace(&out.join(name), &files::experiment(experiment)?)?;
    }
    if let Some(survival) = &results.survival {
        replace(&out.join("survival.csv"), &files::survival(survival)?)?;
    }
    let report = out.join("report.html");
    replace(&report, page::html(results)?.as_bytes())?;
    Ok(report)
}

/// Writes beside the file, then puts the new one in its place.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_added_extension("part");
    fs::write(&beside, content)?;
    fs::rename(&beside, path)
}
