//! Unpacking, for every wire but the native one: a serde `Deserializer` over a wire's events.
//!
//! A wire says what comes next: a number, a text, the beginning of a list. It is told what the
//! Rust side expects, because some wires do not say what their bytes are.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::de::value::{CowStrDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeSeed, Visitor};
use serde::forward_to_deserialize_any;

use super::emit::Width;
use super::key::Key;
use super::native::ValueError;

type Result<T = ()> = std::result::Result<T, ValueError>;

/// What a wire reads.
pub(crate) trait Pull<'de> {
    /// Takes the next value, or the beginning of a container.
    fn next(&mut self, hint: Hint) -> Result<Event<'de>>;

    /// Whether the next value is nothing. If so, it is taken.
    fn take_null(&mut self) -> Result<bool>;

    /// Whether the list that was opened last has another item. If not, it is closed.
    fn item(&mut self) -> Result<bool>;

    /// Whether an item was just announced that is none, which only its type could tell: it was
    /// refused, and the list is closed. This is said once.
    fn was_no_item(&mut self) -> bool {
        false
    }

    /// Takes the next key of the map that was opened last. If there is none, the map is closed.
    fn key(&mut self) -> Result<Option<Key<'de>>>;

    /// Skips the next value, in which containers may nest as deep as `depth`: by [`skip`], if the
    /// wire knows no shorter way.
    fn skip(&mut self, depth: usize) -> Result;
}

/// Skips a value by reading it.
#[cfg(any(feature = "hprose", feature = "xml-rpc"))]
pub(crate) fn skip<'de>(wire: &mut dyn Pull<'de>, depth: usize) -> Result {
    de::Deserializer::deserialize_any(&mut Puller { wire, depth }, de::IgnoredAny).map(drop)
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event<'de> {
    Null,
    Bool(bool),
    /// An integer of any size: whether it fits, the Rust type decides.
    Int(i128),
    Float(f64),
    Text(Cow<'de, str>),
    Bytes(Cow<'de, [u8]>),
    /// An enum's variant without content, by its index: where the hint is [`Hint::Enum`], and the
    /// wire has numbers for variants. Elsewhere the variant is a text.
    #[cfg(any(feature = "grpc", feature = "thrift"))]
    Variant(u32),
    /// Items follow, each announced by [`Pull::item`].
    List,
    /// Entries follow, each announced by [`Pull::key`].
    Map,
}

/// What the Rust side expects. What comes may be something else: then the type says whether it
/// takes that too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    /// Whatever comes.
    Any,
    Null,
    Bool,
    /// `i8` to `i64`.
    Int(Width),
    /// `u8` to `u64`, each with the width that holds its values: 64 bits for `u32` and `u64`.
    Unsigned(Width),
    Single,
    Float,
    Text,
    Bytes,
    List,
    /// A tuple or an array of this length.
    Tuple(usize),
    Map,
    /// A struct with these fields. Aliases are among them, so an index is not a position here.
    Struct(&'static [&'static str]),
    /// An enum with these variants: a text or [`Event::Variant`], or a map of one entry.
    Enum(&'static [&'static str]),
}

/// Reads a value: a serde `Deserializer`. Which wire it reads from, no type says, so that a
/// procedure's types are compiled once for all of them.
pub struct Puller<'p, 'de> {
    wire: &'p mut (dyn Pull<'de> + 'p),
    /// How many containers may still be opened.
    depth: usize,
}

impl<'p, 'de> Puller<'p, 'de> {
    /// Reads from `wire`, where containers may nest as deep as `depth`.
    pub(crate) fn new(wire: &'p mut (dyn Pull<'de> + 'p), depth: usize) -> Puller<'p, 'de> {
        Puller { wire, depth }
    }

    fn visit<V: Visitor<'de>>(&mut self, hint: Hint, visitor: V) -> Result<V::Value> {
        match self.wire.next(hint)? {
            Event::Null => visitor.visit_unit(),
            Event::Bool(value) => visitor.visit_bool(value),
            Event::Int(value) => match (i64::try_from(value), u64::try_from(value)) {
                (Ok(value), _) => visitor.visit_i64(value),
                (_, Ok(value)) => visitor.visit_u64(value),
                _ => visitor.visit_i128(value),
            },
            Event::Float(value) => visitor.visit_f64(value),
            Event::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Event::Text(Cow::Owned(text)) => visitor.visit_string(text),
            // To serde a `Vec<u8>` is a sequence, and takes bytes all the same.
            Event::Bytes(bytes) if matches!(hint, Hint::List | Hint::Tuple(_)) => {
                visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied()))
            }
            Event::Bytes(Cow::Borrowed(bytes)) => visitor.visit_borrowed_bytes(bytes),
            Event::Bytes(Cow::Owned(bytes)) => visitor.visit_byte_buf(bytes),
            #[cfg(any(feature = "grpc", feature = "thrift"))]
            Event::Variant(index) => visitor.visit_u64(index.into()),
            Event::List => {
                self.descend()?;
                let mut items = Contents { puller: self, ended: false, seen: None };
                let value = visitor.visit_seq(&mut items)?;
                items.close()?;
                self.depth += 1;
                Ok(value)
            }
            Event::Map => {
                self.descend()?;
                // A struct's own code refuses a field that comes twice.
                let seen = (!matches!(hint, Hint::Struct(_))).then(HashSet::new);
                let mut entries = Contents { puller: self, ended: false, seen };
                let value = visitor.visit_map(&mut entries)?;
                if !entries.ended && entries.puller.wire.key()?.is_some() {
                    return Err(ValueError::Unfit("more entries than expected".to_owned()));
                }
                self.depth += 1;
                Ok(value)
            }
        }
    }

    fn descend(&mut self) -> Result {
        self.depth = self.depth.checked_sub(1).ok_or(ValueError::TooDeep)?;
        Ok(())
    }
}

macro_rules! hinted {
    ($($method:ident => $hint:expr,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            self.visit($hint, visitor)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &mut Puller<'_, 'de> {
    type Error = ValueError;

    hinted! {
        deserialize_any => Hint::Any,
        deserialize_bool => Hint::Bool,
        deserialize_i8 => Hint::Int(Width::I8),
        deserialize_i16 => Hint::Int(Width::I16),
        deserialize_i32 => Hint::Int(Width::I32),
        deserialize_i64 => Hint::Int(Width::I64),
        deserialize_i128 => Hint::Int(Width::I64),
        deserialize_u8 => Hint::Unsigned(Width::I16),
        deserialize_u16 => Hint::Unsigned(Width::I32),
        deserialize_u32 => Hint::Unsigned(Width::I64),
        deserialize_u64 => Hint::Unsigned(Width::I64),
        deserialize_u128 => Hint::Unsigned(Width::I64),
        deserialize_f32 => Hint::Single,
        deserialize_f64 => Hint::Float,
        deserialize_char => Hint::Text,
        deserialize_str => Hint::Text,
        deserialize_string => Hint::Text,
        deserialize_identifier => Hint::Text,
        deserialize_bytes => Hint::Bytes,
        deserialize_byte_buf => Hint::Bytes,
        deserialize_unit => Hint::Null,
        deserialize_seq => Hint::List,
        deserialize_map => Hint::Map,
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        self.visit(Hint::Null, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value> {
        self.visit(Hint::Tuple(count), visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.visit(Hint::Tuple(count), visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.visit(Hint::Struct(fields), visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.wire.take_null()? { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.wire.next(Hint::Enum(variants))? {
            Event::Text(name) => visitor.visit_enum(CowStrDeserializer::new(name)),
            #[cfg(any(feature = "grpc", feature = "thrift"))]
            Event::Variant(index) => visitor.visit_enum(de::value::U32Deserializer::new(index)),
            Event::Map => {
                self.descend()?;
                let value = visitor.visit_enum(Variant(self))?;
                if self.wire.key()?.is_some() {
                    return Err(ValueError::Unfit("an enum's map has one entry".to_owned()));
                }
                self.depth += 1;
                Ok(value)
            }
            other => Err(ValueError::Unfit(format!("expected an enum, not {other:?}"))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.wire.skip(self.depth)?;
        visitor.visit_unit()
    }
}

/// What is left of the container that was opened last.
struct Contents<'c, 'p, 'de> {
    puller: &'c mut Puller<'p, 'de>,
    ended: bool,
    /// The keys so far, where it matters that none comes twice.
    seen: Option<HashSet<Key<'de>>>,
}

impl Contents<'_, '_, '_> {
    /// Checks that a list's visitor took all of it.
    fn close(&mut self) -> Result {
        if !self.ended && self.puller.wire.item()? {
            return Err(ValueError::Unfit("more values than expected".to_owned()));
        }
        Ok(())
    }
}

impl<'de> de::SeqAccess<'de> for Contents<'_, '_, 'de> {
    type Error = ValueError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        self.ended = self.ended || !self.puller.wire.item()?;
        if self.ended {
            return Ok(None);
        }
        let item = seed.deserialize(&mut *self.puller);
        self.ended = item.is_err() && self.puller.wire.was_no_item();
        if self.ended { Ok(None) } else { item.map(Some) }
    }
}

impl<'de> de::MapAccess<'de> for Contents<'_, '_, 'de> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let key = if self.ended { None } else { self.puller.wire.key()? };
        self.ended = key.is_none();
        if let (Some(key), Some(seen)) = (&key, &mut self.seen)
            && !seen.insert(key.clone())
        {
            return Err(ValueError::Unfit(format!("{:?} is given twice", key.to_string())));
        }
        key.map(|key| seed.deserialize(KeyDeserializer(key))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(&mut *self.puller)
    }
}

/// The one entry of the map that stands for an enum's variant with content.
struct Variant<'c, 'p, 'de>(&'c mut Puller<'p, 'de>);

impl<'de> de::EnumAccess<'de> for Variant<'_, '_, 'de> {
    type Error = ValueError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let key = self.0.wire.key()?;
        let key = key.ok_or_else(|| ValueError::Unfit("an enum's map has one entry".to_owned()))?;
        Ok((seed.deserialize(KeyDeserializer(key))?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, '_, 'de> {
    type Error = ValueError;

    fn unit_variant(self) -> Result {
        de::Deserialize::deserialize(self.0)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value> {
        de::Deserializer::deserialize_tuple(self.0, count, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        de::Deserializer::deserialize_struct(self.0, "", fields, visitor)
    }
}

/// Reads a key. One that is a text on the wire may be an integer or a boolean in Rust, and the reverse.
struct KeyDeserializer<'de>(Key<'de>);

macro_rules! parsed {
    ($($method:ident => $visit:ident, $untyped:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match &self.0 {
                Key::Text(text) if let Ok(key) = text.parse() => visitor.$visit(key),
                #[cfg(feature = "grpc")]
                Key::Untyped(key) => visitor.$visit($untyped(key.unwrap_or(0))),
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

macro_rules! as_text {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match self.0 {
                Key::Text(_) => self.deserialize_any(visitor),
                other => visitor.visit_string(other.to_string()),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for KeyDeserializer<'de> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Key::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Key::Text(Cow::Owned(text)) => visitor.visit_string(text),
            Key::Int(value, _) => visitor.visit_i64(value),
            Key::BigInt(value) => visitor.visit_u64(value),
            Key::Bool(value) => visitor.visit_bool(value),
            #[cfg(any(feature = "grpc", feature = "thrift"))]
            Key::Index(index) => visitor.visit_u64(index.into()),
            #[cfg(feature = "grpc")]
            Key::Untyped(Some(key)) => visitor.visit_i64(key.cast_signed()),
            #[cfg(feature = "grpc")]
            Key::Untyped(None) => visitor.visit_str(""),
        }
    }

    parsed! {
        deserialize_bool => visit_bool, |key| key != 0;
        deserialize_i8 => visit_i64, u64::cast_signed;
        deserialize_i16 => visit_i64, u64::cast_signed;
        deserialize_i32 => visit_i64, u64::cast_signed;
        deserialize_i64 => visit_i64, u64::cast_signed;
        deserialize_u8 => visit_u64, u64::from;
        deserialize_u16 => visit_u64, u64::from;
        deserialize_u32 => visit_u64, u64::from;
        deserialize_u64 => visit_u64, u64::from;
    }

    as_text! { deserialize_char deserialize_str deserialize_string }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.0 {
            Key::Text(name) => visitor.visit_enum(CowStrDeserializer::new(name)),
            #[cfg(any(feature = "grpc", feature = "thrift"))]
            Key::Index(index) => visitor.visit_enum(de::value::U32Deserializer::new(index)),
            _ => Err(ValueError::KeyNotText),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 bytes byte_buf option unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}
