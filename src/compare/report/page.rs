//! The report: one page that needs nothing else.

use std::io;

use askama::Template;

use super::number::{heading, rounded};
use crate::compare::{Measured, Results};

/// The page.
pub(super) fn html(results: &Results) -> io::Result<String> {
    Page { results }.render().map_err(io::Error::other)
}

#[derive(Template)]
#[template(path = "compare.html")]
struct Page<'a> {
    results: &'a Results,
}
