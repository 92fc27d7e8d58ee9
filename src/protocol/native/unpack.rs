//! Bytes to values. Nothing is believed: a count must be covered by bytes that came, a depth by
//! the limit, a text must be UTF-8, and nothing may be left over.

use byteorder::{BigEndian, ByteOrder};
use serde::de::value::{BorrowedStrDeserializer, SeqDeserializer};
use serde::de::{
    self, Deserialize, DeserializeSeed, IgnoredAny, IntoDeserializer, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use super::{Native, ValueError, tag};
use crate::protocol::Tail;

/// Reads one value, which must be all that `bytes` holds.
///
/// # Errors
/// The bytes are no value, are followed by others, nest deeper than `depth`, or are a value of
/// another type than `T`.
///
/// ```
/// let pair: (i64, String) = ninestep::protocol::native::unpack(
///     b"[\0\0\0\x02q\0\0\0\0\0\0\0\x0as\0\0\0\x03ten", 64)?;
/// assert_eq!(pair, (10, "ten".to_string()));
/// # Ok::<(), ninestep::protocol::native::ValueError>(())
/// ```
pub fn unpack<'de, T: Deserialize<'de>>(bytes: &'de [u8], depth: usize) -> Result<T, ValueError> {
    T::deserialize(&mut Unpacker::new(bytes, depth))
}

/// Takes the first `count` bytes.
pub(super) fn take<'de>(rest: &mut &'de [u8], count: usize) -> Result<&'de [u8], ValueError> {
    let (taken, left) = rest.split_at_checked(count).ok_or(ValueError::Truncated)?;
    *rest = left;
    Ok(taken)
}

pub(super) fn take_u32(rest: &mut &[u8]) -> Result<u32, ValueError> {
    Ok(BigEndian::read_u32(take(rest, 4)?))
}

/// Takes a length and as many bytes.
pub(super) fn take_bytes<'de>(rest: &mut &'de [u8]) -> Result<&'de [u8], ValueError> {
    let length = take_u32(rest)?;
    take(rest, length as usize)
}

pub(super) fn take_text<'de>(rest: &mut &'de [u8]) -> Result<&'de str, ValueError> {
    str::from_utf8(take_bytes(rest)?).map_err(|_| ValueError::NotUtf8)
}

/// Where a value breaks off in the middle of bytes: what came of them, and how many they will be.
pub(super) fn broken_bytes(begun: &[u8]) -> Option<(&[u8], usize)> {
    /// Longer than a tag, a number or a count: if so much is left, no other than the content of a
    /// text or of bytes breaks off.
    const LONGER: usize = 9;
    let mut unpacker = Unpacker::new(begun, Native::default().max_depth);
    let broken = IgnoredAny::deserialize(&mut unpacker) == Err(ValueError::Truncated);
    let came = unpacker.rest;
    let (_, [tag, length @ ..]) = begun[..begun.len() - came.len()].split_last_chunk::<5>()?;
    (broken && came.len() >= LONGER && *tag == tag::BYTES)
        .then(|| (came, u32::from_be_bytes(*length) as usize))
}

/// Reads one value: a serde `Deserializer` for the native wire.
pub struct Unpacker<'de> {
    rest: &'de [u8],
    /// How many containers may still be opened.
    depth: usize,
    /// The depth at which the outermost value stands, where nothing may follow it.
    outermost: usize,
    /// The content of the bytes whose length ends `rest`.
    tail: Option<&'de Tail>,
}

impl<'de> Unpacker<'de> {
    /// Reads all of `bytes`, in which lists and maps may nest as deep as `depth`.
    pub fn new(bytes: &'de [u8], depth: usize) -> Unpacker<'de> {
        Unpacker { rest: bytes, depth, outermost: depth, tail: None }
    }

    /// The same for a value whose last bytes are not in `bytes` if there is a tail.
    pub(super) fn with_tail(
        bytes: &'de [u8],
        depth: usize,
        tail: Option<&'de Tail>,
    ) -> Unpacker<'de> {
        Unpacker { rest: bytes, depth, outermost: depth, tail }
    }

    /// Takes the tail if it is what comes next: there is nothing but its length left.
    fn take_tail(&mut self) -> Option<Vec<u8>> {
        let tail = self.tail.filter(|_| self.rest.len() == 4)?;
        self.rest = &[];
        Some(tail.take())
    }

    fn take_tag(&mut self) -> Result<u8, ValueError> {
        Ok(take(&mut self.rest, 1)?[0])
    }

    fn peek_tag(&self) -> Result<u8, ValueError> {
        self.rest.first().copied().ok_or(ValueError::Truncated)
    }

    fn take_eight(&mut self) -> Result<u64, ValueError> {
        Ok(BigEndian::read_u64(take(&mut self.rest, 8)?))
    }

    /// What is not quickly read in its place.
    #[cold]
    #[inline(never)]
    fn deserialize_other<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, ValueError> {
        de::Deserializer::deserialize_any(self, visitor)
    }

    /// Takes an integer, if one comes next and nothing that it must not be followed by.
    #[inline]
    fn take_int(&mut self) -> Option<i64> {
        let ([tag::INT, content @ ..], rest) = self.rest.split_first_chunk::<9>()? else {
            return None;
        };
        if self.depth == self.outermost && !rest.is_empty() {
            return None;
        }
        self.rest = rest;
        Some(BigEndian::read_i64(content))
    }

    // ANCHOR: take-count
    /// Takes a container's count. Every item is a byte at least, every entry six (its name's tag
    /// and length, its value's tag), so a count beyond what came is a lie.
    fn take_count(&mut self, least_size: usize) -> Result<usize, ValueError> {
        let count = take_u32(&mut self.rest)? as usize;
        if count > self.rest.len() / least_size {
            return Err(ValueError::Truncated);
        }
        self.depth = self.depth.checked_sub(1).ok_or(ValueError::TooDeep)?;
        Ok(count)
    }
    // ANCHOR_END: take-count

    /// Checks that a container's visitor took all of it, and that nothing follows the outermost
    /// value.
    fn close(&mut self, left: usize) -> Result<(), ValueError> {
        self.depth += 1;
        if left > 0 {
            return Err(ValueError::Unfit(format!("{left} more values than expected")));
        }
        self.end()
    }

    /// Checks that nothing follows the outermost value.
    fn end(&self) -> Result<(), ValueError> {
        if self.depth == self.outermost && !self.rest.is_empty() {
            return Err(ValueError::TrailingBytes(self.rest.len()));
        }
        Ok(())
    }

    fn list<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, ValueError> {
        let left = self.take_count(1)?;
        let mut items = Items { unpacker: self, left };
        let value = visitor.visit_seq(&mut items);
        let left = items.left;
        if value.is_ok() {
            self.close(left)?;
        }
        value
    }

    fn map<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, ValueError> {
        let left = self.take_count(6)?;
        let mut items = Items { unpacker: self, left };
        let value = visitor.visit_map(&mut items);
        let left = items.left;
        if value.is_ok() {
            self.close(left)?;
        }
        value
    }

    fn key(&mut self) -> Result<&'de str, ValueError> {
        match self.take_tag()? {
            tag::TEXT => take_text(&mut self.rest),
            _ => Err(ValueError::KeyNotText),
        }
    }
}

/// Reads an integer where one is expected, which most often is there.
macro_rules! integers {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            match self.take_int() {
                Some(int) => visitor.visit_i64(int),
                None => self.deserialize_other(visitor),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &mut Unpacker<'de> {
    type Error = ValueError;

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    /// Arguments are a struct to serde, and most often a list: found without the table that a `match` of
    /// all tags becomes, which is a page fault to a forked child.
    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self.rest {
            [tag::LIST, rest @ ..] => {
                self.rest = rest;
                self.list(visitor)
            }
            _ => self.deserialize_other(visitor),
        }
    }

    /// What the visitor makes of a value is returned as it is, not looked at and moved: moving it
    /// through erased types would be the largest part of unpacking.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.take_tag()? {
            tag::NULL => {
                self.end()?;
                visitor.visit_unit()
            }
            tag::BOOL => {
                let byte = take(&mut self.rest, 1)?[0];
                self.end()?;
                match byte {
                    0 => visitor.visit_bool(false),
                    1 => visitor.visit_bool(true),
                    other => Err(ValueError::BadBool(other)),
                }
            }
            tag::INT => {
                let bits = self.take_eight()?;
                self.end()?;
                visitor.visit_i64(bits.cast_signed())
            }
            tag::BIG_INT => {
                let bits = self.take_eight()?;
                self.end()?;
                visitor.visit_u64(bits)
            }
            tag::FLOAT => {
                let bits = self.take_eight()?;
                self.end()?;
                visitor.visit_f64(f64::from_bits(bits))
            }
            tag::TEXT => {
                let text = take_text(&mut self.rest)?;
                self.end()?;
                visitor.visit_borrowed_str(text)
            }
            tag::BYTES => match self.take_tail() {
                Some(bytes) => {
                    self.end()?;
                    visitor.visit_byte_buf(bytes)
                }
                None => {
                    let bytes = take_bytes(&mut self.rest)?;
                    self.end()?;
                    visitor.visit_borrowed_bytes(bytes)
                }
            },
            tag::LIST => self.list(visitor),
            tag::MAP => self.map(visitor),
            other => Err(ValueError::UnknownTag(other)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        if self.peek_tag()? == tag::NULL {
            self.take_tag()?;
            self.end()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    /// A `Vec<u8>` is a sequence to serde, and takes bytes all the same.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        if self.peek_tag()? != tag::BYTES {
            return self.deserialize_any(visitor);
        }
        self.take_tag()?;
        if let Some(bytes) = self.take_tail() {
            self.end()?;
            return visitor.visit_seq(SeqDeserializer::new(bytes.into_iter()));
        }
        let bytes = take_bytes(&mut self.rest)?;
        self.end()?;
        visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self.take_tag()? {
            tag::TEXT => {
                let variant = take_text(&mut self.rest)?;
                self.end()?;
                visitor.visit_enum(BorrowedStrDeserializer::new(variant))
            }
            tag::MAP => {
                if self.take_count(6)? != 1 {
                    return Err(ValueError::Unfit("an enum's map has one entry".to_owned()));
                }
                let value = visitor.visit_enum(Variant { unpacker: self });
                if value.is_ok() {
                    self.close(0)?;
                }
                value
            }
            other => Err(de::Error::invalid_type(
                Unexpected::Other(tag::name(other)),
                &"an enum: a text, or a map of one entry",
            )),
        }
    }

    forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple tuple_struct map
        identifier ignored_any
    }
}

/// What is left of a list or a map.
struct Items<'u, 'de> {
    unpacker: &'u mut Unpacker<'de>,
    left: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'_, 'de> {
    type Error = ValueError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ValueError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.unpacker).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> de::MapAccess<'de> for Items<'_, 'de> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ValueError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(Key(self.unpacker.key()?)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, ValueError> {
        seed.deserialize(&mut *self.unpacker)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// A map's key, which is a text on the wire and may be an integer or a boolean in Rust.
struct Key<'de>(&'de str);

macro_rules! key_by_parsing {
    ($($method:ident => $visit:ident,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            match self.0.parse() {
                Ok(key) => visitor.$visit(key),
                Err(_) => visitor.visit_borrowed_str(self.0),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Key<'de> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_borrowed_str(self.0)
    }

    key_by_parsing! {
        deserialize_bool => visit_bool,
        deserialize_i8 => visit_i64,
        deserialize_i16 => visit_i64,
        deserialize_i32 => visit_i64,
        deserialize_i64 => visit_i64,
        deserialize_u8 => visit_u64,
        deserialize_u16 => visit_u64,
        deserialize_u32 => visit_u64,
        deserialize_u64 => visit_u64,
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.0))
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// The one entry of the map that stands for an enum's variant with content.
struct Variant<'u, 'de> {
    unpacker: &'u mut Unpacker<'de>,
}

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = ValueError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), ValueError> {
        let name = self.unpacker.key()?;
        let variant = seed.deserialize(IntoDeserializer::<ValueError>::into_deserializer(name))?;
        Ok((variant, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = ValueError;

    fn unit_variant(self) -> Result<(), ValueError> {
        Deserialize::deserialize(self.unpacker)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, ValueError> {
        seed.deserialize(self.unpacker)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _count: usize,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        de::Deserializer::deserialize_seq(self.unpacker, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        de::Deserializer::deserialize_map(self.unpacker, visitor)
    }
}
