//! The check of exercise 3b.

mod solution;
mod starter;

use std::ops::Range;

use crate::kit::{Check, Exercise, ensure, equal};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "3b",
    folder: "e03b_find",
    title: "a length that counts itself",
    starter: || check(starter::find),
    solution: || check(solution::find),
};

type Found = Result<Option<Range<usize>>, String>;

fn check(find: fn(&[u8]) -> Found) -> Check {
    let cases: [(&[u8], Option<Range<usize>>); 7] = [
        (b"", None),
        (b"\0", None),
        (b"\0\x05", None),
        (b"\0\x05ab", None),
        (b"\0\x05abc", Some(2..5)),
        (b"\0\x05abc\0\x03d", Some(2..5)),
        (b"\0\x02\0\x03d", Some(2..2)),
    ];
    for (bytes, wanted) in cases {
        equal(&format!("find(\"{}\")", bytes.escape_ascii()), find(bytes), Ok(wanted))?;
    }
    let long = [&b"\xff\xff"[..], &[b'x'; 0xfffd]].concat();
    equal("find, for the longest message,", find(&long), Ok(Some(2..0xffff)))?;
    for length in [0, 1] {
        let found = find(&[0, length, b'a', b'b']);
        ensure(
            found.is_err(),
            format!("find, for a length of {length}, is {found:?}\nand should be an error"),
        )?;
    }
    Ok(())
}
