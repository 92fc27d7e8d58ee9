//! The kinds of values: the byte that stands before each.

use crate::protocol::emit::Width;

/// No value: the end of a struct.
pub const STOP: u8 = 0;
/// One byte, 0 or 1.
pub const BOOL: u8 = 2;
/// An `i8`.
pub const BYTE: u8 = 3;
/// An `f64`, IEEE 754.
pub const DOUBLE: u8 = 4;
/// An `i16`.
pub const I16: u8 = 6;
/// An `i32`.
pub const I32: u8 = 8;
/// An `i64`.
pub const I64: u8 = 10;
/// Text or bytes: an `i32` length, that many bytes.
pub const STRING: u8 = 11;
/// Fields: a kind, an `i16` number, a value; then [`STOP`].
pub const STRUCT: u8 = 12;
/// Two kinds, an `i32` count, that many keys and values.
pub const MAP: u8 = 13;
/// As a list.
pub const SET: u8 = 14;
/// A kind, an `i32` count, that many values.
pub const LIST: u8 = 15;
/// Sixteen bytes.
pub const UUID: u8 = 16;

/// The kind as Thrift files name it, with an article.
pub fn name(kind: u8) -> &'static str {
    match kind {
        BOOL => "a bool",
        BYTE => "a byte",
        DOUBLE => "a double",
        I16 => "an i16",
        I32 => "an i32",
        I64 => "an i64",
        STRING => "a string",
        STRUCT => "a struct",
        MAP => "a map",
        SET => "a set",
        LIST => "a list",
        UUID => "a uuid",
        _ => "no kind of value",
    }
}

/// The bytes of a value, where all of its kind have as many.
pub(super) fn size(kind: u8) -> Option<usize> {
    match kind {
        BOOL | BYTE => Some(1),
        I16 => Some(2),
        I32 => Some(4),
        I64 | DOUBLE => Some(8),
        UUID => Some(16),
        _ => None,
    }
}

pub(super) fn of_width(width: Width) -> u8 {
    match width {
        Width::I8 => BYTE,
        Width::I16 => I16,
        Width::I32 => I32,
        Width::I64 => I64,
    }
}
