//! From Markdown to pages: mdBook does it, and the repository's files that the text links to are
//! laid beside the pages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use mdbook_driver::MDBook;
use mdbook_driver::config::Config;
use regex::{Captures, Regex};

use crate::files;

/// Where `cargo book` puts the pages of the repository at `root`: what `book.toml` says.
///
/// # Errors
///
/// `book.toml` cannot be read, or the folder cannot be made.
pub fn folder(root: &Path) -> Result<PathBuf> {
    let config = Config::from_disk(root.join("book/book.toml"))?;
    let out = root.join("book").join(config.build.build_dir);
    fs::create_dir_all(&out)?;
    Ok(out.canonicalize()?)
}

/// Renders the book of the repository at `root` into `out`, which is emptied first.
///
/// # Errors
///
/// A chapter or a file that the text links to is missing, or `out` cannot be written.
pub fn render(root: &Path, out: &Path) -> Result<()> {
    pages(root, out)?;
    for entry in fs::read_dir(out)? {
        let page = entry?.path();
        if page.extension().is_some_and(|ending| ending == "html") {
            fs::write(&page, dedented(&fs::read_to_string(&page)?)?)?;
        }
    }
    files::attach(root, out)
}

/// A page whose code begins at the left, however deep it stands in its file.
fn dedented(html: &str) -> Result<String> {
    let code = Regex::new(r#"(?s)(<code class="language-rust ignore">)(.*?)(</code>)"#)?;
    let dedented = code.replace_all(html, |found: &Captures<'_>| {
        let lines = found[2].lines();
        let depths = lines.clone().filter(|line| !line.is_empty());
        let depth = depths.map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
        let lines: Vec<&str> = lines.map(|line| line.get(depth..).unwrap_or(line)).collect();
        format!("{}{}\n{}", &found[1], lines.join("\n"), &found[3])
    });
    Ok(dedented.into_owned())
}

/// The pages alone.
pub(crate) fn pages(root: &Path, out: &Path) -> Result<()> {
    let mut config = Config::from_disk(root.join("book/book.toml"))?;
    config.build.build_dir = out.to_owned();
    let mut book = MDBook::load_with_config(root.join("book"), config)?;
    let code = Regex::new(r"(?m)^```rust,ignore\n\{\{#include (\.\./([^:}]+))[^}]*\}\}\n```$")?;
    // Below each piece of code stands the file that it is from.
    book.book.for_each_chapter_mut(|chapter| {
        let source = "$0\n\n<p class=\"source\"><a href=\"$1\">$2</a></p>";
        chapter.content = code.replace_all(&chapter.content, source).into_owned();
    });
    book.build()
}
