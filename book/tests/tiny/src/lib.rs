//! What the tiny book explains.

/// A greeting in the colours of the day.
// ANCHOR: greeting
pub fn greeting(process: u32) -> String {
    format!("hello from process {process}")
}
// ANCHOR_END: greeting
