//! Prose is spelled as in Britain, by the lists of misspellings of the crate `typos`. Prose is the
//! text of the pages, the words in their drawings, and the comments in the code that they show.

use std::collections::BTreeSet;

use anyhow::Result;
use mdbook_markdown::pulldown_cmark::{Event, Tag, TagEnd};
use typos::tokens::{Identifier, Tokenizer, Word};
use typos::{Dictionary, Status, check_str};
use typos_vars::Category;
use unicase::UniCase;

use super::{Book, Finding};
use crate::html::texts;
use crate::page::Page;

pub(super) fn check(book: &Book<'_>, findings: &mut Vec<Finding>) -> Result<()> {
    let mut included = BTreeSet::new();
    for page in &book.pages {
        spell(page, &prose(page), findings);
        included.extend(page.directives().iter().filter_map(|include| page.resolve(include.file)));
    }
    for file in included.iter().filter(|file| book.root.join(file).is_file()) {
        let source = Page::read(book.root, file)?;
        if file.ends_with(".svg") {
            spell(&source, &texts(&source.text), findings);
        } else if file.ends_with(".rs") {
            spell(&source, &comments(&source.text), findings);
        }
    }
    Ok(())
}

/// The words of a page, without its code, and without what stands in `<span lang="en-US">`.
fn prose(page: &Page) -> Vec<(usize, String)> {
    let mut prose = Vec::new();
    let (mut in_code, mut in_span) = (false, false);
    for (event, range) in page.events() {
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_code = true,
            Event::End(TagEnd::CodeBlock) => in_code = false,
            Event::InlineHtml(tag) if tag.starts_with("<span lang=") => in_span = true,
            Event::InlineHtml(tag) if tag.as_ref() == "</span>" => in_span = false,
            Event::Text(_) if !in_code && !in_span => {
                prose.push((range.start, page.text[range].to_owned()))
            }
            Event::Html(_) => {
                let words = texts(&page.text[range.clone()]);
                prose.extend(words.into_iter().map(|(at, words)| (range.start + at, words)));
            }
            _ => {}
        }
    }
    prose
}

/// The comments in a Rust source, without the code between back-ticks in them.
fn comments(text: &str) -> Vec<(usize, String)> {
    let mut comments = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some((code, comment)) = line.split_once("//") {
            let mut at = start + code.len() + 2;
            for (index, part) in comment.split('`').enumerate() {
                if index % 2 == 0 {
                    comments.push((at, part.to_owned()));
                }
                at += part.len() + 1;
            }
        }
        start += line.len();
    }
    comments
}

fn spell(page: &Page, prose: &[(usize, String)], findings: &mut Vec<Finding>) {
    let tokenizer = Tokenizer::new();
    for (at, words) in prose {
        for typo in check_str(words, &tokenizer, &British) {
            let instead = match &typo.corrections {
                Status::Corrections(words) => words.join(" or "),
                _ => "something else".to_owned(),
            };
            let what = format!("{} is misspelled: write {instead}", typo.typo);
            findings.push(page.finding(at + typo.byte_offset, what));
        }
    }
}

struct British;

impl Dictionary for British {
    fn correct_ident<'s>(&'s self, _: Identifier<'_>) -> Option<Status<'s>> {
        None
    }

    fn correct_word<'s>(&'s self, word: Word<'_>) -> Option<Status<'s>> {
        let word = UniCase::new(word.token());
        let instead: Vec<&str> = match typos_dict::WORD.find(&word) {
            Some(instead) => instead.to_vec(),
            // Words that differ between dialects, some of them by meaning too: licence, license.
            None => {
                let meanings = typos_vars::VARS.find(&word)?.iter();
                let british = |map| typos_vars::corrections(Category::BritishIse, map);
                meanings.flat_map(|(_, map)| british(**map)).copied().collect()
            }
        };
        let is_right = instead.iter().any(|&instead| UniCase::new(instead) == word);
        let instead = instead.into_iter().map(Into::into);
        (!is_right).then(|| Status::Corrections(instead.collect()))
    }
}
