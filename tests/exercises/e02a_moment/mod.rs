//! The check of exercise 2a, and the type that the small format is for.

mod solution;
mod starter;

use crate::kit::{Check, Exercise, ensure, equal};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "2a",
    folder: "e02a_moment",
    title: "a tag for the wire",
    starter: || check(starter::pack, starter::unpack),
    solution: || check(solution::pack, solution::unpack),
};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// `_`
    Nothing,
    /// `q`, then eight bytes.
    Int(i64),
    /// `s`, then a length of four bytes, then so many bytes of UTF-8.
    Text(String),
    /// `[`, then a count of four bytes, then so many values.
    List(Vec<Value>),
    /// `t`, then seconds since 1970 in eight bytes, then nanoseconds below 10⁹ in four.
    Moment { seconds: i64, nanoseconds: u32 },
}

type Unpack = fn(&[u8]) -> Result<Value, String>;

fn check(pack: fn(&Value, &mut Vec<u8>), unpack: Unpack) -> Check {
    let moment = Value::Moment { seconds: 0x0102_0304, nanoseconds: 999_999_999 };
    let (mut bytes, wanted) = (Vec::new(), b"t\0\0\0\0\x01\x02\x03\x04\x3b\x9a\xc9\xff");
    pack(&moment, &mut bytes);
    ensure(
        bytes == wanted,
        format!(
            "the packed moment is \"{}\"\nand should be \"{}\"",
            bytes.escape_ascii(),
            wanted.escape_ascii()
        ),
    )?;
    equal("the unpacked moment", unpack(wanted), Ok(moment.clone()))?;
    for end in 1..wanted.len() {
        let cut = unpack(&wanted[..end]);
        ensure(cut.is_err(), format!("cut short after {end} bytes it is {cut:?}, and no error"))?;
    }
    let too_many = unpack(b"t\0\0\0\0\0\0\0\0\x3b\x9a\xca\0");
    ensure(too_many.is_err(), format!("10⁹ nanoseconds: {too_many:?}, and should be an error"))?;

    let before = Value::Moment { seconds: -1, nanoseconds: 0 };
    let list = Value::List(vec![Value::Int(-5), before, Value::Text("t".into()), Value::Nothing]);
    let mut bytes = Vec::new();
    pack(&list, &mut bytes);
    equal("a list, packed and unpacked,", unpack(&bytes), Ok(list))
}
