//! Values to bytes: a tag, then its content.
//!
//! Rust's types map to the wire as `serde_json` maps them to JSON: a struct is a map by field
//! name, a unit variant is a text, any other variant a map of one entry.

use byteorder::{BigEndian, ByteOrder};
use serde::ser::{self, Serialize};

use super::{ValueError, tag};

/// Appends one value to `out`.
///
/// # Errors
/// The value has no form on the wire (an integer beyond 64 bits, a map key that is not a name),
/// or nests deeper than `depth`. What was appended by then is the caller's to remove.
///
/// ```
/// let mut out = Vec::new();
/// ninestep::protocol::native::pack(&(10, "ten"), 64, &mut out)?;
/// assert_eq!(out, b"[\0\0\0\x02q\0\0\0\0\0\0\0\x0as\0\0\0\x03ten");
/// # Ok::<(), ninestep::protocol::native::ValueError>(())
/// ```
pub fn pack<T: Serialize + ?Sized>(
    value: &T,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), ValueError> {
    value.serialize(&mut Packer::new(out, depth))
}

pub(super) fn put_u32(out: &mut Vec<u8>, number: u32) {
    let mut bytes = [0; 4];
    BigEndian::write_u32(&mut bytes, number);
    out.extend_from_slice(&bytes);
}

/// Writes the length and the content that texts and bytes share.
pub(super) fn put_bytes(out: &mut Vec<u8>, content: &[u8]) -> Result<(), ValueError> {
    put_u32(out, u32::try_from(content.len()).map_err(|_| ValueError::TooLong(content.len()))?);
    out.extend_from_slice(content);
    Ok(())
}

/// Appends a value: a serde `Serializer` for the native wire.
pub struct Packer<'a> {
    out: &'a mut Vec<u8>,
    /// How many containers may still be opened.
    depth: usize,
}

impl<'a> Packer<'a> {
    /// Appends to `out`, where lists and maps may nest as deep as `depth`.
    pub fn new(out: &'a mut Vec<u8>, depth: usize) -> Packer<'a> {
        Packer { out, depth }
    }

    // ANCHOR: put-eight
    fn put_eight(&mut self, tag: u8, bits: u64) {
        let mut bytes = [0; 9];
        bytes[0] = tag;
        BigEndian::write_u64(&mut bytes[1..], bits);
        self.out.extend_from_slice(&bytes);
    }
    // ANCHOR_END: put-eight

    fn put_text(&mut self, text: &str) -> Result<(), ValueError> {
        self.out.push(tag::TEXT);
        put_bytes(self.out, text.as_bytes())
    }

    /// Opens a list or a map. Its count is written when it is closed, because serde's callers may
    /// not know it yet.
    fn open(&mut self, tag: u8) -> Result<Container<'_, 'a>, ValueError> {
        self.descend()?;
        let count_at = self.out.len() + 1;
        self.out.extend_from_slice(&[tag, 0, 0, 0, 0]);
        Ok(Container { packer: self, count_at, count: 0, levels: 1 })
    }

    /// Opens the map of one entry that stands for an enum's variant with content.
    fn open_variant(&mut self, variant: &str) -> Result<(), ValueError> {
        self.descend()?;
        self.out.push(tag::MAP);
        put_u32(self.out, 1);
        self.put_text(variant)
    }

    fn descend(&mut self) -> Result<(), ValueError> {
        self.depth = self.depth.checked_sub(1).ok_or(ValueError::TooDeep)?;
        Ok(())
    }
}

/// A list or a map that is being written.
pub struct Container<'p, 'a> {
    packer: &'p mut Packer<'a>,
    count_at: usize,
    count: u32,
    /// How many levels end with this container: two if a variant's map surrounds it.
    levels: usize,
}

impl Container<'_, '_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        self.count += 1;
        value.serialize(&mut *self.packer)
    }

    fn entry<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), ValueError> {
        self.packer.put_text(name)?;
        self.item(value)
    }

    fn close(self) -> Result<(), ValueError> {
        BigEndian::write_u32(&mut self.packer.out[self.count_at..][..4], self.count);
        self.packer.depth += self.levels;
        Ok(())
    }
}

impl<'p, 'a> ser::Serializer for &'p mut Packer<'a> {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = Container<'p, 'a>;
    type SerializeTuple = Container<'p, 'a>;
    type SerializeTupleStruct = Container<'p, 'a>;
    type SerializeTupleVariant = Container<'p, 'a>;
    type SerializeMap = Container<'p, 'a>;
    type SerializeStruct = Container<'p, 'a>;
    type SerializeStructVariant = Container<'p, 'a>;

    fn serialize_bool(self, value: bool) -> Result<(), ValueError> {
        self.out.extend_from_slice(&[tag::BOOL, u8::from(value)]);
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), ValueError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), ValueError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), ValueError> {
        self.serialize_i64(value.into())
    }

    // ANCHOR: an-integer
    fn serialize_i64(self, value: i64) -> Result<(), ValueError> {
        self.put_eight(tag::INT, value.cast_unsigned());
        Ok(())
    }
    // ANCHOR_END: an-integer

    fn serialize_i128(self, value: i128) -> Result<(), ValueError> {
        match i64::try_from(value) {
            Ok(small) => self.serialize_i64(small),
            Err(_) => self.serialize_u64(u64::try_from(value).map_err(|_| ValueError::TooBig)?),
        }
    }

    fn serialize_u8(self, value: u8) -> Result<(), ValueError> {
        self.serialize_i64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), ValueError> {
        self.serialize_i64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), ValueError> {
        self.serialize_i64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), ValueError> {
        let tag = if i64::try_from(value).is_ok() { tag::INT } else { tag::BIG_INT };
        self.put_eight(tag, value);
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Result<(), ValueError> {
        self.serialize_u64(u64::try_from(value).map_err(|_| ValueError::TooBig)?)
    }

    fn serialize_f32(self, value: f32) -> Result<(), ValueError> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), ValueError> {
        self.put_eight(tag::FLOAT, value.to_bits());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), ValueError> {
        self.put_text(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), ValueError> {
        self.put_text(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), ValueError> {
        self.out.push(tag::BYTES);
        put_bytes(self.out, value)
    }

    fn serialize_none(self) -> Result<(), ValueError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), ValueError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), ValueError> {
        self.out.push(tag::NULL);
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), ValueError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), ValueError> {
        self.put_text(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), ValueError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), ValueError> {
        self.open_variant(variant)?;
        value.serialize(&mut *self)?;
        self.depth += 1;
        Ok(())
    }

    fn serialize_seq(self, _count: Option<usize>) -> Result<Container<'p, 'a>, ValueError> {
        self.open(tag::LIST)
    }

    fn serialize_tuple(self, _count: usize) -> Result<Container<'p, 'a>, ValueError> {
        self.open(tag::LIST)
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _count: usize,
    ) -> Result<Container<'p, 'a>, ValueError> {
        self.open(tag::LIST)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _count: usize,
    ) -> Result<Container<'p, 'a>, ValueError> {
        self.open_variant(variant)?;
        let list = self.open(tag::LIST)?;
        Ok(Container { levels: 2, ..list })
    }

    fn serialize_map(self, _count: Option<usize>) -> Result<Container<'p, 'a>, ValueError> {
        self.open(tag::MAP)
    }

    fn serialize_struct(
        self,
        _name: &'static str,
        _count: usize,
    ) -> Result<Container<'p, 'a>, ValueError> {
        self.open(tag::MAP)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _count: usize,
    ) -> Result<Container<'p, 'a>, ValueError> {
        self.open_variant(variant)?;
        let map = self.open(tag::MAP)?;
        Ok(Container { levels: 2, ..map })
    }
}

impl ser::SerializeSeq for Container<'_, '_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        self.item(value)
    }

    fn end(self) -> Result<(), ValueError> {
        self.close()
    }
}

impl ser::SerializeTuple for Container<'_, '_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        self.item(value)
    }

    fn end(self) -> Result<(), ValueError> {
        self.close()
    }
}

impl ser::SerializeTupleStruct for Container<'_, '_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        self.item(value)
    }

    fn end(self) -> Result<(), ValueError> {
        self.close()
    }
}

impl ser::SerializeTupleVariant for Container<'_, '_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        self.item(value)
    }

    fn end(self) -> Result<(), ValueError> {
        self.close()
    }
}

impl ser::SerializeMap for Container<'_, '_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ValueError> {
        key.serialize(KeyPacker(self.packer))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        self.item(value)
    }

    fn end(self) -> Result<(), ValueError> {
        self.close()
    }
}

impl ser::SerializeStruct for Container<'_, '_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), ValueError> {
        self.entry(name, value)
    }

    fn end(self) -> Result<(), ValueError> {
        self.close()
    }
}

impl ser::SerializeStructVariant for Container<'_, '_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), ValueError> {
        self.entry(name, value)
    }

    fn end(self) -> Result<(), ValueError> {
        self.close()
    }
}

/// A map's key is always a text: integers and booleans are written out, as in JSON.
struct KeyPacker<'p, 'a>(&'p mut Packer<'a>);

/// The key types that have no text.
macro_rules! not_a_key {
    ($($method:ident($($argument:ty),*) -> $ok:ty;)*) => {$(
        fn $method(self, $(_: $argument),*) -> Result<$ok, ValueError> {
            Err(ValueError::KeyNotText)
        }
    )*};
}

macro_rules! key_by_display {
    ($($method:ident: $argument:ty,)*) => {$(
        fn $method(self, key: $argument) -> Result<(), ValueError> {
            self.0.put_text(&key.to_string())
        }
    )*};
}

impl ser::Serializer for KeyPacker<'_, '_> {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = ser::Impossible<(), ValueError>;
    type SerializeTuple = ser::Impossible<(), ValueError>;
    type SerializeTupleStruct = ser::Impossible<(), ValueError>;
    type SerializeTupleVariant = ser::Impossible<(), ValueError>;
    type SerializeMap = ser::Impossible<(), ValueError>;
    type SerializeStruct = ser::Impossible<(), ValueError>;
    type SerializeStructVariant = ser::Impossible<(), ValueError>;

    key_by_display! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_char: char,
    }

    fn serialize_str(self, key: &str) -> Result<(), ValueError> {
        self.0.put_text(key)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), ValueError> {
        self.0.put_text(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        key: &T,
    ) -> Result<(), ValueError> {
        key.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _key: &T) -> Result<(), ValueError> {
        Err(ValueError::KeyNotText)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<(), ValueError> {
        Err(ValueError::KeyNotText)
    }

    not_a_key! {
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }
}
