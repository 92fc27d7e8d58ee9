//! Exercise 3b, solved.

use std::ops::Range;

// ANCHOR: answer
pub(crate) fn find(buffered: &[u8]) -> Result<Option<Range<usize>>, String> {
    let Some(length) = buffered.first_chunk::<2>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes(*length));
    if length < 2 {
        return Err(format!("a length of {length} does not even count itself"));
    }
    Ok((buffered.len() >= length).then_some(2..length))
}
// ANCHOR_END: answer
