//! Exercise 2b, solved.

// ANCHOR: answer
pub(crate) const CALL: &[u8] = b"\
    \0\0\0\x1fC\0\0\0\x07\
    \0\0\0\0\
    \0\0\0\x05sayHi\
    [\0\0\0\x01\
    s\0\0\0\x03Ada";
// ANCHOR_END: answer
