//! What a command names is there: an exercise, a file, a test, a subcommand and its options.
//! (`examples.rs` looks for the examples.)

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use mdbook_markdown::pulldown_cmark::Event;

use super::{Book, Finding};
use crate::page::Page;

/// The help of each subcommand, as it is asked for.
type Helps = BTreeMap<String, String>;

pub(super) fn check(book: &Book<'_>, findings: &mut Vec<Finding>) -> Result<()> {
    let mut helps = Helps::new();
    for page in &book.pages {
        for (at, command) in commands(page) {
            let fault = fault(book.root, &command, &mut helps)?;
            findings.extend(fault.map(|what| page.finding(at, what)));
        }
    }
    Ok(())
}

/// The commands of a page, in blocks and in sentences, and where they stand.
fn commands(page: &Page) -> Vec<(usize, String)> {
    let mut commands = Vec::new();
    for (event, range) in page.events() {
        if let Event::Code(code) = event {
            commands.push((range.start, code.to_string()));
        }
    }
    for block in page.blocks().into_iter().filter(|it| it.info.as_deref() == Some("console")) {
        for line in block.body.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let at = page.text[block.at..].find(line).map_or(block.at, |at| block.at + at);
            commands.push((at, line.to_owned()));
        }
    }
    commands
}

fn fault(root: &Path, command: &str, helps: &mut Helps) -> Result<Option<String>> {
    let words: Vec<&str> = command.split_whitespace().collect();
    Ok(match words.as_slice() {
        ["cargo", "exercise", number, ..] if !is_exercise(root, number)? => {
            Some(format!("there is no exercise {number}"))
        }
        ["cargo", "test", "--test", test, ..]
            if !root.join(format!("tests/{test}.rs")).is_file() =>
        {
            Some(format!("there is no test {test}"))
        }
        ["cp" | "python3", file, ..] if !root.join(file).is_file() => {
            Some(format!("there is no file {file}"))
        }
        ["cargo", "run", "--", subcommand, options @ ..]
        | ["cargo", "run", "--release", "--", subcommand, options @ ..] => {
            if !helps.contains_key(*subcommand) {
                helps.insert((*subcommand).to_owned(), help(root, subcommand)?);
            }
            let help = helps.get(*subcommand).map_or("", String::as_str);
            let is_known = |word: &str| help.split([' ', ',', '\n']).any(|known| known == word);
            let unknown = options.iter().find(|word| word.starts_with("--") && !is_known(word));
            match unknown {
                _ if help.is_empty() => Some(format!("{subcommand} is no subcommand")),
                unknown => unknown.map(|option| format!("{subcommand} has no option {option}")),
            }
        }
        _ => None,
    })
}

/// `3b` is in a folder `e03b_…`.
fn is_exercise(root: &Path, number: &str) -> Result<bool> {
    let name = format!("e{number:0>3}_");
    for folder in fs::read_dir(root.join("tests/exercises"))? {
        if folder?.file_name().to_string_lossy().starts_with(&name) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a subcommand says of its options; nothing if there is no such subcommand.
fn help(root: &Path, subcommand: &str) -> Result<String> {
    let cargo = || {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(root).stdin(Stdio::null());
        cargo
    };
    ensure!(cargo().args(["build", "--quiet"]).status()?.success(), "the program does not compile");
    let output = cargo().args(["run", "--quiet", "--", subcommand, "--help"]).output()?;
    let is_there = output.status.success();
    Ok(if is_there { String::from_utf8(output.stdout)? } else { String::new() })
}
