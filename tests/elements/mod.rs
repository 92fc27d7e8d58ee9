//! The elements of a page that is HTML and XML at once.

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

/// An element with its attributes, and the text that is directly in it.
#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Element {
    /// An attribute's value, if there is one.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let attribute = self.attributes.iter().find(|(key, _)| key == name);
        attribute.map(|(_, value)| &**value)
    }
}

/// All elements, in the order in which they begin. Panics unless every element ends where it
/// should and every attribute is quoted and there once.
pub(crate) fn elements(html: &str) -> Vec<Element> {
    let mut reader = Reader::from_str(html);
    let (mut elements, mut open) = (Vec::new(), Vec::new());
    let element = |start: &BytesStart| Element {
        name: start.name().as_ref().to_owned(),
        attributes: start
            .attributes()
            .map(|attribute| {
                let attribute = attribute.unwrap();
                let key = attribute.key.as_ref().to_owned();
                (key, unescape(&attribute.value).unwrap().into_owned())
            })
            .collect(),
        text: String::new(),
    };
    loop {
        let text = match reader.read_event().unwrap() {
            Event::Start(start) => {
                open.push(elements.len());
                elements.push(element(&start));
                continue;
            }
            Event::Empty(start) => {
                elements.push(element(&start));
                continue;
            }
            Event::End(_) => {
                open.pop();
                continue;
            }
            Event::Text(text) => text.to_string(),
            Event::GeneralRef(reference) => {
                unescape(&format!("&{};", &*reference)).unwrap().into_owned()
            }
            Event::Eof => break,
            _ => continue,
        };
        if let Some(inner) = open.last() {
            let inner: &mut Element = &mut elements[*inner];
            inner.text.push_str(&text);
        }
    }
    assert!(open.is_empty(), "not ended: {open:?}");
    elements
}
