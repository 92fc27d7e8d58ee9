//! Every example has a chapter that tells how to run it, and every chapter's examples exist.
//!
//! An example says in its head to which chapter it belongs. While that chapter is a draft in the
//! summary, `- [Title]()`, the example waits for it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use anyhow::Result;
use regex::Regex;

use super::{Book, Finding};
use crate::page::Page;

/// `--example NAME` runs it, or `--example NAME -- NUMBER` where one program holds several.
struct Example {
    run: String,
    source: Page,
    /// Where its source names the chapter, and which one.
    at: usize,
    chapter: Option<u32>,
}

pub(super) fn check(book: &Book<'_>, findings: &mut Vec<Finding>) -> Result<()> {
    let examples = examples(book.root)?;
    let mut shown = BTreeSet::new();
    for page in &book.pages {
        for (at, run) in runs(&page.text) {
            let is = |example: &&Example| run == example.run;
            let starts = |example: &&Example| run.starts_with(&format!("{} ", example.run));
            match examples.iter().find(is).or_else(|| examples.iter().find(starts)) {
                Some(example) => drop(shown.insert(&example.run)),
                None => findings.push(page.finding(at, format!("there is no example {run}"))),
            }
        }
    }
    for example in examples.iter().filter(|example| !shown.contains(&example.run)) {
        let what = match example.chapter {
            Some(chapter) if book.summary.is_draft(chapter) => continue,
            _ => format!("no chapter has a command with `--example {}`", example.run),
        };
        findings.push(example.source.finding(example.at, what));
    }
    Ok(())
}

/// What a text tells to run, and where.
fn runs(text: &str) -> Vec<(usize, String)> {
    static RUN: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"--example[ =](\w+)(?: (-- \d+))?").ok());
    let Some(run) = RUN.as_ref() else { return Vec::new() };
    let found = run.captures_iter(text).filter_map(|found| {
        let name = found.get(1)?.as_str();
        let number = found.get(2).map(|number| format!(" {}", number.as_str()));
        Some((found.get(0)?.start(), name.to_owned() + &number.unwrap_or_default()))
    });
    found.collect()
}

/// The programs in `examples/`, and the numbered parts, `chNN_*.rs`, of those that are a folder.
fn examples(root: &Path) -> Result<Vec<Example>> {
    let mut examples = Vec::new();
    for name in names(&root.join("examples"))? {
        if let Some(run) = name.strip_suffix(".rs") {
            let source = Page::read(root, &format!("examples/{name}"))?;
            let (at, chapter) = chapter(&source.text);
            examples.push(Example { run: run.to_owned(), source, at, chapter });
        } else if root.join(format!("examples/{name}/main.rs")).is_file() {
            for part in names(&root.join("examples").join(&name))? {
                let number = part.strip_prefix("ch").and_then(|part| part.get(..2)?.parse().ok());
                let Some(number) = number else { continue };
                let source = Page::read(root, &format!("examples/{name}/{part}"))?;
                let run = format!("{name} -- {number}");
                examples.push(Example { run, source, at: 0, chapter: Some(number) });
            }
        }
    }
    Ok(examples)
}

fn names(folder: &Path) -> Result<BTreeSet<String>> {
    let entries = fs::read_dir(folder)?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// `Chapter 3`, or the last of `Chapters 5 and 12`.
fn chapter(text: &str) -> (usize, Option<u32>) {
    static CHAPTER: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"Chapters? (?:\d+ and )?(\d+)").ok());
    let found = CHAPTER.as_ref().and_then(|chapter| chapter.captures(text));
    let place = |part| found.as_ref().and_then(|found| found.get(part));
    let chapter = place(1).and_then(|number| number.as_str().parse().ok());
    (place(0).map_or(0, |whole| whole.start()), chapter)
}
