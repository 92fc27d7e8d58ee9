//! Every link leads somewhere: to a page, to a place on it, to a file of the repository. Links to
//! elsewhere are not followed; they are `https`, and no page takes a picture or a script from there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use mdbook_markdown::pulldown_cmark::{BrokenLink, Event, LinkType, Options, Parser, Tag};
use url::Url;

use super::{Book, Finding};
use crate::html::tags;
use crate::page::Page;

/// What can be linked to on each page: the ids in it once it is rendered.
type Places = BTreeMap<String, BTreeSet<String>>;

pub(super) fn check(book: &Book<'_>, rendered: &Path, findings: &mut Vec<Finding>) -> Result<()> {
    let places = places(book, rendered)?;
    for page in &book.pages {
        for link in links(page) {
            if let Some(what) = fault(book, page, &link, &places) {
                findings.push(page.finding(link.at, format!("{}: {what}", link.to)));
            }
        }
    }
    Ok(())
}

fn places(book: &Book<'_>, rendered: &Path) -> Result<Places> {
    let mut places = Places::new();
    for page in &book.pages {
        let name = page.file.trim_start_matches("chapters/").trim_end_matches(".md");
        let html = fs::read_to_string(rendered.join(format!("{name}.html")));
        let html = html.with_context(|| format!("{}, rendered", page.file))?;
        let ids = tags(&html).into_iter().filter_map(|tag| tag.attribute("id").map(str::to_owned));
        places.insert(page.file.clone(), ids.collect());
    }
    Ok(places)
}

struct Link {
    at: usize,
    to: String,
    /// A picture or a script becomes part of the page.
    is_part: bool,
}

fn links(page: &Page) -> Vec<Link> {
    let mut links = Vec::new();
    for (event, range) in page.events() {
        let (to, is_part) = match event {
            Event::Start(Tag::Link { dest_url, .. }) => (dest_url, false),
            Event::Start(Tag::Image { dest_url, .. }) => (dest_url, true),
            _ => continue,
        };
        links.push(Link { at: range.start, to: to.to_string(), is_part });
    }
    for tag in page.tags() {
        let is_part = tag.name != "a";
        for attribute in ["href", "src"] {
            let to = tag.attribute(attribute).map(str::to_owned);
            links.extend(to.map(|to| Link { at: tag.at, to, is_part }));
        }
    }
    // `[text][label]` whose label stands nowhere is plain text for Markdown.
    let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_GFM;
    let mut broken = Vec::new();
    let note = |link: BrokenLink<'_>| {
        if link.link_type == LinkType::Reference {
            let to = format!("[{}]", link.reference);
            broken.push(Link { at: link.span.start, to, is_part: false });
        }
        None
    };
    Parser::new_with_broken_link_callback(&page.text, options, Some(note)).for_each(drop);
    links.extend(broken);
    links
}

fn fault(book: &Book<'_>, page: &Page, link: &Link, places: &Places) -> Option<String> {
    let to = &link.to;
    if to.starts_with('[') {
        return Some("no line says what this label stands for".into());
    }
    match Url::parse(to) {
        Ok(_) if link.is_part => return Some("a page is whole without the network".into()),
        Ok(url) if url.scheme() == "https" && url.has_host() => return None,
        Ok(_) => return Some("a link to elsewhere is https".into()),
        Err(url::ParseError::RelativeUrlWithoutBase) => {}
        Err(why) => return Some(why.to_string()),
    }
    let (file, place) = to.split_once('#').map_or((to.as_str(), None), |(f, p)| (f, Some(p)));
    let target = if file.is_empty() { Some(page.file.clone()) } else { page.resolve(file) };
    let Some(target) = target.filter(|_| !file.starts_with('/')) else {
        return Some("this is outside of the repository".into());
    };
    if !book.root.join(&target).is_file() {
        return Some("there is no such file".into());
    }
    match (places.get(&target), place) {
        (Some(ids), Some(place)) if !ids.contains(place) => {
            Some("the page has no such place".into())
        }
        (None, Some(_)) => Some("only pages have places to link to".into()),
        (None, None) if target.starts_with("chapters/") && target.ends_with(".md") => {
            Some("the summary does not list this chapter".into())
        }
        _ => None,
    }
}
