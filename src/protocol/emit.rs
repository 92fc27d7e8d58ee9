//! Packing, for every wire but the native one: a serde `Serializer` over the few things that a
//! wire tells apart.
//!
//! serde has some forty methods, because Rust has that many kinds of types; a wire writes about
//! ten. What lies between is the same for all wires, and is here once: integers are widened,
//! an enum's variant becomes a name or a struct of one field, and nesting is counted.

use serde::ser::{self, Serialize};

pub(crate) use super::key::Key;
use super::key::KeyEmitter;
use super::native::ValueError;
use crate::message::Pack;

type Result<T = ()> = std::result::Result<T, ValueError>;

/// What a wire writes. A value is one call of a method from [`null`](Emit::null) to
/// [`unit_variant`](Emit::unit_variant), or an [`open`](Emit::open), its contents, and a
/// [`close`](Emit::close).
pub(crate) trait Emit {
    /// Nothing: `None` and `()`.
    fn null(&mut self) -> Result;

    fn bool(&mut self, value: bool) -> Result;

    /// An integer; every value of its Rust type fits into `width`.
    fn int(&mut self, value: i64, width: Width) -> Result;

    /// An integer above `i64::MAX`.
    fn big_int(&mut self, value: u64) -> Result;

    fn float(&mut self, value: f64) -> Result;

    /// For a wire that tells it from [`float`](Emit::float).
    fn single(&mut self, value: f32) -> Result {
        self.float(value.into())
    }

    fn text(&mut self, value: &str) -> Result;

    fn bytes(&mut self, value: &[u8]) -> Result;

    /// An enum's variant without content; for a wire that has numbers for them.
    fn unit_variant(&mut self, _index: u32, name: &'static str) -> Result {
        self.text(name)
    }

    /// The next value is what a newtype struct of this name holds; for a wire that has a form of
    /// its own for some.
    fn newtype(&mut self, _name: &'static str) {}

    /// Opens the struct of one field that stands for an enum's variant with content; for a wire
    /// that tells it from a struct.
    fn open_variant(&mut self) -> Result {
        self.open(Shape::Struct, Some(1))
    }

    /// Opens a container of as many items as `count` says, if that is known.
    ///
    /// Items of a list or a tuple follow as values; entries of a map as a [`key`](Emit::key) and a
    /// value; those of a struct as a [`field`](Emit::field) and a value.
    fn open(&mut self, shape: Shape, count: Option<usize>) -> Result;

    fn key(&mut self, key: Key<'_>) -> Result;

    /// The field of this index, from 0. Indices ascend, and fields may be left out.
    fn field(&mut self, _index: u32, name: &'static str) -> Result {
        self.key(Key::Text(name.into()))
    }

    /// Closes what was opened last.
    fn close(&mut self, shape: Shape) -> Result;
}

/// The smallest signed integer that holds every value of a Rust integer type: 16 bits for `u8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Width {
    I8,
    I16,
    I32,
    I64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Values of one Rust type, as many as there are.
    List,
    /// Values of different types, as many as the type says. Arrays are tuples to serde.
    Tuple,
    /// Entries whose keys are data.
    Map,
    /// Entries whose keys are the type's. An enum's variant with content is a struct of one field:
    /// the variant's index and name.
    Struct,
}

/// Writes a value, in which containers may nest as deep as `depth`.
///
/// # Errors
/// The value has no form on the wire. What was written by then is the caller's to remove.
pub(crate) fn emit(wire: &mut dyn Emit, depth: usize, value: &dyn Pack) -> Result {
    value.emit(&mut Emitter { wire, depth })
}

/// Writes a value: a serde `Serializer`. Which wire it writes to, no type says, so that a result's
/// type is compiled once for all of them.
pub struct Emitter<'e> {
    wire: &'e mut (dyn Emit + 'e),
    /// How many containers may still be opened.
    depth: usize,
}

impl<'e> Emitter<'e> {
    fn open(&mut self, shape: Shape, count: Option<usize>) -> Result<Container<'_, 'e>> {
        self.descend()?;
        self.wire.open(shape, count)?;
        Ok(Container { emitter: self, shape, next: 0, is_variant: false })
    }

    /// A container inside the struct of one field that stands for a variant.
    fn open_variant(
        &mut self,
        index: u32,
        name: &'static str,
        shape: Shape,
        count: usize,
    ) -> Result<Container<'_, 'e>> {
        self.begin_variant(index, name)?;
        Ok(Container { is_variant: true, ..self.open(shape, Some(count))? })
    }

    fn begin_variant(&mut self, index: u32, name: &'static str) -> Result {
        self.descend()?;
        self.wire.open_variant()?;
        self.wire.field(index, name)
    }

    fn end_variant(&mut self) -> Result {
        self.depth += 1;
        self.wire.close(Shape::Struct)
    }

    fn descend(&mut self) -> Result {
        self.depth = self.depth.checked_sub(1).ok_or(ValueError::TooDeep)?;
        Ok(())
    }
}

/// A container that is being written.
pub struct Container<'c, 'e> {
    emitter: &'c mut Emitter<'e>,
    shape: Shape,
    /// The index of a struct's next field.
    next: u32,
    is_variant: bool,
}

impl Container<'_, '_> {
    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        value.serialize(&mut *self.emitter)
    }

    fn close(self) -> Result {
        self.emitter.depth += 1;
        self.emitter.wire.close(self.shape)?;
        if self.is_variant { self.emitter.end_variant() } else { Ok(()) }
    }
}

impl<'c, 'e> ser::Serializer for &'c mut Emitter<'e> {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = Container<'c, 'e>;
    type SerializeTuple = Container<'c, 'e>;
    type SerializeTupleStruct = Container<'c, 'e>;
    type SerializeTupleVariant = Container<'c, 'e>;
    type SerializeMap = Container<'c, 'e>;
    type SerializeStruct = Container<'c, 'e>;
    type SerializeStructVariant = Container<'c, 'e>;

    fn serialize_bool(self, value: bool) -> Result {
        self.wire.bool(value)
    }

    fn serialize_i8(self, value: i8) -> Result {
        self.wire.int(value.into(), Width::I8)
    }

    fn serialize_i16(self, value: i16) -> Result {
        self.wire.int(value.into(), Width::I16)
    }

    fn serialize_i32(self, value: i32) -> Result {
        self.wire.int(value.into(), Width::I32)
    }

    fn serialize_i64(self, value: i64) -> Result {
        self.wire.int(value, Width::I64)
    }

    fn serialize_i128(self, value: i128) -> Result {
        match i64::try_from(value) {
            Ok(small) => self.serialize_i64(small),
            Err(_) => self.serialize_u64(u64::try_from(value).map_err(|_| ValueError::TooBig)?),
        }
    }

    fn serialize_u8(self, value: u8) -> Result {
        self.wire.int(value.into(), Width::I16)
    }

    fn serialize_u16(self, value: u16) -> Result {
        self.wire.int(value.into(), Width::I32)
    }

    fn serialize_u32(self, value: u32) -> Result {
        self.wire.int(value.into(), Width::I64)
    }

    fn serialize_u64(self, value: u64) -> Result {
        match i64::try_from(value) {
            Ok(small) => self.serialize_i64(small),
            Err(_) => self.wire.big_int(value),
        }
    }

    fn serialize_u128(self, value: u128) -> Result {
        self.serialize_u64(u64::try_from(value).map_err(|_| ValueError::TooBig)?)
    }

    fn serialize_f32(self, value: f32) -> Result {
        self.wire.single(value)
    }

    fn serialize_f64(self, value: f64) -> Result {
        self.wire.float(value)
    }

    fn serialize_char(self, value: char) -> Result {
        self.wire.text(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result {
        self.wire.text(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result {
        self.wire.bytes(value)
    }

    fn serialize_none(self) -> Result {
        self.wire.null()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result {
        self.wire.null()
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result {
        self.wire.null()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result {
        self.wire.unit_variant(index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result {
        self.wire.newtype(name);
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result {
        self.begin_variant(index, variant)?;
        value.serialize(&mut *self)?;
        self.end_variant()
    }

    fn serialize_seq(self, count: Option<usize>) -> Result<Container<'c, 'e>> {
        self.open(Shape::List, count)
    }

    fn serialize_tuple(self, count: usize) -> Result<Container<'c, 'e>> {
        self.open(Shape::Tuple, Some(count))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        count: usize,
    ) -> Result<Container<'c, 'e>> {
        self.open(Shape::Tuple, Some(count))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
        count: usize,
    ) -> Result<Container<'c, 'e>> {
        self.open_variant(index, variant, Shape::Tuple, count)
    }

    fn serialize_map(self, count: Option<usize>) -> Result<Container<'c, 'e>> {
        self.open(Shape::Map, count)
    }

    fn serialize_struct(self, _name: &'static str, count: usize) -> Result<Container<'c, 'e>> {
        self.open(Shape::Struct, Some(count))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
        count: usize,
    ) -> Result<Container<'c, 'e>> {
        self.open_variant(index, variant, Shape::Struct, count)
    }
}

macro_rules! items {
    ($($kind:ident $method:ident;)*) => {$(
        impl ser::$kind for Container<'_, '_> {
            type Ok = ();
            type Error = ValueError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
                self.value(value)
            }

            fn end(self) -> Result {
                self.close()
            }
        }
    )*};
}

items! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

macro_rules! fields {
    ($($kind:ident)*) => {$(
        impl ser::$kind for Container<'_, '_> {
            type Ok = ();
            type Error = ValueError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result {
                self.emitter.wire.field(self.next, name)?;
                self.next += 1;
                self.value(value)
            }

            fn skip_field(&mut self, _name: &'static str) -> Result {
                self.next += 1;
                Ok(())
            }

            fn end(self) -> Result {
                self.close()
            }
        }
    )*};
}

fields! { SerializeStruct SerializeStructVariant }

impl ser::SerializeMap for Container<'_, '_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result {
        key.serialize(KeyEmitter(&mut *self.emitter.wire))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.value(value)
    }

    fn end(self) -> Result {
        self.close()
    }
}
