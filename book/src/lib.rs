//! The binder of the book: it renders `chapters/`, shows them, and looks for faults in them.
//!
//! mdBook says nothing about an include of a missing file, a missing anchor or a dead link, so
//! [`check`] looks for these, and for whatever else would make a page untrue. One file per kind.

#![deny(clippy::unwrap_used, clippy::expect_used)]

pub mod check;
mod files;
mod html;
mod page;
pub mod render;
pub mod serve;
