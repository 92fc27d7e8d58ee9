//! Tags of HTML and SVG, with the place where each begins.

use html5gum::{DefaultEmitter, Token, Tokenizer};

/// A start tag.
pub(crate) struct Tag {
    /// Where it begins, in bytes from the start of the text.
    pub(crate) at: usize,
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    /// The text that follows it, up to the next tag.
    pub(crate) text: String,
}

impl Tag {
    /// The same tag, where its text begins `start` bytes later.
    pub(crate) fn after(self, start: usize) -> Tag {
        Tag { at: self.at + start, ..self }
    }

    /// The value of an attribute, if the tag has it.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes.find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// All start tags of `text`, in order.
pub(crate) fn tags(text: &str) -> Vec<Tag> {
    let mut tags: Vec<Tag> = Vec::new();
    let mut open = false;
    let string = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for Ok(token) in Tokenizer::new_with_emitter(text, DefaultEmitter::<usize>::new_with_span()) {
        match token {
            Token::StartTag(tag) => {
                let attributes = tag.attributes.iter();
                let attributes = attributes.map(|(name, value)| (string(name), string(value)));
                let (name, attributes) = (string(&tag.name), attributes.collect());
                tags.push(Tag { at: tag.span.start, name, attributes, text: String::new() });
                open = true;
            }
            Token::EndTag(_) => open = false,
            Token::String(text) => {
                if let Some(tag) = tags.last_mut().filter(|_| open) {
                    tag.text.push_str(&string(&text));
                }
            }
            _ => {}
        }
    }
    tags
}

/// The text between the tags, and where it begins.
pub(crate) fn texts(text: &str) -> Vec<(usize, String)> {
    let mut texts = Vec::new();
    let mut in_style = false;
    for Ok(token) in Tokenizer::new_with_emitter(text, DefaultEmitter::<usize>::new_with_span()) {
        match token {
            Token::StartTag(tag) => in_style = tag.name.as_slice() == b"style",
            Token::EndTag(_) => in_style = false,
            Token::String(text) if !in_style => {
                texts.push((text.span.start, String::from_utf8_lossy(&text).into_owned()));
            }
            _ => {}
        }
    }
    texts
}
