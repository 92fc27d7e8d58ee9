//! Messages, taken apart. What is inside arguments, results and ids stays JSON.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use crate::message::{Fault, without_place};
use crate::value::Value;

/// What a client sent.
pub(super) enum Asked<'a> {
    Call(Result<Valid<'a>, Invalid<'a>>),
    Batch(Vec<&'a RawValue>),
}

impl<'a> Asked<'a> {
    /// # Errors
    /// The message is no JSON, or no call, or a batch of none or too many.
    pub(super) fn read(bytes: &'a [u8], max_batch: usize) -> Result<Asked<'a>, Fault> {
        let text = str::from_utf8(bytes).map_err(|_| not_json())?;
        if let Some(call) = usual_call(text) {
            return Ok(Asked::Call(Ok(call)));
        }
        if !text.trim_start().starts_with('[') {
            return match serde_json::from_str::<Members<'_>>(text) {
                Ok(members) => Ok(Asked::Call(members.checked())),
                // It is said to be no call as soon as that is known: the rest may be no JSON.
                Err(why) if why.is_data() && serde_json::from_str::<IgnoredAny>(text).is_ok() => {
                    Err(no_call())
                }
                Err(_) => Err(not_json()),
            };
        }
        let mut json = serde_json::Deserializer::from_str(text);
        let batch = AtMost(max_batch).deserialize(&mut json).map_err(|_| not_json())?;
        json.end().map_err(|_| not_json())?;
        match batch {
            Some(calls) if !calls.is_empty() => Ok(Asked::Batch(calls)),
            _ => Err(no_call()),
        }
    }
}

/// One call of a batch.
///
/// # Errors
/// It cannot be made.
pub(super) fn call(json: &RawValue) -> Result<Valid<'_>, Invalid<'_>> {
    // What is not even an object has no id.
    serde_json::from_str::<Members<'_>>(json.get()).map_err(|_| ("null", no_call()))?.checked()
}

/// The members of a call; others are ignored.
#[derive(serde::Deserialize)]
struct Members<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
}

/// A call that can be made.
pub(super) struct Valid<'a> {
    /// None for a notification.
    pub(super) id: Option<&'a str>,
    pub(super) procedure: Cow<'a, str>,
    pub(super) params: &'a str,
}

/// The id and the fault of one that cannot.
pub(super) type Invalid<'a> = (&'a str, Fault);

impl<'a> Members<'a> {
    fn checked(self) -> Result<Valid<'a>, Invalid<'a>> {
        let id = self.id.map(RawValue::get);
        if id.is_some_and(|id| id.starts_with(['[', '{', 't', 'f'])) {
            return Err(("null", no_call()));
        }
        let params = self.params.map_or("[]", RawValue::get);
        match (is_version_2(self.jsonrpc), self.method.and_then(text)) {
            (true, Some(procedure)) if params.starts_with(['[', '{']) => {
                Ok(Valid { id, procedure, params })
            }
            _ => Err((id.unwrap_or("null"), no_call())),
        }
    }
}

/// A call as most clients write it, which is soon taken apart: these members in this order, and
/// no blanks between them.
fn usual_call(text: &str) -> Option<Valid<'_>> {
    let rest = text.strip_prefix(r#"{"jsonrpc":"2.0","method":""#)?;
    let (procedure, rest) = rest.split_once('"')?;
    let (params, id) = usual_end(rest.strip_prefix(r#","params":"#)?)?;
    let is_plain = procedure.bytes().all(|byte| byte >= b' ' && byte != b'\\');
    (is_plain && params.starts_with(['[', '{'])).then_some(Valid {
        id: Some(id),
        procedure: Cow::Borrowed(procedure),
        params,
    })
}

/// The result in a response of that kind, and the id.
pub(super) fn usual_response(text: &str) -> Option<(&str, u32)> {
    let (result, id) = usual_end(text.strip_prefix(r#"{"jsonrpc":"2.0","result":"#)?)?;
    Some((result, id.parse().ok()?))
}

/// One value, and a number that is the id behind it.
fn usual_end(text: &str) -> Option<(&str, &str)> {
    let (rest, id) = text.strip_suffix('}')?.rsplit_once(':')?;
    let is_number = id == "0" || !id.starts_with('0') && id.bytes().all(|it| it.is_ascii_digit());
    let value = rest.strip_suffix(r#","id""#).filter(|_| is_number && !id.is_empty())?;
    Some((serde_json::from_str::<&RawValue>(value).ok()?.get(), id))
}

/// The members of a response; others are ignored.
#[derive(serde::Deserialize)]
pub(super) struct Response<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) error: Option<ErrorObject<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) id: Option<&'a RawValue>,
    /// What only a call has: a server's own, or a notification.
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) method: Option<&'a RawValue>,
}

impl Response<'_> {
    pub(super) fn is_version_2(&self) -> bool {
        is_version_2(self.jsonrpc)
    }

    /// The id, if a call of this client can have it. For JSON, 1.0 is 1.
    pub(super) fn number(&self) -> Option<u32> {
        let id = self.id?.get();
        let whole =
            |number: &f64| number.fract() == 0.0 && (0.0..=u32::MAX.into()).contains(number);
        id.parse().ok().or_else(|| id.parse().ok().filter(whole).map(|number: f64| number as u32))
    }

    /// Whether it is no response: a call or a notification by the server, which nobody waits for.
    pub(super) fn is_nobodys(&self) -> bool {
        self.method.is_some() && self.result.is_none() && self.error.is_none()
    }
}

#[derive(serde::Deserialize)]
pub(super) struct ErrorObject<'a> {
    /// An integer of any size.
    code: f64,
    message: String,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

impl ErrorObject<'_> {
    /// # Errors
    /// The data nest too deep, or say one thing twice.
    pub(super) fn fault(self, max_depth: usize) -> Result<Fault, String> {
        let data = match self.data.map(RawValue::get) {
            Some(data) => {
                check(data, max_depth)?;
                serde_json::from_str(data).map_err(|why| why.to_string())?
            }
            None => Value::Null,
        };
        // A code beyond 32 bits becomes the nearest that has them.
        Ok(Fault { code: self.code as i32, message: self.message, data })
    }
}

fn is_version_2(jsonrpc: Option<&RawValue>) -> bool {
    jsonrpc.and_then(text).is_some_and(|version| version == "2.0")
}

/// A member that is null is there, too.
fn present<'de, D: Deserializer<'de>>(json: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(json).map(Some)
}

fn not_json() -> Fault {
    Fault::new(Fault::PARSE, "Parse error")
}

fn no_call() -> Fault {
    Fault::new(Fault::INVALID_CALL, "Invalid Request")
}

fn text(json: &RawValue) -> Option<Cow<'_, str>> {
    let inside = json.get().strip_prefix('"')?.strip_suffix('"')?;
    match inside.as_bytes().contains(&b'\\') {
        false => Some(Cow::Borrowed(inside)),
        true => serde_json::from_str(json.get()).ok().map(|Text(text)| text),
    }
}

/// A text that is borrowed if it holds no escapes.
#[derive(PartialEq, Eq, Hash, serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Makes sure that JSON nests no deeper than this, and that no object has two members of one
/// name, of which readers take now the first and now the last.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(json: &str, max_depth: usize) -> Result<(), String> {
    // A plain value is all right, and so is a list of them.
    let inside = json.strip_prefix('[').unwrap_or(json);
    if !inside.bytes().any(|byte| matches!(byte, b'[' | b'{')) {
        return Ok(());
    }
    let mut json = serde_json::Deserializer::from_str(json);
    // serde_json gives up at a depth of its own, which is higher.
    Checked { depth: max_depth }.deserialize(&mut json).map_err(without_place)
}

/// A value that is checked and dropped.
struct Checked {
    /// How many containers may still be opened.
    depth: usize,
}

impl Checked {
    fn inner<E: Error>(&self) -> Result<Checked, E> {
        let depth = self.depth.checked_sub(1);
        Ok(Checked { depth: depth.ok_or_else(|| E::custom("lists and maps nest too deep"))? })
    }
}

impl<'de> DeserializeSeed<'de> for Checked {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Checked { depth } = self.inner()?;
        while items.next_element_seed(Checked { depth })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Checked { depth } = self.inner()?;
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<Text<'de>>()? {
            let Some(name) = names.replace(name) else {
                members.next_value_seed(Checked { depth })?;
                continue;
            };
            return Err(A::Error::custom(format!("{:?} is given twice", name.0)));
        }
        Ok(())
    }
}

/// The items of a list; nothing if there are more.
struct AtMost(usize);

impl<'de> DeserializeSeed<'de> for AtMost {
    type Value = Option<Vec<&'de RawValue>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for AtMost {
    type Value = Option<Vec<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while list.len() < self.0 {
            match items.next_element()? {
                Some(item) => list.push(item),
                None => return Ok(Some(list)),
            }
        }
        match items.next_element::<IgnoredAny>()? {
            None => Ok(Some(list)),
            Some(_) => {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(None)
            }
        }
    }
}
