//! Values to bytes.
//!
//! A value's kind stands before it. The Thrift file says which kind it shall be; where it does not
//! say, the Rust type chooses.

use std::mem;

use byteorder::{BigEndian, ByteOrder};

use super::idl::{Field, Idl, Type};
use super::kind;
use crate::protocol::emit::{Emit, Shape, Width};
use crate::protocol::key::Key;
use crate::protocol::native::ValueError;

type Result<T = ()> = std::result::Result<T, ValueError>;

/// Appends one struct: the arguments, or a result.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    idl: &'a Idl,
    level: Level<'a>,
    /// The levels around it; a call of simple values needs no memory for them.
    around: Vec<Level<'a>>,
}

/// The container that is open.
enum Level<'a> {
    /// None: the arguments come next, with these fields in the file.
    Arguments(Option<&'a [Field]>),
    Fields {
        declared: Option<&'a [Field]>,
        /// The position of the next value that comes without a name.
        next: usize,
        /// The number of the next value, and what the file says about it.
        pending: Option<(i16, Option<&'a Type>)>,
    },
    Items {
        /// Where the items' kind and count are written when they are known.
        at: usize,
        kind: u8,
        count: u32,
        declared: Option<&'a Type>,
    },
    Entries {
        at: usize,
        kinds: [u8; 2],
        count: u32,
        declared: Option<&'a (Type, Type)>,
    },
}

impl<'a> Writer<'a> {
    /// Writes the struct of arguments, whose fields may be declared: a list, a tuple, a struct or
    /// a map, or nothing.
    pub(super) fn of_arguments(
        out: &'a mut Vec<u8>,
        idl: &'a Idl,
        declared: Option<&'a [Field]>,
    ) -> Writer<'a> {
        Writer { out, idl, level: Level::Arguments(declared), around: Vec::new() }
    }

    /// Writes a struct of one field: one value, or nothing.
    pub(super) fn of_field(
        out: &'a mut Vec<u8>,
        idl: &'a Idl,
        id: i16,
        declared: Option<&'a Type>,
    ) -> Writer<'a> {
        let level = Level::Fields { declared: None, next: 0, pending: Some((id, declared)) };
        Writer { out, idl, level, around: Vec::new() }
    }

    /// Ends the struct.
    pub(super) fn end(self) {
        self.out.push(kind::STOP);
    }

    // These three are inlined by order because every value passes through them: without it they
    // are as many instructions again.

    /// Settles where the next value stands, and what the file says about it.
    #[inline(always)]
    fn place(&mut self) -> Result<Option<&'a Type>> {
        match &mut self.level {
            Level::Arguments(_) => Err(ValueError::Unfit(
                "arguments are a tuple, a sequence, a struct or a map".to_owned(),
            )),
            Level::Fields { pending: Some((_, declared)), .. } => Ok(*declared),
            Level::Fields { declared, next, pending } => {
                let place = by_position(*declared, *next)?;
                *next += 1;
                *pending = Some(place);
                Ok(place.1)
            }
            Level::Items { declared, .. } => Ok(*declared),
            Level::Entries { declared, .. } => Ok(declared.map(|types| &types.1)),
        }
    }

    /// Writes what stands before a value of this kind, once it is placed.
    #[inline(always)]
    fn begin(&mut self, kind: u8) -> Result {
        match &mut self.level {
            Level::Arguments(_) => {}
            Level::Fields { pending, .. } => {
                let id = pending.take().map_or(0, |(id, _)| id);
                let [high, low] = id.to_be_bytes();
                self.out.extend_from_slice(&[kind, high, low]);
            }
            Level::Items { kind: known, count, .. } => {
                same(known, kind)?;
                *count += 1;
            }
            Level::Entries { kinds, count, .. } => {
                same(&mut kinds[1], kind)?;
                *count += 1;
            }
        }
        Ok(())
    }

    /// Writes the head of a list or a set, which is completed when it is closed.
    fn begin_items(&mut self, kind: u8, declared: Option<&'a Type>) -> Result<Level<'a>> {
        self.begin(kind)?;
        let at = self.out.len();
        self.out.extend_from_slice(&[0; 5]);
        Ok(Level::Items { at, kind: kind::STOP, count: 0, declared })
    }

    /// Writes the head of a map, which is completed when it is closed.
    fn begin_entries(&mut self, declared: Option<&'a (Type, Type)>) -> Result<Level<'a>> {
        self.begin(kind::MAP)?;
        let at = self.out.len();
        self.out.extend_from_slice(&[0; 6]);
        Ok(Level::Entries { at, kinds: [kind::STOP; 2], count: 0, declared })
    }

    #[inline(always)]
    fn put_int(&mut self, kind: u8, value: i64) -> Result {
        let out = &mut *self.out;
        let put = match kind {
            kind::BYTE => i8::try_from(value).map(|value| out.push(value.cast_unsigned())),
            kind::I16 => i16::try_from(value).map(|value| out.extend(value.to_be_bytes())),
            kind::I32 => i32::try_from(value).map(|value| out.extend(value.to_be_bytes())),
            _ => {
                out.extend(value.to_be_bytes());
                Ok(())
            }
        };
        put.map_err(|_| {
            ValueError::Unfit(format!("{value} does not fit into {}", kind::name(kind)))
        })
    }

    fn put_bytes(&mut self, bytes: &[u8]) -> Result {
        let length = u32::try_from(bytes.len()).map_err(|_| ValueError::TooLong(bytes.len()))?;
        self.out.extend_from_slice(&length.to_be_bytes());
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn put_string(&mut self, bytes: &[u8]) -> Result {
        self.begin(kind::STRING)?;
        self.put_bytes(bytes)
    }

    /// The next value is the field of this name, if the file has one.
    fn name_field(&mut self, fields: &'a [Field], name: &str) -> Result {
        let field = fields.iter().find(|field| field.name == name);
        let field = field.ok_or_else(|| {
            ValueError::Unfit(format!("the Thrift file has no field {name:?} here"))
        })?;
        self.set_pending(field.id, Some(&field.of));
        Ok(())
    }

    fn set_pending(&mut self, id: i16, declared: Option<&'a Type>) {
        if let Level::Fields { pending, .. } = &mut self.level {
            *pending = Some((id, declared));
        }
    }

    fn put_key(&mut self, kind: u8, key: &Key<'_>, declared: Option<&Type>) -> Result {
        let number = match (key, declared) {
            (Key::Text(name), Some(Type::Enum(index))) => {
                Some(self.idl.value_number(*index, name)?.into())
            }
            (Key::Text(text), Some(_)) => text.parse().ok(),
            (Key::Int(value, _), _) => Some(*value),
            (Key::Bool(value), _) => Some(i64::from(*value)),
            _ => None,
        };
        match (kind, number) {
            (kind::STRING, _) => self.put_bytes(key.to_string().as_bytes()),
            (kind::BOOL, _) if matches!(key, Key::Bool(_)) => {
                self.out.push(u8::from(number == Some(1)));
                Ok(())
            }
            (kind::BYTE | kind::I16 | kind::I32 | kind::I64, Some(number)) => {
                self.put_int(kind, number)
            }
            _ => Err(ValueError::Unfit(format!("the key {key} is not {}", kind::name(kind)))),
        }
    }
}

/// The number of a value that comes without a name.
fn by_position(declared: Option<&[Field]>, position: usize) -> Result<(i16, Option<&Type>)> {
    match declared {
        None => {
            let id = i16::try_from(position + 1);
            let id =
                id.map_err(|_| ValueError::Unfit("a struct of over 32767 fields".to_owned()))?;
            Ok((id, None))
        }
        Some(fields) => {
            let field = fields.get(position).ok_or_else(|| {
                let count = fields.len();
                ValueError::Unfit(format!("the Thrift file has {count} fields here, and no more"))
            })?;
            Ok((field.id, Some(&field.of)))
        }
    }
}

/// Everything in a list is of the kind that its first item is of.
fn same(known: &mut u8, kind: u8) -> Result {
    if *known == kind::STOP {
        *known = kind;
    }
    if *known != kind {
        let (known, kind) = (kind::name(*known), kind::name(kind));
        let why = format!("a Thrift list or map holds values of one kind, not {known} and {kind}");
        return Err(ValueError::Unfit(why));
    }
    Ok(())
}

fn unlike(declared: &Type, value: &str) -> ValueError {
    let declared = kind::name(declared.kind());
    ValueError::Unfit(format!("the Thrift file has {declared} here, and the value is {value}"))
}

impl Emit for Writer<'_> {
    /// A field that is left out.
    fn null(&mut self) -> Result {
        if matches!(self.level, Level::Arguments(_)) {
            return Ok(());
        }
        self.place()?;
        match &mut self.level {
            Level::Fields { pending, .. } => {
                *pending = None;
                Ok(())
            }
            _ => Err(ValueError::Unfit("a Thrift list or map cannot hold nothing".to_owned())),
        }
    }

    fn bool(&mut self, value: bool) -> Result {
        match self.place()? {
            None | Some(Type::Bool) => {}
            Some(other) => return Err(unlike(other, "a boolean")),
        }
        self.begin(kind::BOOL)?;
        self.out.push(u8::from(value));
        Ok(())
    }

    fn int(&mut self, value: i64, width: Width) -> Result {
        let kind = match self.place()? {
            None => kind::of_width(width),
            Some(Type::Double) => return self.float(value as f64),
            Some(declared) => match declared.kind() {
                kind @ (kind::BYTE | kind::I16 | kind::I32 | kind::I64) => kind,
                _ => return Err(unlike(declared, "an integer")),
            },
        };
        self.begin(kind)?;
        self.put_int(kind, value)
    }

    fn big_int(&mut self, value: u64) -> Result {
        Err(ValueError::Unfit(format!("{value} does not fit into {}", kind::name(kind::I64))))
    }

    fn float(&mut self, value: f64) -> Result {
        match self.place()? {
            None | Some(Type::Double) => {}
            Some(other) => return Err(unlike(other, "a float")),
        }
        self.begin(kind::DOUBLE)?;
        self.out.extend_from_slice(&value.to_be_bytes());
        Ok(())
    }

    fn text(&mut self, value: &str) -> Result {
        match self.place()? {
            None | Some(Type::Text | Type::Binary) => self.put_string(value.as_bytes()),
            Some(Type::Enum(index)) => {
                let number = self.idl.value_number(*index, value)?;
                self.begin(kind::I32)?;
                self.put_int(kind::I32, number.into())
            }
            Some(other) => Err(unlike(other, "a text")),
        }
    }

    fn bytes(&mut self, value: &[u8]) -> Result {
        match self.place()? {
            None | Some(Type::Text | Type::Binary) => self.put_string(value),
            Some(Type::Uuid) if value.len() == 16 => {
                self.begin(kind::UUID)?;
                self.out.extend_from_slice(value);
                Ok(())
            }
            Some(other) => Err(unlike(other, "bytes")),
        }
    }

    fn unit_variant(&mut self, index: u32, name: &'static str) -> Result {
        match self.place()? {
            None => {
                self.begin(kind::I32)?;
                self.put_int(kind::I32, index.into())
            }
            Some(_) => self.text(name),
        }
    }

    fn open(&mut self, shape: Shape, _count: Option<usize>) -> Result {
        let fields = |declared| Level::Fields { declared, next: 0, pending: None };
        if let Level::Arguments(declared) = self.level {
            if shape == Shape::Map && declared.is_none() {
                let why = "arguments by name need a Thrift file, which numbers them";
                return Err(ValueError::Unfit(why.to_owned()));
            }
            self.level = fields(declared);
            return Ok(());
        }
        let declared = self.place()?;
        let is_list = matches!(shape, Shape::List | Shape::Tuple);
        let level = match (declared, shape) {
            (Some(Type::Struct(index)), _) => {
                self.begin(kind::STRUCT)?;
                fields(Some(self.idl.fields(*index)))
            }
            (None, Shape::Tuple | Shape::Struct) => {
                self.begin(kind::STRUCT)?;
                fields(None)
            }
            (Some(Type::List(item)), _) if is_list => self.begin_items(kind::LIST, Some(item))?,
            (Some(Type::Set(item)), _) if is_list => self.begin_items(kind::SET, Some(item))?,
            (None, Shape::List) => self.begin_items(kind::LIST, None)?,
            (Some(Type::Map(types)), _) if !is_list => self.begin_entries(Some(types))?,
            (None, Shape::Map) => self.begin_entries(None)?,
            (Some(other), _) if is_list => return Err(unlike(other, "a list")),
            (Some(other), _) => return Err(unlike(other, "a struct or a map")),
        };
        self.around.push(mem::replace(&mut self.level, level));
        Ok(())
    }

    fn key(&mut self, key: Key<'_>) -> Result {
        match &mut self.level {
            Level::Entries { kinds, declared, .. } => {
                let declared = declared.map(|types| &types.0);
                let natural = match &key {
                    Key::Int(_, width) => kind::of_width(*width),
                    Key::Bool(_) => kind::BOOL,
                    Key::BigInt(value) => {
                        let value = *value;
                        return self.big_int(value);
                    }
                    _ => kind::STRING,
                };
                let kind = declared.map_or(natural, Type::kind);
                same(&mut kinds[0], kind)?;
                self.put_key(kind, &key, declared)
            }
            &mut Level::Fields { declared: Some(fields), .. } => {
                self.name_field(fields, &key.to_string())
            }
            _ => Err(ValueError::KeyNotText),
        }
    }

    fn field(&mut self, index: u32, name: &'static str) -> Result {
        match &self.level {
            &Level::Fields { declared: Some(fields), .. } => self.name_field(fields, name),
            Level::Fields { declared: None, .. } => {
                let (id, _) = by_position(None, index as usize)?;
                self.set_pending(id, None);
                Ok(())
            }
            _ => self.key(Key::Text(name.into())),
        }
    }

    fn close(&mut self, _shape: Shape) -> Result {
        // The outermost struct is ended by `end`, because nothing may have been opened.
        let Some(around) = self.around.pop() else { return Ok(()) };
        match mem::replace(&mut self.level, around) {
            Level::Arguments(_) => {}
            Level::Fields { .. } => self.out.push(kind::STOP),
            Level::Items { at, kind, count, declared } => {
                self.out[at] = settled(kind, declared);
                BigEndian::write_u32(&mut self.out[at + 1..], count);
            }
            Level::Entries { at, kinds, count, declared } => {
                self.out[at] = settled(kinds[0], declared.map(|types| &types.0));
                self.out[at + 1] = settled(kinds[1], declared.map(|types| &types.1));
                BigEndian::write_u32(&mut self.out[at + 2..], count);
            }
        }
        Ok(())
    }
}

/// The kind of items of which none came.
fn settled(kind: u8, declared: Option<&Type>) -> u8 {
    match kind {
        kind::STOP => declared.map_or(kind::STRING, Type::kind),
        kind => kind,
    }
}
