//! Every include finds its file, and in it its lines, and they do not tear a list apart.

use std::fs;

use super::{Book, Finding};
use crate::page::Directive;

pub(super) fn check(book: &Book<'_>, findings: &mut Vec<Finding>) {
    for page in &book.pages {
        for directive in page.directives() {
            let file = page.resolve(directive.file).map(|file| book.root.join(file));
            let text = file.and_then(|file| fs::read_to_string(file).ok());
            let before = page.text[..directive.at].rsplit('\n').next().unwrap_or_default();
            let what = match part(&directive, text.as_deref()) {
                Err(what) => what,
                // mdBook indents the first line and no other.
                Ok(lines) if !before.is_empty() && lines.lines().count() > 1 => {
                    "an include of several lines begins at the left".to_owned()
                }
                Ok(_) => continue,
            };
            findings.push(page.finding(directive.at, what));
        }
    }
}

/// The lines that a directive brings from `text`, its file, or what is wrong with it.
fn part(directive: &Directive<'_>, text: Option<&str>) -> Result<String, String> {
    let Directive { kind, file, part, .. } = directive;
    if *kind != "include" {
        return Err(format!("#{kind} is not used in this book; only #include is"));
    }
    let text = text.ok_or_else(|| format!("there is no file {file}"))?;
    let is_anchor = part.starts_with(|first: char| !first.is_ascii_digit() && first != ':');
    let lines = if is_anchor { anchored(text, part)? } else { numbered(text, part)? };
    match lines.trim() {
        "" => Err(format!("{file}:{part} is empty")),
        _ => Ok(lines),
    }
}

/// What lies between `ANCHOR: name` and `ANCHOR_END: name`.
fn anchored(text: &str, name: &str) -> Result<String, String> {
    let is = |line: &str, mark: &str| {
        let after = line.split_once(mark).map(|(_, after)| after.trim_start());
        let is_end = |c: char| !(c.is_alphanumeric() || c == '_' || c == '-');
        after.is_some_and(|after| after.split(is_end).next() == Some(name))
    };
    let count = |mark| text.lines().filter(|line| is(line, mark)).count();
    match (count("ANCHOR:"), count("ANCHOR_END:")) {
        (1, 1) => {}
        (0, _) => return Err(format!("there is no anchor {name}")),
        (1, 0) => return Err(format!("the anchor {name} has no end")),
        _ => return Err(format!("there are two anchors {name}")),
    }
    let from = text.lines().skip_while(|line| !is(line, "ANCHOR:")).skip(1);
    let lines = from.take_while(|line| !is(line, "ANCHOR_END:"));
    Ok(lines.filter(|line| !line.contains("ANCHOR")).map(|line| format!("{line}\n")).collect())
}

/// `3` is line 3; `3:5` the lines from 3 to 5; either end may be missing.
fn numbered(text: &str, range: &str) -> Result<String, String> {
    let all = text.lines().count();
    let number = |text: &str, without: usize| match text {
        "" => Ok(without),
        text => text.parse().map_err(|_| format!("{range} is not a range of lines")),
    };
    let (first, last) = range.split_once(':').unwrap_or((range, range));
    let (first, last) = (number(first, 1)?, number(last, all)?);
    if first < 1 || last > all {
        return Err(format!("the file has {all} lines, and not {range}"));
    }
    let lines = text.lines().skip(first - 1).take((last + 1).saturating_sub(first));
    Ok(lines.map(|line| format!("{line}\n")).collect())
}
