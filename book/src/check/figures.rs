//! Every figure has a text for those who do not see it.

use std::collections::BTreeSet;

use anyhow::Result;
use mdbook_markdown::pulldown_cmark::{Event, Tag as Element, TagEnd};

use super::{Book, Finding};
use crate::html::{Tag, tags};
use crate::page::Page;

pub(super) fn check(book: &Book<'_>, findings: &mut Vec<Finding>) -> Result<()> {
    let mut drawings = BTreeSet::new();
    for page in &book.pages {
        let faults = images_without_text(page).into_iter().chain(faults(&page.tags()));
        findings.extend(faults.map(|(at, what)| page.finding(at, what)));
        let files = page.directives().into_iter().filter_map(|include| page.resolve(include.file));
        drawings.extend(files.filter(|file| file.ends_with(".svg")));
    }
    for file in drawings.iter().filter(|file| book.root.join(file).is_file()) {
        let drawing = Page::read(book.root, file)?;
        findings.extend(
            faults(&tags(&drawing.text)).into_iter().map(|(at, what)| drawing.finding(at, what)),
        );
        // Markdown takes what follows an empty line for text.
        if let Some(at) = drawing.text.find("\n\n") {
            findings.push(drawing.finding(at + 1, "an empty line ends a drawing inside a page"));
        }
    }
    Ok(())
}

/// `![](picture.svg)`.
fn images_without_text(page: &Page) -> Vec<(usize, &'static str)> {
    let mut faults = Vec::new();
    let mut text = String::new();
    for (event, range) in page.events() {
        match event {
            Event::Start(Element::Image { .. }) => text.clear(),
            Event::Text(part) | Event::Code(part) => text.push_str(&part),
            Event::End(TagEnd::Image) if text.trim().is_empty() => {
                faults.push((range.start, "an image without a text: ![text](file)"));
            }
            _ => {}
        }
    }
    faults
}

fn faults(tags: &[Tag]) -> Vec<(usize, &'static str)> {
    let is_image_without_text = |tag: &&Tag| {
        tag.name == "img" && tag.attribute("alt").is_none_or(|text| text.trim().is_empty())
    };
    let images = tags.iter().filter(is_image_without_text);
    let images = images.map(|tag| (tag.at, "an <img> without a text: alt=\"text\""));
    // A drawing's title is its first element, so that nothing else's title is taken for it.
    let is_drawing_without_title = |(index, tag): &(usize, &Tag)| {
        let next = tags.get(index + 1);
        let has_title = |next: &Tag| next.name == "title" && !next.text.trim().is_empty();
        tag.name == "svg" && !next.is_some_and(has_title)
    };
    let drawings = tags.iter().enumerate().filter(is_drawing_without_title);
    let drawings = drawings.map(|(_, tag)| (tag.at, "an <svg> does not begin with a <title>"));
    images.chain(drawings).collect()
}
