//! XML, taken apart: a message becomes a tape of what stands in it, from which values are read.

use std::borrow::Cow;
use std::iter::Peekable;
use std::vec;

use data_encoding::BASE64;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event as Xml};

use super::is_xml;
use crate::message::Fault;
use crate::protocol::key::Key;
use crate::protocol::native::ValueError;
use crate::protocol::pull::{self, Event, Hint, Pull, Puller};

/// Everything that XML-RPC has.
const ELEMENTS: [&str; 23] = [
    "array",
    "base64",
    "boolean",
    "data",
    "dateTime.iso8601",
    "double",
    "fault",
    "i1",
    "i2",
    "i4",
    "i8",
    "int",
    "member",
    "methodCall",
    "methodName",
    "methodResponse",
    "name",
    "nil",
    "param",
    "params",
    "string",
    "struct",
    "value",
];

/// What stands on a tape.
pub(super) enum Mark<'a> {
    /// A value, or the beginning of an array or a struct.
    Value(Event<'a>),
    /// The name of the member whose value follows.
    Name(Cow<'a, str>),
    /// The end of an array or a struct.
    End,
}

/// A call, of which everything is known but whether its arguments fit.
pub(super) struct Call<'a> {
    pub(super) procedure: Cow<'a, str>,
    /// An array.
    pub(super) arguments: Vec<Mark<'a>>,
}

/// The text that a document is, in the encoding that it names.
///
/// # Errors
/// It names another, or its bytes are not in it.
pub(super) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, Fault> {
    let wrong = |why: String| Fault::new(Fault::PARSE, why);
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    match &*encoding(bytes).map_or("utf-8".to_owned(), |name| name.to_ascii_lowercase()) {
        "us-ascii" | "ascii" if !bytes.is_ascii() => Err(wrong("no ASCII".to_owned())),
        "utf-8" | "us-ascii" | "ascii" => {
            Ok(str::from_utf8(bytes).map_err(|error| wrong(format!("no UTF-8: {error}")))?.into())
        }
        // Each byte is the number of a character.
        "iso-8859-1" | "latin1" => {
            Ok(bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into())
        }
        other => {
            let other = Fault::shortened(other);
            Err(wrong(format!("no XML that is read here: it is in {other:?}")))
        }
    }
}

/// The encoding that a document's declaration names.
fn encoding(bytes: &[u8]) -> Option<String> {
    if !bytes.starts_with(b"<?xml") {
        return None;
    }
    let length = bytes.windows(2).position(|two| two == b"?>")? + 2;
    match Reader::from_str(str::from_utf8(&bytes[..length]).ok()?).read_event() {
        Ok(Xml::Decl(declaration)) => Some(declaration.encoding()?.ok()?.to_string()),
        _ => None,
    }
}

/// # Errors
/// The text is no XML, or no call, or a value in it is none.
pub(super) fn call(text: &str, max_depth: usize) -> Result<Call<'_>, Fault> {
    let mut document = Document::new(text);
    document.open("methodCall")?;
    document.open("methodName")?;
    let procedure = document.text()?;
    document.marks.push(Mark::Value(Event::List));
    match document.tag()? {
        Tag::Open("params") => {
            while document.another("param")? {
                document.open("value")?;
                document.value(max_depth.saturating_sub(1))?;
                document.close()?;
            }
            document.close()?;
        }
        Tag::Close => {}
        other => return Err(misplaced(other)),
    }
    document.marks.push(Mark::End);
    document.end()?;
    Ok(Call { procedure, arguments: document.marks })
}

/// The result, or the fault.
///
/// # Errors
/// The text is no XML, or no response, or a value in it is none.
pub(super) fn response(
    text: &str,
    max_depth: usize,
) -> Result<Result<Vec<Mark<'_>>, Fault>, Fault> {
    #[derive(serde::Deserialize)]
    struct Members {
        #[serde(rename = "faultCode")]
        code: i32,
        #[serde(rename = "faultString")]
        message: String,
    }
    let mut document = Document::new(text);
    document.open("methodResponse")?;
    let is_fault = match document.tag()? {
        Tag::Open("fault") => true,
        Tag::Open("params") => {
            document.open("param")?;
            false
        }
        other => return Err(misplaced(other)),
    };
    document.open("value")?;
    document.value(max_depth)?;
    document.close()?;
    if !is_fault {
        document.close()?;
    }
    document.close()?;
    document.end()?;
    if !is_fault {
        return Ok(Ok(document.marks));
    }
    let mut tape = Tape::new(document.marks);
    let members = serde::Deserialize::deserialize(&mut Puller::new(&mut tape, max_depth));
    let Members { code, message } = members.map_err(|why| unfit(why.to_string()))?;
    Ok(Err(Fault::new(code, message)))
}

fn not_this(why: impl Into<String>) -> Fault {
    Fault::new(Fault::INVALID_CALL, why)
}

fn misplaced(tag: Tag) -> Fault {
    not_this(match tag {
        Tag::Open(name) => format!("<{name}> has no business there"),
        Tag::Close => "an element ends where another should begin".to_owned(),
        Tag::End => "the document ends where an element should begin".to_owned(),
    })
}

fn unfit(why: impl Into<String>) -> Fault {
    Fault::new(Fault::WRONG_ARGUMENTS, why)
}

enum Tag {
    /// One of the elements.
    Open(&'static str),
    Close,
    /// No tag, but the end of the document.
    End,
}

/// A document that is being read.
struct Document<'a> {
    xml: Reader<&'a [u8]>,
    /// How many elements are open; nothing before the first one.
    open: Option<usize>,
    marks: Vec<Mark<'a>>,
}

impl<'a> Document<'a> {
    fn new(text: &'a str) -> Document<'a> {
        let mut xml = Reader::from_str(text);
        xml.config_mut().enable_all_checks(true);
        xml.config_mut().expand_empty_elements = true;
        Document { xml, open: None, marks: Vec::new() }
    }

    fn no_xml(&self, why: &str) -> Fault {
        let at = self.xml.buffer_position();
        Fault::new(Fault::PARSE, format!("no XML that is read here: {why}, at byte {at}"))
    }

    /// The next tag, and the text before it.
    fn next(&mut self) -> Result<(Cow<'a, str>, Tag), Fault> {
        let mut text = Cow::Borrowed("");
        loop {
            let is_first = self.xml.buffer_position() == 0;
            let event = self.xml.read_event().map_err(|why| self.no_xml(&why.to_string()))?;
            let piece = match event {
                Xml::Start(tag) => return Ok((text, self.opened(&tag)?)),
                Xml::End(_) => {
                    self.open = self.open.map(|open| open - 1);
                    return Ok((text, Tag::Close));
                }
                Xml::Eof if self.open == Some(0) => return Ok((text, Tag::End)),
                Xml::Eof => return Err(self.no_xml("it ends inside")),
                Xml::Text(piece) => piece.xml10_content(),
                Xml::CData(piece) => piece.xml10_content(),
                Xml::GeneralRef(reference) => self.referred(&reference)?,
                Xml::Comment(_) | Xml::PI(_) => continue,
                Xml::Decl(_) if is_first => continue,
                Xml::DocType(_) => return Err(self.no_xml("a document type is refused")),
                Xml::Decl(_) | Xml::Empty(_) => return Err(self.no_xml("a second beginning")),
            };
            if !piece.chars().all(is_xml) {
                return Err(self.no_xml("a character that XML does not have"));
            }
            match text.is_empty() {
                true => text = piece,
                false => text.to_mut().push_str(&piece),
            }
        }
    }

    fn opened(&mut self, tag: &BytesStart<'_>) -> Result<Tag, Fault> {
        self.open = match self.open {
            Some(0) => return Err(self.no_xml("a second document")),
            open => Some(open.unwrap_or(0) + 1),
        };
        if let Some(Err(why)) = tag.attributes().find(Result::is_err) {
            return Err(self.no_xml(&why.to_string()));
        }
        // Extensions stand in namespaces, as `ex:nil`.
        let name = tag.local_name().into_inner();
        match ELEMENTS.binary_search(&name) {
            Ok(at) => Ok(Tag::Open(ELEMENTS[at])),
            Err(_) => Err(not_this(format!("XML-RPC has no element {name:?}"))),
        }
    }

    /// The character that a reference stands for. XML itself has five, and their numbers; others
    /// would be defined by a document type.
    fn referred(&self, reference: &BytesRef<'a>) -> Result<Cow<'a, str>, Fault> {
        match reference.resolve_char_ref() {
            Ok(Some(letter)) => Ok(letter.to_string().into()),
            Ok(None) => resolve_predefined_entity(reference)
                .map(Cow::Borrowed)
                .ok_or_else(|| self.no_xml("an entity is refused")),
            Err(why) => Err(self.no_xml(&why.to_string())),
        }
    }

    /// The next tag, with nothing but space before it.
    fn tag(&mut self) -> Result<Tag, Fault> {
        match self.next()? {
            (text, tag) if text.trim_ascii().is_empty() => Ok(tag),
            _ => Err(not_this("a text where an element should be")),
        }
    }

    fn open(&mut self, name: &'static str) -> Result<(), Fault> {
        match self.another(name)? {
            true => Ok(()),
            false => Err(misplaced(Tag::Close)),
        }
    }

    fn close(&mut self) -> Result<(), Fault> {
        match self.tag()? {
            Tag::Close => Ok(()),
            other => Err(misplaced(other)),
        }
    }

    /// Whether another element of this name begins, or else the one around it ends.
    fn another(&mut self, name: &'static str) -> Result<bool, Fault> {
        match self.tag()? {
            Tag::Open(opened) if opened == name => Ok(true),
            Tag::Close => Ok(false),
            other => Err(misplaced(other)),
        }
    }

    /// The text of the element that is open, which it ends.
    fn text(&mut self) -> Result<Cow<'a, str>, Fault> {
        match self.next()? {
            (text, Tag::Close) => Ok(text),
            (_, other) => Err(misplaced(other)),
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        match self.tag()? {
            Tag::End => Ok(()),
            other => Err(misplaced(other)),
        }
    }

    /// The content of a `<value>`, and its end. Containers may nest as deep as `depth` in it.
    fn value(&mut self, depth: usize) -> Result<(), Fault> {
        let element = match self.next()? {
            (text, Tag::Close) => {
                self.marks.push(Mark::Value(Event::Text(text)));
                return Ok(());
            }
            (text, Tag::Open(element)) if text.trim_ascii().is_empty() => element,
            (_, other) => return Err(misplaced(other)),
        };
        let inner = || depth.checked_sub(1).ok_or_else(|| unfit(ValueError::TooDeep.to_string()));
        match element {
            "array" => {
                let depth = inner()?;
                self.marks.push(Mark::Value(Event::List));
                self.open("data")?;
                while self.another("value")? {
                    self.value(depth)?;
                }
                self.close()?;
                self.marks.push(Mark::End);
            }
            "struct" => {
                let depth = inner()?;
                self.marks.push(Mark::Value(Event::Map));
                while self.another("member")? {
                    self.open("name")?;
                    let name = self.text()?;
                    self.marks.push(Mark::Name(name));
                    self.open("value")?;
                    self.value(depth)?;
                    self.close()?;
                }
                self.marks.push(Mark::End);
            }
            scalar => {
                let text = self.text()?;
                self.marks.push(Mark::Value(value_of(scalar, text)?));
            }
        }
        self.close()
    }
}

/// What an element with this text in it is.
fn value_of<'a>(element: &'static str, text: Cow<'a, str>) -> Result<Event<'a>, Fault> {
    let trimmed = text.trim_ascii();
    let wrong = || unfit(format!("{text:?} is no {element}"));
    Ok(match element {
        "string" => Event::Text(text),
        "nil" if trimmed.is_empty() => Event::Null,
        "boolean" if trimmed == "0" => Event::Bool(false),
        "boolean" if trimmed == "1" => Event::Bool(true),
        "i1" => Event::Int(trimmed.parse::<i8>().map_err(|_| wrong())?.into()),
        "i2" => Event::Int(trimmed.parse::<i16>().map_err(|_| wrong())?.into()),
        // JavaScript's xmlrpc writes whole numbers beyond 32 bits as `int`, too.
        "int" | "i4" | "i8" => Event::Int(trimmed.parse::<i64>().map_err(|_| wrong())?.into()),
        "double" => match trimmed.parse::<f64>() {
            Ok(number) if number.is_finite() => Event::Float(number),
            _ => return Err(wrong()),
        },
        "dateTime.iso8601" if !trimmed.is_empty() => Event::Text(trimmed.to_owned().into()),
        "base64" => {
            let letters: String = text.split_ascii_whitespace().collect();
            let bytes = BASE64.decode(letters.as_bytes());
            Event::Bytes(bytes.map_err(|why| unfit(format!("no base64: {why}")))?.into())
        }
        "boolean" | "nil" | "dateTime.iso8601" => return Err(wrong()),
        other => return Err(misplaced(Tag::Open(other))),
    })
}

/// A tape that is being read.
pub(super) struct Tape<'a> {
    marks: Peekable<vec::IntoIter<Mark<'a>>>,
}

impl<'a> Tape<'a> {
    pub(super) fn new(marks: Vec<Mark<'a>>) -> Tape<'a> {
        Tape { marks: marks.into_iter().peekable() }
    }
}

impl<'a> Pull<'a> for Tape<'a> {
    fn next(&mut self, _: Hint) -> Result<Event<'a>, ValueError> {
        match self.marks.next() {
            Some(Mark::Value(event)) => Ok(event),
            _ => Err(ValueError::Truncated),
        }
    }

    fn take_null(&mut self) -> Result<bool, ValueError> {
        let is_null = |mark: &Mark<'_>| matches!(mark, Mark::Value(Event::Null));
        Ok(self.marks.next_if(is_null).is_some())
    }

    fn item(&mut self) -> Result<bool, ValueError> {
        Ok(self.marks.next_if(|mark| matches!(mark, Mark::End)).is_none())
    }

    fn key(&mut self) -> Result<Option<Key<'a>>, ValueError> {
        match self.marks.next() {
            Some(Mark::Name(name)) => Ok(Some(Key::Text(name))),
            _ => Ok(None),
        }
    }

    fn skip(&mut self, depth: usize) -> Result<(), ValueError> {
        pull::skip(self, depth)
    }
}
