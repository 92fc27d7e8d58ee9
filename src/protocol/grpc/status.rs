//! How a call ended: the trailers behind an answer.

use data_encoding::BASE64_NOPAD;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

use super::metadata;
use crate::message::Fault;
use crate::protocol::native;
use crate::value::Value;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// A fault's own code, where the status does not say it.
const FAULT: HeaderName = HeaderName::from_static("ninestep-fault");
/// A fault's data, as the native wire packs it.
const DATA: HeaderName = HeaderName::from_static("ninestep-data-bin");

/// gRPC's names for its numbers.
pub(super) const UNKNOWN: i32 = 2;
const INVALID_ARGUMENT: i32 = 3;
const DEADLINE_EXCEEDED: i32 = 4;
const PERMISSION_DENIED: i32 = 7;
pub(super) const RESOURCE_EXHAUSTED: i32 = 8;
pub(super) const UNIMPLEMENTED: i32 = 12;
pub(super) const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

/// The bytes of a message that are sent. Clients refuse trailers of more than some 8 KiB, and each
/// byte may become three.
const MOST_MESSAGE: usize = 1024;
/// The bytes of data that are sent.
const MOST_DATA: usize = 3072;
const MAX_DEPTH: usize = 64;

/// What a message's header holds as it is: printable ASCII, and of that no percent sign.
const PERCENT: &AsciiSet = &CONTROLS.add(b'%');

/// The status for a fault's code.
// ANCHOR: status
fn of_code(code: i32) -> i32 {
    match code {
        2..=16 => code,
        Fault::NO_SUCH_PROCEDURE => UNIMPLEMENTED,
        Fault::WRONG_ARGUMENTS | Fault::INVALID_CALL => INVALID_ARGUMENT,
        Fault::PARSE | Fault::INTERNAL => INTERNAL,
        Fault::DEADLINE_PASSED => DEADLINE_EXCEEDED,
        Fault::OVERLOADED => RESOURCE_EXHAUSTED,
        Fault::STOPPING => UNAVAILABLE,
        Fault::NOT_ALLOWED => PERMISSION_DENIED,
        _ => UNKNOWN,
    }
}
// ANCHOR_END: status

/// Says in the trailers how a call ended, and takes back what they said before.
pub(super) fn put(fault: Option<&Fault>, trailers: &mut HeaderMap) {
    for name in [MESSAGE, FAULT, DATA] {
        trailers.remove(name);
    }
    let Some(fault) = fault else {
        trailers.insert(STATUS, HeaderValue::from_static("0"));
        return;
    };
    let status = of_code(fault.code);
    trailers.insert(STATUS, status.into());
    let message = &fault.message[..fault.message.floor_char_boundary(MOST_MESSAGE)];
    let mut add = |name, text: &str| {
        // Both ways to write are made for it.
        if let Ok(value) = HeaderValue::from_str(text) {
            trailers.insert(name, value);
        }
    };
    if !message.is_empty() {
        add(MESSAGE, &utf8_percent_encode(message, PERCENT).to_string());
    }
    if status != fault.code {
        add(FAULT, &fault.code.to_string());
    }
    let mut data = Vec::new();
    if fault.data != Value::Null
        && native::pack(&fault.data, MAX_DEPTH, &mut data).is_ok()
        && data.len() <= MOST_DATA
    {
        add(DATA, &BASE64_NOPAD.encode(&data));
    }
}

/// How a call ended, by the headers and trailers of its answer; none if it ended well.
pub(super) fn fault(http_status: u16, headers: &HeaderMap) -> Option<Fault> {
    let Some(status) = headers.get(STATUS) else {
        let why = match http_status {
            200 => "the answer has no status".to_owned(),
            other => format!("the answer has HTTP status {other} and no other"),
        };
        return Some(Fault::new(of_http(http_status), why));
    };
    let number = |value: &HeaderValue| value.to_str().ok()?.parse::<i32>().ok();
    let status = match number(status) {
        Some(0) => return None,
        Some(status @ 1..=16) => status,
        _ => UNKNOWN,
    };
    let message = headers.get(MESSAGE).map_or(&[][..], HeaderValue::as_bytes);
    let message = percent_decode(message).decode_utf8_lossy().into_owned();
    let code = headers.get(FAULT).and_then(number).unwrap_or(status);
    let data = metadata::bytes(headers, DATA.as_str());
    let data = data.and_then(|data| native::unpack(&data, MAX_DEPTH).ok());
    Some(Fault { code, message, data: data.unwrap_or_default() })
}

/// The status that is meant where something answers that does not speak gRPC, as gRPC's
/// `http-grpc-status-mapping.md` has it.
fn of_http(status: u16) -> i32 {
    match status {
        400 => INTERNAL,
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 => UNIMPLEMENTED,
        429 | 502 | 503 | 504 => UNAVAILABLE,
        _ => UNKNOWN,
    }
}
