//! A page of the book as it was written: Markdown with includes, and the line of everything in it.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::LazyLock;

use anyhow::{Context, Result};
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag as Element, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use regex::Regex;

use crate::check::Finding;
use crate::html::{Tag, tags};

pub(crate) struct Page {
    /// Its path from the repository's root.
    pub(crate) file: String,
    pub(crate) text: String,
}

/// `{{#include FILE:PART}}`, or another of mdBook's directives.
pub(crate) struct Directive<'a> {
    pub(crate) at: usize,
    pub(crate) kind: &'a str,
    /// The file as the page names it.
    pub(crate) file: &'a str,
    /// An anchor or a range of lines; empty for all of the file.
    pub(crate) part: &'a str,
    /// All of the directive, braces too.
    pub(crate) text: &'a str,
}

/// A block of code between two fences; `info` is what follows the first one.
pub(crate) struct Block {
    pub(crate) at: usize,
    pub(crate) info: Option<String>,
    pub(crate) body: String,
}

impl Page {
    pub(crate) fn read(root: &Path, file: &str) -> Result<Page> {
        let text = fs::read_to_string(root.join(file)).with_context(|| file.to_owned())?;
        Ok(Page { file: file.to_owned(), text })
    }

    /// A fault at `at` bytes from the start.
    pub(crate) fn finding(&self, at: usize, what: impl Into<String>) -> Finding {
        let line = self.text[..at].matches('\n').count() + 1;
        Finding { file: self.file.clone(), line, what: what.into() }
    }

    /// What a link or an include leads to, as a path from the repository's root; `None` if that is
    /// outside of the repository.
    pub(crate) fn resolve(&self, link: &str) -> Option<String> {
        let mut parts: Vec<&str> = self.file.split('/').collect();
        parts.pop();
        for part in link.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()?),
                part => parts.push(part),
            }
        }
        Some(parts.join("/"))
    }

    /// The Markdown as mdBook reads it, includes not yet in their places.
    pub(crate) fn events(&self) -> impl Iterator<Item = (Event<'_>, Range<usize>)> {
        new_cmark_parser(&self.text, &MarkdownOptions::default()).into_offset_iter()
    }

    pub(crate) fn directives(&self) -> Vec<Directive<'_>> {
        directives(&self.text)
    }

    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut inside = false;
        for (event, range) in self.events() {
            match event {
                Event::Start(Element::CodeBlock(kind)) => {
                    let info = match kind {
                        CodeBlockKind::Fenced(info) => Some(info.to_string()),
                        CodeBlockKind::Indented => None,
                    };
                    blocks.push(Block { at: range.start, info, body: String::new() });
                    inside = true;
                }
                Event::End(TagEnd::CodeBlock) => inside = false,
                Event::Text(text) if inside => {
                    if let Some(block) = blocks.last_mut() {
                        block.body.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        blocks
    }

    /// The tags of the HTML that stands between the Markdown.
    pub(crate) fn tags(&self) -> Vec<Tag> {
        let mut all = Vec::new();
        for (event, range) in self.events() {
            if matches!(event, Event::Start(Element::HtmlBlock) | Event::InlineHtml(_)) {
                let start = range.start;
                all.extend(tags(&self.text[range]).into_iter().map(|tag| tag.after(start)));
            }
        }
        all
    }
}

/// The directives in `text` that mdBook would follow.
pub(crate) fn directives(text: &str) -> Vec<Directive<'_>> {
    // mdBook's own expression, in `mdbook-driver/src/builtin_preprocessors/links.rs`.
    static DIRECTIVE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\\\{\{#.*\}\}|\{\{\s*#([a-zA-Z0-9_]+)\s+([^}]+)\}\}").ok());
    let Some(directive) = DIRECTIVE.as_ref() else { return Vec::new() };
    let captures = directive.captures_iter(text);
    captures
        .filter_map(|found| {
            let (whole, kind, target) = (found.get(0)?, found.get(1)?, found.get(2)?);
            let target = target.as_str().trim();
            let (file, part) = target.split_once(':').unwrap_or((target, ""));
            let (at, text) = (whole.start(), whole.as_str());
            Some(Directive { at, kind: kind.as_str(), file, part, text })
        })
        .collect()
}
