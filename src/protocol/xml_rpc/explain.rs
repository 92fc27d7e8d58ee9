//! Names every part of a message, for the examples and the book.

use crate::protocol::native::explain::Field;

/// Explains one message: the tags, and the texts between them.
///
/// ```
/// let fields = ninestep::protocol::xml_rpc::explain::explain(b"<value><int>10</int></value>");
/// let says: Vec<&str> = fields.iter().map(|field| field.says.as_str()).collect();
/// assert_eq!(says, ["<value><int>", "10", "</int></value>"]);
/// ```
pub fn explain(bytes: &[u8]) -> Vec<Field> {
    let (mut fields, mut start) = (Vec::new(), 0);
    while start < bytes.len() {
        let is_tags = bytes[start] == b'<';
        let end = match is_tags {
            // Tags that follow each other are shown together, on however many lines.
            true => bytes[start..]
                .windows(2)
                .position(|two| two[0] == b'>' && !matches!(two[1], b'<' | b'\n')),
            false => bytes[start..].iter().position(|byte| *byte == b'<'),
        };
        let end = end.map_or(bytes.len(), |end| start + end + usize::from(is_tags));
        let says = String::from_utf8_lossy(&bytes[start..end]);
        let (name, says) = match is_tags {
            true => ("tags", says.replace('\n', "")),
            false => ("text", says.into_owned()),
        };
        fields.push(Field { range: start..end, name: name.to_owned(), says });
        start = end;
    }
    fields
}
