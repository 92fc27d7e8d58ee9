//! What one value is: as the file declares it, or else as the Rust type wants it.

use super::super::proto::Type;
use super::super::wire::{self, Raw, take_field, take_raw, unzigzag};
use super::{Level, Next, Reader, Result, Run};
use crate::protocol::emit::Width;
use crate::protocol::key::Key;
use crate::protocol::native::ValueError;
use crate::protocol::pull::{Event, Hint};

impl<'de> Reader<'de> {
    /// A field that is there.
    pub(super) fn field(
        &mut self,
        run: Run<'de>,
        of: Option<&'de Type>,
        hint: Hint,
    ) -> Result<Event<'de>> {
        match (of, hint) {
            (Some(Type::List(item)), _) => return Ok(self.open_items(run, Some(item))),
            (Some(Type::Map(types)), _) => return self.open_entries(run, Some(types)),
            (None, Hint::List) => return Ok(self.open_items(run, None)),
            (None, Hint::Map) => return self.open_entries(run, None),
            (None, Hint::Any) if run.is_several()? => return Ok(self.open_items(run, None)),
            (Some(Type::Message(_)), _) | (None, Hint::Struct(_) | Hint::Tuple(_))
                if run.is_several()? =>
            {
                let why = "a message comes twice where one is wanted: they are not merged here";
                return Err(ValueError::Unfit(why.to_owned()));
            }
            _ => {}
        }
        match run.last()? {
            Some(raw) => self.value(raw, of, hint),
            None => self.default(of, hint),
        }
    }

    pub(super) fn value(
        &mut self,
        raw: Raw<'de>,
        of: Option<&'de Type>,
        hint: Hint,
    ) -> Result<Event<'de>> {
        match of {
            Some(Type::Enum(index)) => self.enum_value(int(raw, &Type::Int32)?, *index, hint),
            Some(Type::Message(index)) => match raw {
                Raw::Bytes(bytes) => self.open_message(bytes, self.proto.message(*index), hint),
                _ => Err(unlike(&Type::Message(*index))),
            },
            Some(of) => scalar(raw, of),
            None => self.undeclared(raw, hint),
        }
    }

    fn undeclared(&mut self, raw: Raw<'de>, hint: Hint) -> Result<Event<'de>> {
        let bytes = match raw {
            Raw::Varint(value) => {
                return Ok(match (hint, u32::try_from(value)) {
                    (Hint::Bool, _) => Event::Bool(value != 0),
                    (Hint::Unsigned(_), _) => Event::Int(value.into()),
                    (Hint::Enum(_), Ok(index)) => Event::Variant(index),
                    _ => Event::Int(value.cast_signed().into()),
                });
            }
            Raw::Fixed64(bits) => return Ok(Event::Float(f64::from_bits(bits))),
            Raw::Fixed32(bits) => return Ok(Event::Float(f32::from_bits(bits).into())),
            Raw::Bytes(bytes) => bytes,
        };
        // A list or a map in a list is field 1 of a message.
        let run = Run { rest: bytes, number: 1, sorted: false };
        match (hint, str::from_utf8(bytes)) {
            (Hint::Struct(_) | Hint::Tuple(_) | Hint::Enum(_), _) => {
                self.open_message(bytes, None, hint)
            }
            (Hint::List, _) => Ok(self.open_items(run, None)),
            (Hint::Map, _) => self.open_entries(run, None),
            (Hint::Text | Hint::Any, Ok(text)) => Ok(Event::Text(text.into())),
            (Hint::Text, Err(_)) => Err(ValueError::NotUtf8),
            _ => Ok(Event::Bytes(bytes.into())),
        }
    }

    fn enum_value(&self, value: i64, index: usize, hint: Hint) -> Result<Event<'de>> {
        let number = value as i32;
        let name = self.proto.value_name(index, number);
        Ok(match (hint, name, u32::try_from(number)) {
            (Hint::Enum(_) | Hint::Any | Hint::Text, Some(name), _) => Event::Text(name.into()),
            (Hint::Enum(_), None, Ok(index)) => Event::Variant(index),
            _ => Event::Int(number.into()),
        })
    }

    /// An item of an undeclared list, whose numbers may come packed.
    pub(super) fn item_of(&mut self, mut bytes: &'de [u8], hint: Hint) -> Result<Event<'de>> {
        let is_packed = match hint {
            Hint::Bool | Hint::Int(_) | Hint::Unsigned(_) | Hint::Single | Hint::Float => true,
            // A message's first byte is a tag. A number is one too only if it is above 7, and then
            // it would have to be followed by just as many bytes as it says. No bytes are more
            // often a message of which no member is set than a list of no numbers.
            Hint::Enum(variants) => !bytes.is_empty() && !is_variant(bytes, variants.len()),
            _ => false,
        };
        match &mut self.level {
            Level::Items { run, packed, .. } if is_packed => {
                while bytes.is_empty() {
                    match run.take()? {
                        Some(Raw::Bytes(more)) => bytes = more,
                        Some(raw) => return self.value(raw, None, hint),
                        None => {
                            self.close();
                            self.next = Next::NoItem;
                            return Err(ValueError::Truncated);
                        }
                    }
                }
                *packed = bytes;
                self.packed(None, hint)
            }
            _ => self.undeclared(Raw::Bytes(bytes), hint),
        }
    }

    /// The next of the numbers that came packed.
    pub(super) fn packed(&mut self, of: Option<&'de Type>, hint: Hint) -> Result<Event<'de>> {
        let wire_type = match (of, hint) {
            (Some(Type::Fixed64 | Type::Sfixed64 | Type::Double), _) => wire::FIXED64,
            (Some(Type::Fixed32 | Type::Sfixed32 | Type::Float), _) => wire::FIXED32,
            (None, Hint::Float) => wire::FIXED64,
            (None, Hint::Single) => wire::FIXED32,
            _ => wire::VARINT,
        };
        let raw = match &mut self.level {
            Level::Items { packed, .. } => take_raw(wire_type, packed)?,
            _ => return Err(ValueError::Truncated),
        };
        self.value(raw, of, hint)
    }

    /// What is meant by a field that is not there: what its type has for zero.
    pub(super) fn default(&mut self, of: Option<&'de Type>, hint: Hint) -> Result<Event<'de>> {
        let nothing = Run { rest: &[], number: 1, sorted: true };
        match (of, hint) {
            (_, Hint::Null) | (None | Some(Type::Message(_)), Hint::Any) => Ok(Event::Null),
            (Some(Type::List(item)), _) => Ok(self.open_items(nothing, Some(item))),
            (Some(Type::Map(types)), _) => self.open_entries(nothing, Some(types)),
            (Some(Type::Message(index)), _) => {
                self.open_message(&[], self.proto.message(*index), hint)
            }
            (Some(Type::Enum(index)), _) => self.enum_value(0, *index, hint),
            (Some(Type::Text), _) => Ok(Event::Text("".into())),
            (Some(Type::Bytes), _) => Ok(Event::Bytes((&[]).into())),
            (Some(Type::Bool), _) | (None, Hint::Bool) => Ok(Event::Bool(false)),
            (Some(Type::Float | Type::Double), _) | (None, Hint::Single | Hint::Float) => {
                Ok(Event::Float(0.0))
            }
            (Some(_), _) | (None, Hint::Int(_) | Hint::Unsigned(_)) => Ok(Event::Int(0)),
            (None, Hint::Enum(_)) => Ok(Event::Variant(0)),
            (None, _) => self.undeclared(Raw::Bytes(&[]), hint),
        }
    }
}

/// Whether a repeated field's values of this type come packed.
pub(super) fn is_packed(of: &Type) -> bool {
    !matches!(of, Type::Text | Type::Bytes | Type::Message(_))
}

/// Whether these bytes are a message of one field that is one of an enum's variants.
fn is_variant(bytes: &[u8], variants: usize) -> bool {
    let mut rest = bytes;
    let first = take_field(&mut rest);
    matches!(first, Ok(Some((number, _))) if number as usize <= variants && rest.is_empty())
}

/// The key and the value of a map's entry.
pub(super) fn entry<'de>(
    entry: &'de [u8],
    types: Option<&'de (Type, Type)>,
) -> Result<(Key<'de>, Next<'de>)> {
    let field = |number| Run { rest: entry, number, sorted: false };
    let of = types.map(|types| &types.1);
    let value = match field(2).take()? {
        Some(_) => Next::Field(field(2), of),
        None => Next::Absent(of),
    };
    let key = match (field(1).last()?, types.map(|types| &types.0)) {
        (None, None) => Key::Untyped(None),
        (Some(Raw::Varint(key)), None) => Key::Untyped(Some(key)),
        (Some(Raw::Bytes(key)), None | Some(Type::Text)) => {
            Key::Text(str::from_utf8(key).map_err(|_| ValueError::NotUtf8)?.into())
        }
        (None, Some(Type::Text)) => Key::Text("".into()),
        (None, Some(Type::Bool)) => Key::Bool(false),
        (None, Some(_)) => Key::Int(0, Width::I64),
        (Some(raw), Some(of)) => match scalar(raw, of)? {
            Event::Bool(key) => Key::Bool(key),
            Event::Int(key) => match (i64::try_from(key), u64::try_from(key)) {
                (Ok(key), _) => Key::Int(key, Width::I64),
                (_, Ok(key)) => Key::BigInt(key),
                _ => return Err(ValueError::TooBig),
            },
            _ => return Err(ValueError::KeyNotText),
        },
        (Some(_), None) => return Err(ValueError::KeyNotText),
    };
    Ok((key, value))
}

fn scalar<'de>(raw: Raw<'de>, of: &Type) -> Result<Event<'de>> {
    Ok(match (of, raw) {
        (Type::Bool, Raw::Varint(value)) => Event::Bool(value != 0),
        (Type::Float, Raw::Fixed32(bits)) => Event::Float(f32::from_bits(bits).into()),
        (Type::Double, Raw::Fixed64(bits)) => Event::Float(f64::from_bits(bits)),
        (Type::Text, Raw::Bytes(bytes)) => {
            Event::Text(str::from_utf8(bytes).map_err(|_| ValueError::NotUtf8)?.into())
        }
        (Type::Bytes, Raw::Bytes(bytes)) => Event::Bytes(bytes.into()),
        (Type::Uint64, Raw::Varint(value)) | (Type::Fixed64, Raw::Fixed64(value)) => {
            Event::Int(value.into())
        }
        _ => Event::Int(int(raw, of)?.into()),
    })
}

/// An integer of a type whose values an `i64` holds. What does not fit is cut off: who wrote it
/// may have another type in his file.
fn int(raw: Raw<'_>, of: &Type) -> Result<i64> {
    Ok(match (of, raw) {
        (Type::Int32, Raw::Varint(value)) => (value as i32).into(),
        (Type::Uint32, Raw::Varint(value)) => (value as u32).into(),
        (Type::Sint32, Raw::Varint(value)) => unzigzag((value as u32).into()),
        (Type::Int64, Raw::Varint(value)) => value.cast_signed(),
        (Type::Sint64, Raw::Varint(value)) => unzigzag(value),
        (Type::Sfixed64, Raw::Fixed64(value)) => value.cast_signed(),
        (Type::Fixed32, Raw::Fixed32(value)) => value.into(),
        (Type::Sfixed32, Raw::Fixed32(value)) => value.cast_signed().into(),
        _ => return Err(unlike(of)),
    })
}

fn unlike(of: &Type) -> ValueError {
    ValueError::Unfit(format!("the .proto file has {} here, and something else came", of.name()))
}
