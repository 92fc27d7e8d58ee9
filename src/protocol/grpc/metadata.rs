//! Metadata: what goes with a call or its outcome besides the message. It is HTTP's headers and
//! trailers; a name that ends in `-bin` has bytes, in base64, and every other has a text in ASCII.

use data_encoding::BASE64_NOPAD;

use crate::protocol::http::{HeaderMap, HeaderName, HeaderValue};

/// The first value of this name, which ends in `-bin`; none if it is no base64.
pub fn bytes(metadata: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    let text = metadata.get(name)?.as_bytes();
    // Several values may stand in one header, and some fill them up.
    let first = text.split(|byte| matches!(byte, b',' | b'=')).next().unwrap_or_default();
    BASE64_NOPAD.decode(first.trim_ascii()).ok()
}

/// Sets bytes under this name, which ends in `-bin`.
///
/// ```
/// use ninestep::protocol::grpc::metadata;
/// use ninestep::protocol::http::{HeaderMap, HeaderName};
///
/// let mut headers = HeaderMap::new();
/// metadata::set_bytes(&mut headers, HeaderName::from_static("trace-bin"), b"\x00\xff");
/// assert_eq!(headers["trace-bin"], "AP8");
/// assert_eq!(metadata::bytes(&headers, "trace-bin").unwrap(), b"\x00\xff");
/// ```
pub fn set_bytes(metadata: &mut HeaderMap, name: HeaderName, bytes: &[u8]) {
    // Base64 is made of letters that a header may hold.
    if let Ok(value) = HeaderValue::from_str(&BASE64_NOPAD.encode(bytes)) {
        metadata.insert(name, value);
    }
}
