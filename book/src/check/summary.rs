//! Every chapter is in the summary, and everything in the summary is a chapter.

use std::fs;
use std::path::Path;

use anyhow::Result;
use mdbook_markdown::pulldown_cmark::{Event, Tag, TagEnd};

use super::{Book, Finding};
use crate::page::Page;

pub(crate) struct Summary {
    page: Page,
    pub(crate) entries: Vec<Entry>,
}

pub(crate) struct Entry {
    at: usize,
    /// The chapter's number, for those that have one.
    pub(crate) number: Option<usize>,
    /// The chapter's path from the repository's root; none for a draft, `- [Title]()`.
    pub(crate) file: Option<String>,
}

impl Summary {
    pub(crate) fn read(root: &Path) -> Result<Summary> {
        let page = Page::read(root, "chapters/SUMMARY.md")?;
        let mut entries = Vec::new();
        let (mut items, mut in_list) = (0, false);
        for (event, range) in page.events() {
            match event {
                Event::Start(Tag::Item) => (items, in_list) = (items + 1, true),
                Event::End(TagEnd::Item) => in_list = false,
                Event::Start(Tag::Link { dest_url, .. }) => {
                    let file = Some(dest_url).filter(|link| !link.is_empty());
                    let file = file.and_then(|link| page.resolve(&link));
                    let number = in_list.then_some(items);
                    entries.push(Entry { at: range.start, number, file });
                }
                _ => {}
            }
        }
        Ok(Summary { page, entries })
    }

    /// Whether chapter `number` is announced and not yet written.
    pub(crate) fn is_draft(&self, number: usize) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|entry| entry.number == Some(number) && entry.file.is_none())
    }
}

pub(super) fn check(book: &Book<'_>, findings: &mut Vec<Finding>) -> Result<()> {
    let Summary { page, entries } = &book.summary;
    for entry in entries {
        if let Some(file) = entry.file.as_ref().filter(|file| !book.root.join(file).is_file()) {
            findings.push(page.finding(entry.at, format!("there is no {file}")));
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
