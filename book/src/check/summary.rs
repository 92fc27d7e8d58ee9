//! Every chapter is in the summary, and everything in the summary is a chapter.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use mdbook_summary::{SummaryItem, parse_summary};

use super::{Book, Finding};
use crate::page::Page;

pub(crate) struct Summary {
    page: Page,
    pub(crate) entries: Vec<Entry>,
}

pub(crate) struct Entry {
    /// The chapter's number, for those that have one.
    number: Option<u32>,
    /// The chapter's path from the repository's root; none for a draft, `- [Title]()`.
    pub(crate) file: Option<String>,
}

impl Summary {
    pub(crate) fn read(root: &Path) -> Result<Summary> {
        let page = Page::read(root, "chapters/SUMMARY.md")?;
        let parsed = parse_summary(&page.text).with_context(|| page.file.clone())?;
        let mut summary = Summary { page, entries: Vec::new() };
        for items in [parsed.prefix_chapters, parsed.numbered_chapters, parsed.suffix_chapters] {
            summary.add(&items);
        }
        Ok(summary)
    }

    fn add(&mut self, items: &[SummaryItem]) {
        for item in items {
            let SummaryItem::Link(link) = item else { continue };
            let file = link.location.as_ref();
            let file = file.and_then(|file| self.page.resolve(&file.to_string_lossy()));
            let number = link.number.as_ref().and_then(|number| number.first().copied());
            self.entries.push(Entry { number, file });
            self.add(&link.nested_items);
        }
    }

    /// Whether chapter `number` is announced and not yet written.
    pub(crate) fn is_draft(&self, number: u32) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|entry| entry.number == Some(number) && entry.file.is_none())
    }
}

pub(super) fn check(book: &Book<'_>, findings: &mut Vec<Finding>) -> Result<()> {
    let Summary { page, entries } = &book.summary;
    for entry in entries {
        if let Some(file) = entry.file.as_ref().filter(|file| !book.root.join(file).is_file()) {
            let name = file.rsplit('/').next().unwrap_or(file);
            let at = page.text.find(name).unwrap_or(0);
            findings.push(page.finding(at, format!("there is no {file}")));
        }
    }
    for file in fs::read_dir(book.root.join("chapters"))? {
        let file = format!("chapters/{}", file?.file_name().to_string_lossy());
        let is_listed = entries.iter().any(|entry| entry.file.as_ref() == Some(&file));
        if file.ends_with(".md") && file != page.file && !is_listed {
            let chapter = Page::read(book.root, &file)?;
            findings.push(chapter.finding(0, "the summary does not list this chapter"));
        }
    }
    Ok(())
}
