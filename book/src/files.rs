//! Links from a page to a file of the repository, such as `../src/wire.rs`, work in the rendered
//! book too: the file lies beside the pages as text, and the link leads there.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::html::tags;

/// Copies what the pages in `out` link to outside of the book, and turns the links there.
pub(crate) fn attach(root: &Path, out: &Path) -> Result<()> {
    for entry in fs::read_dir(out)? {
        let page = entry?.path();
        if page.extension().is_some_and(|ending| ending == "html") {
            attach_to(&page, root, out).with_context(|| page.display().to_string())?;
        }
    }
    Ok(())
}

fn attach_to(page: &Path, root: &Path, out: &Path) -> Result<()> {
    let mut html = fs::read_to_string(page)?;
    for tag in tags(&html) {
        let Some(link) = tag.attribute("href") else { continue };
        let Some(file) = link.strip_prefix("../") else { continue };
        // mdBook takes every link to Markdown for a link to a chapter.
        let file = match file.strip_suffix(".html") {
            Some(stem) if !root.join(file).exists() => format!("{stem}.md"),
            _ => file.to_owned(),
        };
        let copy = format!("files/{file}.txt");
        if let Some(folder) = out.join(&copy).parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(root.join(&file), out.join(&copy)).with_context(|| link.to_owned())?;
        html = html.replace(&format!("href=\"{link}\""), &format!("href=\"{copy}\""));
    }
    Ok(fs::write(page, html)?)
}
