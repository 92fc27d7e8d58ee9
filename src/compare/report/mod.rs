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
/// Each file is either the old one or the whole new one, whenever the program is interrupted. CSV
/// files of an earlier run, which had more, are removed.
///
/// # Errors
///
/// What the file system says, or `InvalidInput` if an experiment's name cannot name a file.
pub fn write(results: &Results, out: &Path) -> io::Result<PathBuf> {
    let files = files::csv(results)?;
    let page = page::html(results)?;
    fs::create_dir_all(out)?;
    let json = out.join("results.json");
    let earlier: Option<Results> =
        fs::read(&json).ok().and_then(|json| serde_json::from_slice(&json).ok());
    let earlier = earlier.and_then(|earlier| files::csv(&earlier).ok()).unwrap_or_default();
    replace(&json, &serde_json::to_vec_pretty(results)?)?;
    for (name, content) in &files {
        replace(&out.join(name), content)?;
    }
    for (name, _) in earlier.iter().filter(|(old, _)| files.iter().all(|(new, _)| new != old)) {
        // Who has removed it already has done no harm.
        let _ = fs::remove_file(out.join(name));
    }
    let report = out.join("report.html");
    replace(&report, page.as_bytes())?;
    Ok(report)
}

/// Writes beside the file, then puts the new one in its place.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_added_extension("part");
    fs::write(&beside, content)?;
    fs::rename(&beside, path)
}
