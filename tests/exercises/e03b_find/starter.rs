//! Exercise 3b. Messages begin with a length of two bytes, big-endian. It counts everything, itself
//! included; this `find` takes it to count what follows.

use std::ops::Range;

/// Where the first message stands, without its length; `None` if it has not come as a whole.
pub(crate) fn find(buffered: &[u8]) -> Result<Option<Range<usize>>, String> {
    let Some((length, rest)) = buffered.split_first_chunk::<2>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes(*length));
    Ok((rest.len() >= length).then_some(2..2 + length))
}
