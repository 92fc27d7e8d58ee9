//! The book itself has no fault.
//!
//! That the output it shows is what the examples print now, `tests/examples.rs` of the crate
//! checks; `cargo book check` does both.

use std::path::Path;

use ninestep_book::check::check_text;

#[test]
fn the_book_has_no_fault() {
    let findings = check_text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
    let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}
