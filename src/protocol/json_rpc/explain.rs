//! Names every member of a message, for the examples and the book.

use crate::protocol::native::explain::Field;

/// Explains one message: its members, with the marks around them.
///
/// ```
/// let fields = ninestep::protocol::json_rpc::explain::explain(br#"{"jsonrpc":"2.0","id":1}"#);
/// assert_eq!((&*fields[0].name, &*fields[0].says), ("jsonrpc", "\"2.0\""));
/// assert_eq!((&*fields[1].name, &*fields[1].says), ("id", "1"));
/// ```
pub fn explain(bytes: &[u8]) -> Vec<Field> {
    let (mut fields, mut start, mut depth, mut in_text, mut escaped) =
        (Vec::new(), 0, 0, false, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        let ends = !in_text && (depth == 0 || depth == 1 && *byte == b',');
        if ends || at + 1 == bytes.len() {
            fields.push(member(bytes, start..at + 1));
            start = at + 1;
        }
    }
    fields
}

fn member(bytes: &[u8], range: std::ops::Range<usize>) -> Field {
    let text = String::from_utf8_lossy(&bytes[range.clone()]).into_owned();
    let inner = text.strip_prefix('{').unwrap_or(&text);
    let inner = inner.strip_suffix([',', '}']).unwrap_or(inner);
    match inner.split_once("\":") {
        Some((name, says)) => {
            Field { range, name: name.trim_start_matches('"').to_owned(), says: says.to_owned() }
        }
        None => Field { range, name: "text".to_owned(), says: text },
    }
}
