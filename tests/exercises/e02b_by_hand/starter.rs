//! Exercise 2b. Write down the call `sayHi("Ada")` with id 7 and no deadline, without the greeting.
//! Appendix A has the layout; `\0` is a byte 0, `\x07` a byte 7.

pub(crate) const CALL: &[u8] = b"\0\0\0";
