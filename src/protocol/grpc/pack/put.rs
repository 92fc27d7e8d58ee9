//! Numbers and keys, in the type that the file declares.

use super::super::proto::Type;
use super::super::wire::{Raw, zigzag};
use super::Result;
use crate::protocol::key::Key;
use crate::protocol::native::ValueError;

/// A number as Rust has it.
#[derive(Clone, Copy)]
pub(super) enum Number {
    Bool(bool),
    Int(i128),
    Double(f64),
    Float(f32),
}

/// A number in its declared type, or else in the one that its Rust type has.
pub(super) fn number(of: Option<&Type>, number: Number) -> Result<Raw<'static>> {
    let Some(of) = of else {
        return Ok(match number {
            Number::Bool(value) => Raw::Varint(value.into()),
            // 64 bits, whether they have a sign or not.
            Number::Int(value) => Raw::Varint(value as u64),
            Number::Double(value) => Raw::Fixed64(value.to_bits()),
            Number::Float(value) => Raw::Fixed32(value.to_bits()),
        });
    };
    match (of, number) {
        (Type::Bool, Number::Bool(value)) => Ok(Raw::Varint(value.into())),
        (Type::Double, Number::Double(value)) => Ok(Raw::Fixed64(value.to_bits())),
        (Type::Double, Number::Float(value)) => Ok(Raw::Fixed64(f64::from(value).to_bits())),
        (Type::Double, Number::Int(value)) => Ok(Raw::Fixed64((value as f64).to_bits())),
        (Type::Float, Number::Float(value)) => Ok(Raw::Fixed32(value.to_bits())),
        (Type::Float, Number::Int(value)) => Ok(Raw::Fixed32((value as f32).to_bits())),
        (Type::Float, Number::Double(value)) => {
            let single = value as f32;
            if single.is_infinite() && value.is_finite() {
                return Err(too_big(value, of));
            }
            Ok(Raw::Fixed32(single.to_bits()))
        }
        (_, Number::Int(value)) => int(of, value),
        (_, Number::Bool(_)) => Err(unlike(of, "a boolean")),
        (_, Number::Double(_) | Number::Float(_)) => Err(unlike(of, "a float")),
    }
}

fn int(of: &Type, value: i128) -> Result<Raw<'static>> {
    let signed32 = || i32::try_from(value).map_err(|_| too_big(value, of));
    let signed64 = || i64::try_from(value).map_err(|_| too_big(value, of));
    let unsigned32 = || u32::try_from(value).map_err(|_| too_big(value, of));
    let unsigned64 = || u64::try_from(value).map_err(|_| too_big(value, of));
    Ok(match of {
        Type::Int32 | Type::Enum(_) => Raw::Varint(i64::from(signed32()?).cast_unsigned()),
        Type::Int64 => Raw::Varint(signed64()?.cast_unsigned()),
        Type::Uint32 => Raw::Varint(unsigned32()?.into()),
        Type::Uint64 => Raw::Varint(unsigned64()?),
        Type::Sint32 => Raw::Varint(zigzag(signed32()?.into())),
        Type::Sint64 => Raw::Varint(zigzag(signed64()?)),
        Type::Fixed32 => Raw::Fixed32(unsigned32()?),
        Type::Sfixed32 => Raw::Fixed32(signed32()?.cast_unsigned()),
        Type::Fixed64 => Raw::Fixed64(unsigned64()?),
        Type::Sfixed64 => Raw::Fixed64(signed64()?.cast_unsigned()),
        _ => return Err(unlike(of, "an integer")),
    })
}

/// Field 1 of a map's entry.
pub(super) fn key(key: &Key<'_>, of: Option<&Type>, out: &mut Vec<u8>) -> Result {
    let value = match (key, of) {
        (Key::Text(text), None | Some(Type::Text)) => {
            Raw::Bytes(text.as_bytes()).put(1, out);
            return Ok(());
        }
        (_, Some(Type::Text)) => {
            Raw::Bytes(key.to_string().as_bytes()).put(1, out);
            return Ok(());
        }
        // Whoever has texts alone for keys, as a `Value` has, means the number in it.
        (Key::Text(text), Some(Type::Bool)) if let Ok(value) = text.parse() => Number::Bool(value),
        (Key::Text(text), Some(_)) if let Ok(value) = text.parse() => Number::Int(value),
        (Key::Int(value, _), _) => Number::Int((*value).into()),
        (Key::BigInt(value), _) => Number::Int((*value).into()),
        (Key::Bool(value), _) => Number::Bool(*value),
        (_, of) => {
            let of = of.map_or("a text", Type::name);
            return Err(ValueError::Unfit(format!("the key {key} is not {of}")));
        }
    };
    number(of, value)?.put(1, out);
    Ok(())
}

fn too_big(value: impl std::fmt::Display, of: &Type) -> ValueError {
    ValueError::Unfit(format!("{value} does not fit into {}", of.name()))
}

pub(super) fn unlike(of: &Type, value: &str) -> ValueError {
    let name = of.name();
    ValueError::Unfit(format!("the .proto file has {name} here, and the value is {value}"))
}
