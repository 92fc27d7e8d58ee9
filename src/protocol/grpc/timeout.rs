//! `grpc-timeout`: how long the caller still waits, as up to eight digits and a unit.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

pub(super) const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The units and their nanoseconds.
const UNITS: [(u8, u128); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];
const MOST: u128 = 99_999_999;

/// The time in the smallest unit that has the digits for it, rounded up.
pub(super) fn header(left: Duration) -> Option<HeaderValue> {
    UNITS.iter().find_map(|(unit, nanoseconds)| {
        let count = left.as_nanos().div_ceil(*nanoseconds).max(1);
        let text = format!("{count}{}", char::from(*unit));
        if count > MOST { None } else { HeaderValue::from_str(&text).ok() }
    })
}

/// The time in milliseconds, rounded up; none if that is no time.
pub(super) fn milliseconds(value: &HeaderValue) -> Option<u32> {
    let (unit, digits) = value.as_bytes().split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (_, nanoseconds) = UNITS.iter().find(|(known, _)| known == unit)?;
    let count: u128 = str::from_utf8(digits).ok()?.parse().ok()?;
    Some(u32::try_from((count * nanoseconds).div_ceil(1_000_000)).unwrap_or(u32::MAX))
}
