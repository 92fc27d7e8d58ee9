//! Exercise 2a. This small format cannot say when. Let `pack` and `next` know the tag `t`: seconds
//! since 1970 as an `i64`, then nanoseconds below 1,000,000,000 as a `u32`, both big-endian.

use super::Value;

pub(crate) fn pack(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Nothing => out.push(b'_'),
        Value::Int(number) => {
            out.push(b'q');
            out.extend(number.to_be_bytes());
        }
        Value::Text(text) => {
            out.push(b's');
            put_length(text.len(), out);
            out.extend(text.as_bytes());
        }
        Value::List(values) => {
            out.push(b'[');
            put_length(values.len(), out);
            values.iter().for_each(|value| pack(value, out));
        }
        // There is no tag for it yet.
        Value::Moment { .. } => {}
    }
}

fn put_length(length: usize, out: &mut Vec<u8>) {
    out.extend((length as u32).to_be_bytes());
}

pub(crate) fn unpack(mut bytes: &[u8]) -> Result<Value, String> {
    let value = next(&mut bytes)?;
    if bytes.is_empty() { Ok(value) } else { Err("bytes follow the value".to_owned()) }
}

/// Takes the next value off the front of `bytes`.
fn next(bytes: &mut &[u8]) -> Result<Value, String> {
    let [tag] = take(bytes)?;
    match tag {
        b'_' => Ok(Value::Nothing),
        b'q' => Ok(Value::Int(i64::from_be_bytes(take(bytes)?))),
        b's' => {
            let length = u32::from_be_bytes(take(bytes)?) as usize;
            let (text, rest) = bytes.split_at_checked(length).ok_or("cut short")?;
            *bytes = rest;
            String::from_utf8(text.to_vec()).map(Value::Text).map_err(|why| why.to_string())
        }
        b'[' => {
            let count = u32::from_be_bytes(take(bytes)?);
            (0..count).map(|_| next(bytes)).collect::<Result<_, _>>().map(Value::List)
        }
        other => Err(format!("there is no tag {:?}", char::from(other))),
    }
}

/// Takes `N` bytes off the front.
fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], String> {
    let (taken, rest) = bytes.split_first_chunk().ok_or("cut short")?;
    *bytes = rest;
    Ok(*taken)
}
