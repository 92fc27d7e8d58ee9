//! A map's key, and how it is written. Rust has texts, integers and booleans for keys; many wires
//! have texts alone.

use std::borrow::Cow;
use std::fmt;

use serde::ser::{self, Serialize};

use super::emit::{Emit, Width};
use super::native::ValueError;

type Result<T = ()> = std::result::Result<T, ValueError>;

/// A map's key, or a struct's field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key<'a> {
    Text(Cow<'a, str>),
    /// Every value of its Rust type fits into the width; when unpacking, this value does.
    Int(i64, Width),
    BigInt(u64),
    Bool(bool),
    /// Of a struct that has numbers on the wire and no names: the field of this index, from 0.
    /// Only for unpacking.
    #[cfg(any(feature = "grpc", feature = "thrift"))]
    Index(u32),
    /// An integer of which the Rust type says whether it has a sign; or nothing, which is that
    /// type's zero. Only for unpacking.
    #[cfg(feature = "grpc")]
    Untyped(Option<u64>),
}

/// The key as text, for wires whose keys are text. Fields without names count from 1, as people do.
impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Text(text) => f.write_str(text),
            Key::Int(value, _) => write!(f, "{value}"),
            Key::BigInt(value) => write!(f, "{value}"),
            Key::Bool(value) => write!(f, "{value}"),
            #[cfg(any(feature = "grpc", feature = "thrift"))]
            Key::Index(index) => write!(f, "{}", u64::from(*index) + 1),
            #[cfg(feature = "grpc")]
            Key::Untyped(Some(value)) => write!(f, "{}", value.cast_signed()),
            #[cfg(feature = "grpc")]
            Key::Untyped(None) => Ok(()),
        }
    }
}

/// Writes a key: a text, an integer or a boolean.
pub(crate) struct KeyEmitter<'e>(pub(crate) &'e mut dyn Emit);

macro_rules! integer_keys {
    ($($method:ident: $type:ty => $width:ident,)*) => {$(
        fn $method(self, key: $type) -> Result {
            self.0.key(Key::Int(key.into(), Width::$width))
        }
    )*};
}

macro_rules! not_a_key {
    ($($method:ident($($type:ty),*) -> $ok:ty;)*) => {$(
        fn $method(self $(, _: $type)*) -> Result<$ok> {
            Err(ValueError::KeyNotText)
        }
    )*};
}

impl ser::Serializer for KeyEmitter<'_> {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = ser::Impossible<(), ValueError>;
    type SerializeTuple = ser::Impossible<(), ValueError>;
    type SerializeTupleStruct = ser::Impossible<(), ValueError>;
    type SerializeTupleVariant = ser::Impossible<(), ValueError>;
    type SerializeMap = ser::Impossible<(), ValueError>;
    type SerializeStruct = ser::Impossible<(), ValueError>;
    type SerializeStructVariant = ser::Impossible<(), ValueError>;

    integer_keys! {
        serialize_i8: i8 => I8,
        serialize_i16: i16 => I16,
        serialize_i32: i32 => I32,
        serialize_i64: i64 => I64,
        serialize_u8: u8 => I16,
        serialize_u16: u16 => I32,
        serialize_u32: u32 => I64,
    }

    fn serialize_u64(self, key: u64) -> Result {
        let small = i64::try_from(key).map(|key| Key::Int(key, Width::I64));
        self.0.key(small.unwrap_or(Key::BigInt(key)))
    }

    fn serialize_bool(self, key: bool) -> Result {
        self.0.key(Key::Bool(key))
    }

    fn serialize_char(self, key: char) -> Result {
        self.serialize_str(key.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, key: &str) -> Result {
        self.0.key(Key::Text(key.into()))
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        key: &T,
    ) -> Result {
        key.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _key: &T) -> Result {
        Err(ValueError::KeyNotText)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result {
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
