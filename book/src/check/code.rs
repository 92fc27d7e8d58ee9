//! Code that a page shows is compiled, output is what an example prints, and nobody typed either.

use super::{Book, Finding};
use crate::page::{Block, Page, directives};

/// What an author says about a block that nothing in the repository can vouch for: a drawing in
/// characters, the notation of a format, words from another project's source.
const BY_HAND: [&str; 3] = ["drawing", "notation", "quote"];

pub(super) fn check(book: &Book<'_>, findings: &mut Vec<Finding>) {
    for page in &book.pages {
        for block in page.blocks() {
            if let Some(what) = fault(page, &block) {
                findings.push(page.finding(block.at, what));
            }
        }
    }
}

fn fault(page: &Page, block: &Block) -> Option<String> {
    let Some(info) = &block.info else { return Some("indented code; use fences".into()) };
    let mut marks = info.split(',').map(str::trim);
    let language = marks.next().unwrap_or_default();
    let marks: Vec<&str> = marks.collect();
    let source = source(page, block);
    let comes_from = |folders: &[&str]| {
        source.as_ref().is_some_and(|file| folders.iter().any(|folder| file.starts_with(folder)))
    };
    match language {
        "" => Some("a block needs a language".into()),
        "rust" if !comes_from(&["src/", "examples/", "tests/"]) => {
            Some("Rust code is one #include from src/, examples/ or tests/".into())
        }
        // mdBook would add a `main` to it.
        "rust" if !marks.contains(&"ignore") => Some("Rust code is marked `rust,ignore`".into()),
        "rust" => None,
        "console" => (!is_commands(&block.body)).then(|| "a command begins with `$ `".into()),
        _ if marks.iter().any(|mark| BY_HAND.contains(mark)) => None,
        // What an exercise says is kept true by the exercises' own test.
        "text" if !comes_from(&["examples/expected/", "tests/exercises/"]) => Some(format!(
            "output is one #include from examples/expected/; what is none is marked {}",
            BY_HAND.map(|mark| format!("`text,{mark}`")).join(" or ")
        )),
        _ if source.is_none() => Some(format!(
            "{language} is one #include from the repository, or marked `{language},quote`"
        )),
        _ => None,
    }
}

/// The file that makes up all of a block.
fn source(page: &Page, block: &Block) -> Option<String> {
    match directives(&block.body).as_slice() {
        [only] if only.kind == "include" && only.text == block.body.trim() => {
            page.resolve(only.file)
        }
        _ => None,
    }
}

/// Whether every line is a command, or goes on with the one before it.
fn is_commands(body: &str) -> bool {
    let mut goes_on = false;
    let mut lines = body.lines();
    !body.trim().is_empty()
        && lines.all(|line| {
            let is_command = goes_on || line.starts_with("$ ");
            goes_on = line.ends_with('\\');
            is_command
        })
}
