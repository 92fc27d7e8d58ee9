//! What makes a page untrue or unreadable, and mdBook says nothing about. One file per kind.

mod code;
mod commands;
mod examples;
mod figures;
mod includes;
mod links;
mod output;
mod spelling;
mod summary;

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};

use crate::page::Page;
use crate::render;
use summary::Summary;

/// A fault and its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The path from the repository's root.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// The book as it was written.
struct Book<'a> {
    root: &'a Path,
    summary: Summary,
    /// The chapters that the summary lists.
    pages: Vec<Page>,
}

/// Looks for every kind of fault in the book of the repository at `root`, runs the examples whose
/// output it shows, and asks its program for help on the options that it names.
///
/// # Errors
///
/// The book cannot be read or rendered, or the examples cannot be built.
pub fn check(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = check_text(root)?;
    let book = Book::read(root)?;
    commands::check(&book, &mut findings)?;
    output::check(&book, &mut findings)?;
    findings.sort();
    Ok(findings)
}

/// As [`check`], without running anything: commands are not looked at, and shown output is
/// compared with nothing.
///
/// # Errors
///
/// The book cannot be read or rendered.
pub fn check_text(root: &Path) -> Result<Vec<Finding>> {
    let book = Book::read(root)?;
    let mut findings = Vec::new();
    summary::check(&book, &mut findings)?;
    includes::check(&book, &mut findings);
    code::check(&book, &mut findings);
    examples::check(&book, &mut findings)?;
    figures::check(&book, &mut findings)?;
    spelling::check(&book, &mut findings)?;
    // A summary that lists what there is not cannot be rendered.
    let rendered = tempfile::tempdir()?;
    match render::pages(root, rendered.path()) {
        Ok(()) => links::check(&book, rendered.path(), &mut findings)?,
        Err(why) if findings.is_empty() => return Err(why).context("the book cannot be rendered"),
        Err(_) => {}
    }
    findings.sort();
    Ok(findings)
}

impl Book<'_> {
    fn read(root: &Path) -> Result<Book<'_>> {
        let summary = Summary::read(root)?;
        let listed = summary.entries.iter().filter_map(|entry| entry.file.as_ref());
        let listed = listed.filter(|file| root.join(file).is_file());
        let pages = listed.map(|file| Page::read(root, file)).collect::<Result<_>>()?;
        Ok(Book { root, summary, pages })
    }
}
