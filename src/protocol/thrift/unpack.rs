//! Bytes to values.
//!
//! A value's kind stands before it, so it can be read without knowing its type; the Thrift file,
//! if there is one, adds the names of fields and of an enum's values.

use std::borrow::Cow;
use std::mem;

use byteorder::{BigEndian, ByteOrder};

use super::find::skip;
use super::idl::{Field, Idl, Type};
use super::kind;
use crate::protocol::emit::Width;
use crate::protocol::key::Key;
use crate::protocol::native::ValueError;
use crate::protocol::pull::{Event, Hint, Pull};

type Result<T = ()> = std::result::Result<T, ValueError>;

/// Reads one value.
pub(super) struct Reader<'de> {
    rest: &'de [u8],
    idl: &'de Idl,
    max_depth: usize,
    /// The kind of the next value; [`kind::STOP`] where there is none.
    kind: u8,
    /// What the file says about it.
    declared: Option<&'de Type>,
    level: Level<'de>,
    /// The levels around it; a call of simple values needs no memory for them.
    around: Vec<Level<'de>>,
}

/// The container that is open.
enum Level<'de> {
    /// None: the arguments come next, with these fields in the file.
    Arguments(Option<&'de [Field]>),
    /// None: the value stands for itself.
    Lone,
    /// A struct, whose fields are taken as they come.
    Fields {
        declared: Option<&'de [Field]>,
        /// Arguments have positions, the fields of other structs have names if the file has them.
        by_position: bool,
        /// How many positions the Rust type has, if it says so.
        known: usize,
    },
    /// A struct, whose fields are taken as a list: in ascending order.
    Tuple {
        declared: Option<&'de [Field]>,
        /// How many items there must be, if the Rust type says so.
        count: Option<usize>,
        read: usize,
        /// The next field, when it comes too early because another was left out.
        early: Option<(usize, u8)>,
    },
    Items {
        kind: u8,
        left: u32,
        declared: Option<&'de Type>,
    },
    Entries {
        kinds: [u8; 2],
        left: u32,
        declared: Option<&'de (Type, Type)>,
    },
}

impl<'de> Reader<'de> {
    /// Reads the struct of arguments, whose fields may be declared.
    pub(super) fn of_arguments(
        bytes: &'de [u8],
        idl: &'de Idl,
        declared: Option<&'de [Field]>,
        max_depth: usize,
    ) -> Reader<'de> {
        let level = Level::Arguments(declared);
        let (kind, around) = (kind::STRUCT, Vec::new());
        Reader { rest: bytes, idl, max_depth, kind, declared: None, level, around }
    }

    /// Reads one value of this kind; nothing, if the kind is [`kind::STOP`].
    pub(super) fn of_value(
        kind: u8,
        bytes: &'de [u8],
        idl: &'de Idl,
        declared: Option<&'de Type>,
        max_depth: usize,
    ) -> Reader<'de> {
        let (level, around) = (Level::Lone, Vec::new());
        Reader { rest: bytes, idl, max_depth, kind, declared, level, around }
    }

    fn take(&mut self, count: usize) -> Result<&'de [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(ValueError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn take_u32(&mut self) -> Result<u32> {
        Ok(BigEndian::read_u32(self.take(4)?))
    }

    fn take_bytes(&mut self) -> Result<&'de [u8]> {
        let length = self.take_u32()?;
        self.take(length as usize)
    }

    fn take_bool(&mut self) -> Result<bool> {
        match self.take(1)?[0] {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(ValueError::BadBool(other)),
        }
    }

    /// An integer of this kind, if it is a kind of integer.
    fn take_int(&mut self, kind: u8) -> Result<Option<(i64, Width)>> {
        Ok(Some(match kind {
            kind::BYTE => (i64::from(self.take(1)?[0].cast_signed()), Width::I8),
            kind::I16 => (BigEndian::read_i16(self.take(2)?).into(), Width::I16),
            kind::I32 => (BigEndian::read_i32(self.take(4)?).into(), Width::I32),
            kind::I64 => (BigEndian::read_i64(self.take(8)?), Width::I64),
            _ => return Ok(None),
        }))
    }

    /// The number and kind of a struct's next field, unless the struct ends here.
    fn take_field(&mut self) -> Result<Option<(i16, u8)>> {
        if self.rest.first() == Some(&kind::STOP) {
            return Ok(None);
        }
        let head = self.take(3)?;
        Ok(Some((BigEndian::read_i16(&head[1..]), head[0])))
    }

    fn skip_value(&mut self, kind: u8) -> Result {
        let length = skip(kind, self.rest, self.max_depth)?;
        self.take(length).map(drop)
    }

    fn open(&mut self, level: Level<'de>) {
        match mem::replace(&mut self.level, level) {
            Level::Arguments(_) | Level::Lone => {}
            around => self.around.push(around),
        }
    }

    fn close(&mut self) {
        self.level = self.around.pop().unwrap_or(Level::Lone);
    }

    fn text(&self, bytes: &'de [u8], hint: Hint, declared: Option<&Type>) -> Result<Event<'de>> {
        let is_binary = match hint {
            Hint::Bytes | Hint::List | Hint::Tuple(_) => true,
            Hint::Any => declared == Some(&Type::Binary),
            _ => false,
        };
        match str::from_utf8(bytes) {
            Ok(text) if !is_binary => Ok(Event::Text(text.into())),
            Err(_) if !is_binary && hint != Hint::Any => Err(ValueError::NotUtf8),
            _ => Ok(Event::Bytes(bytes.into())),
        }
    }

    /// An integer that may be one of an enum's values.
    fn int(&self, value: i64, hint: Hint, declared: Option<&Type>) -> Event<'de> {
        let number = i32::try_from(value).ok();
        let name = match (declared, number) {
            (Some(Type::Enum(index)), Some(number)) => self.idl.value_name(*index, number),
            _ => None,
        };
        match (hint, name, number.map(u32::try_from)) {
            (Hint::Enum(_) | Hint::Any | Hint::Text, Some(name), _) => Event::Text(name.into()),
            (Hint::Enum(_), None, Some(Ok(index))) => Event::Variant(index),
            _ => Event::Int(value.into()),
        }
    }

    fn open_struct(&mut self, hint: Hint, declared: Option<&'de Type>) -> Event<'de> {
        let (is_arguments, declared) = match (&self.level, declared) {
            (Level::Arguments(fields), _) => (true, *fields),
            (_, Some(Type::Struct(index))) => (false, Some(self.idl.fields(*index))),
            _ => (false, None),
        };
        let tuple = |count| Level::Tuple { declared, count, read: 0, early: None };
        let fields = |by_position, known| Level::Fields { declared, by_position, known };
        let (event, level) = match hint {
            Hint::Tuple(count) => (Event::List, tuple(Some(count))),
            Hint::List => (Event::List, tuple(None)),
            Hint::Any if is_arguments => (Event::List, tuple(None)),
            Hint::Struct(names) => (Event::Map, fields(is_arguments, names.len())),
            _ => (Event::Map, fields(false, usize::MAX)),
        };
        self.open(level);
        event
    }

    fn open_list(&mut self, declared: Option<&'de Type>) -> Result<Event<'de>> {
        let kind = self.take(1)?[0];
        let left = self.take_count(&[kind])?;
        let declared = match declared {
            Some(Type::List(item) | Type::Set(item)) => Some(&**item),
            _ => None,
        };
        self.open(Level::Items { kind, left, declared });
        Ok(Event::List)
    }

    fn open_map(&mut self, declared: Option<&'de Type>) -> Result<Event<'de>> {
        let kinds = self.take(2)?;
        let kinds = [kinds[0], kinds[1]];
        let left = self.take_count(&kinds)?;
        let declared = match declared {
            Some(Type::Map(types)) => Some(&**types),
            _ => None,
        };
        self.open(Level::Entries { kinds, left, declared });
        Ok(Event::Map)
    }

    /// Items without a kind would need no bytes, and there could be billions of them.
    fn take_count(&mut self, kinds: &[u8]) -> Result<u32> {
        let count = self.take_u32()?;
        if count > 0 && kinds.contains(&kind::STOP) {
            return Err(ValueError::UnknownTag(kind::STOP));
        }
        Ok(count)
    }

    fn next_entry(&mut self, kind: u8, declared: Option<&Type>) -> Result<Key<'de>> {
        if let Some((value, width)) = self.take_int(kind)? {
            return Ok(match self.int(value, Hint::Any, declared) {
                Event::Text(name) => Key::Text(name),
                _ => Key::Int(value, width),
            });
        }
        match kind {
            kind::BOOL => Ok(Key::Bool(self.take_bool()?)),
            kind::STRING => {
                let text = str::from_utf8(self.take_bytes()?).map_err(|_| ValueError::NotUtf8)?;
                Ok(Key::Text(text.into()))
            }
            other => Err(ValueError::Unfit(format!(
                "a map's key is a text, an integer or a boolean, not {}",
                kind::name(other)
            ))),
        }
    }

    /// The next field of a struct that is read as a list: its value, or nothing in its place.
    fn next_in_order(&mut self) -> Result<bool> {
        let Level::Tuple { declared, count, read, early } = self.level else { return Ok(false) };
        let known = count.unwrap_or(usize::MAX);
        let mut next = early;
        while next.is_none()
            && let Some((id, kind)) = self.take_field()?
        {
            next = position(declared, id).filter(|at| *at < known).map(|at| (at, kind));
            if next.is_none() {
                self.skip_value(kind)?;
            }
        }
        let early = match next {
            None if count.is_none_or(|count| count == read) => {
                self.take(1)?;
                self.close();
                return Ok(false);
            }
            Some((at, kind)) if at == read => {
                self.kind = kind;
                self.declared = declared.map(|fields| &fields[at].of);
                None
            }
            Some((at, _)) if at < read => {
                let why = format!("field {} comes twice, or after a later one", at + 1);
                return Err(ValueError::Unfit(why));
            }
            Some(_) if count.is_none() => {
                return Err(ValueError::Unfit(format!("field {} is missing", read + 1)));
            }
            other => {
                self.kind = kind::STOP;
                other
            }
        };
        self.level = Level::Tuple { declared, count, read: read + 1, early };
        Ok(true)
    }
}

/// Where a field stands: as the file says, or else as its number does.
fn position(declared: Option<&[Field]>, id: i16) -> Option<usize> {
    match declared {
        Some(fields) => fields.iter().position(|field| field.id == id),
        None => usize::try_from(i32::from(id) - 1).ok(),
    }
}

impl<'de> Pull<'de> for Reader<'de> {
    fn next(&mut self, hint: Hint) -> Result<Event<'de>> {
        let kind = mem::replace(&mut self.kind, kind::STOP);
        let declared = self.declared.take();
        if let Some((value, _)) = self.take_int(kind)? {
            return Ok(self.int(value, hint, declared));
        }
        match kind {
            kind::STOP => Ok(Event::Null),
            kind::BOOL => Ok(Event::Bool(self.take_bool()?)),
            kind::DOUBLE => Ok(Event::Float(BigEndian::read_f64(self.take(8)?))),
            kind::STRING => {
                let bytes = self.take_bytes()?;
                self.text(bytes, hint, declared)
            }
            kind::UUID => Ok(Event::Bytes(self.take(16)?.into())),
            kind::STRUCT => Ok(self.open_struct(hint, declared)),
            kind::LIST | kind::SET => self.open_list(declared),
            kind::MAP => self.open_map(declared),
            other => Err(ValueError::UnknownTag(other)),
        }
    }

    fn take_null(&mut self) -> Result<bool> {
        Ok(self.kind == kind::STOP)
    }

    fn item(&mut self) -> Result<bool> {
        match &mut self.level {
            Level::Tuple { .. } => self.next_in_order(),
            Level::Items { left: 0, .. } => {
                self.close();
                Ok(false)
            }
            Level::Items { kind, left, declared } => {
                *left -= 1;
                (self.kind, self.declared) = (*kind, *declared);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn key(&mut self) -> Result<Option<Key<'de>>> {
        match &mut self.level {
            Level::Entries { left: 0, .. } => {
                self.close();
                Ok(None)
            }
            Level::Entries { kinds, left, declared } => {
                *left -= 1;
                let (kinds, declared) = (*kinds, *declared);
                let key = self.next_entry(kinds[0], declared.map(|types| &types.0))?;
                (self.kind, self.declared) = (kinds[1], declared.map(|types| &types.1));
                Ok(Some(key))
            }
            &mut Level::Fields { declared, by_position, known } => {
                let names = declared.filter(|_| !by_position);
                while let Some((id, kind)) = self.take_field()? {
                    let at = position(declared, id).filter(|at| names.is_some() || *at < known);
                    let Some(at) = at else {
                        self.skip_value(kind)?;
                        continue;
                    };
                    self.kind = kind;
                    self.declared = declared.map(|fields| &fields[at].of);
                    return Ok(Some(match names {
                        Some(fields) => Key::Text(Cow::Borrowed(&fields[at].name)),
                        // A field's number has 16 bits.
                        None => Key::Index(at as u32),
                    }));
                }
                self.take(1)?;
                self.close();
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn skip(&mut self, depth: usize) -> Result {
        match mem::replace(&mut self.kind, kind::STOP) {
            kind::STOP => Ok(()),
            kind => {
                let length = skip(kind, self.rest, depth)?;
                self.take(length).map(drop)
            }
        }
    }
}
