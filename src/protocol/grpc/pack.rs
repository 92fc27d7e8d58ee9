//! Values to bytes.
//!
//! A tag stands before each value. The `.proto` file says which number and type that is; where it
//! does not say, numbers count from 1 and the Rust type chooses.

mod put;

use std::mem;

use super::proto::{Field, MessageType, Proto, Type};
use super::wire::{LENGTH, Raw, begin_length, end_length, put_tag};
use crate::protocol::emit::{Emit, Shape, Width};
use crate::protocol::key::Key;
use crate::protocol::native::ValueError;
use put::Number;

type Result<T = ()> = std::result::Result<T, ValueError>;

/// Appends one message: the arguments, or a result.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    proto: &'a Proto,
    level: Level<'a>,
    /// The levels around it; a call of simple values needs no memory for them.
    around: Vec<Level<'a>>,
}

/// The container that is open.
enum Level<'a> {
    /// None: the arguments come next.
    Arguments(Option<&'a MessageType>),
    /// None: the result comes next.
    Result(Option<&'a MessageType>),
    Fields {
        of: Option<&'a MessageType>,
        /// The position of the next value that comes without a name.
        next: usize,
        /// The next value's number, and what the file says about it.
        pending: Option<(u32, Option<&'a Type>)>,
        /// The `oneof`s that have a member by now.
        oneofs: Vec<u32>,
        /// Where the content began, if a length stands before it.
        start: Option<usize>,
    },
    Items {
        number: u32,
        of: Option<&'a Type>,
        /// What the items before were; they are all alike.
        kind: Option<&'static str>,
        /// Where packed numbers began.
        packed: Option<usize>,
        /// Where the message began that this list in a list is field 1 of.
        start: Option<usize>,
    },
    Entries {
        number: u32,
        types: Option<&'a (Type, Type)>,
        /// Where the entry began.
        entry: Option<usize>,
        start: Option<usize>,
    },
}

/// The numbers above are the wire format's own, up to 19,999.
const MOST_FIELDS: usize = 18_999;

impl<'a> Writer<'a> {
    /// Writes the message of arguments: a list, a tuple, a struct or a map, or nothing.
    pub(super) fn of_arguments(
        out: &'a mut Vec<u8>,
        proto: &'a Proto,
        of: Option<&'a MessageType>,
    ) -> Writer<'a> {
        Writer { out, proto, level: Level::Arguments(of), around: Vec::new() }
    }

    /// Writes the message of a result: a struct or a tuple is the message, another value is its
    /// field.
    pub(super) fn of_result(
        out: &'a mut Vec<u8>,
        proto: &'a Proto,
        of: Option<&'a MessageType>,
    ) -> Writer<'a> {
        Writer { out, proto, level: Level::Result(of), around: Vec::new() }
    }

    /// Settles what the file says about the next value.
    fn place(&mut self) -> Result<Option<&'a Type>> {
        match &mut self.level {
            Level::Arguments(_) => Err(ValueError::Unfit(
                "arguments are a tuple, a sequence, a struct or a map".to_owned(),
            )),
            Level::Result(of) => {
                let field = match of {
                    None => (1, None),
                    Some(MessageType { fields, .. }) if let [field] = &fields[..] => {
                        (field.number, Some(&field.of))
                    }
                    Some(MessageType { name, fields }) => {
                        let count = fields.len();
                        let why = format!("{name} has {count} fields, and this is one value");
                        return Err(ValueError::Unfit(why));
                    }
                };
                self.level = message(*of, None);
                self.set_pending(field);
                Ok(field.1)
            }
            Level::Fields { pending: Some((_, of)), .. } => Ok(*of),
            Level::Fields { of, next, .. } => {
                let (of, position) = (*of, *next);
                *next += 1;
                let field = by_position(of, position)?;
                self.set_pending(field);
                Ok(field.1)
            }
            Level::Items { of, .. } => Ok(*of),
            Level::Entries { types, .. } => Ok(types.map(|types| &types.1)),
        }
    }

    fn set_pending(&mut self, field: (u32, Option<&'a Type>)) {
        if let Level::Fields { pending, .. } = &mut self.level {
            *pending = Some(field);
        }
    }

    /// Writes what stands before a value, once it is placed.
    fn begin(&mut self, wire_type: u8, value: &'static str) -> Result {
        let number = match &mut self.level {
            Level::Arguments(_) | Level::Result(_) => return Ok(()),
            Level::Fields { of, pending, oneofs, .. } => {
                let number = pending.take().map_or(1, |(number, _)| number);
                join_oneof(*of, number, oneofs)?;
                number
            }
            Level::Items { number, kind, packed, .. } => {
                let known = *kind.get_or_insert(value);
                if known != value {
                    let why = format!(
                        "a repeated field holds values of one type, not {known} and {value}"
                    );
                    return Err(ValueError::Unfit(why));
                }
                if packed.is_some() {
                    return Ok(());
                }
                if wire_type != LENGTH {
                    put_tag(*number, LENGTH, self.out);
                    *packed = Some(begin_length(self.out));
                    return Ok(());
                }
                *number
            }
            Level::Entries { .. } => 2,
        };
        put_tag(number, wire_type, self.out);
        Ok(())
    }

    fn put(&mut self, of: Option<&Type>, number: Number) -> Result {
        let raw = put::number(of, number)?;
        let value = match (number, of) {
            (Number::Bool(_), _) => "a boolean",
            (_, Some(of)) => of.name(),
            (Number::Int(_), _) => "an integer",
            (Number::Double(_), _) => "a double",
            (Number::Float(_), _) => "a float",
        };
        self.begin(raw.wire_type(), value)?;
        raw.put_value(self.out);
        Ok(())
    }

    fn put_bytes(&mut self, bytes: &[u8], value: &'static str) -> Result {
        self.begin(LENGTH, value)?;
        Raw::Bytes(bytes).put_value(self.out);
        Ok(())
    }

    /// Opens a message in its place.
    fn open_message(&mut self, of: Option<&'a MessageType>) -> Result {
        self.begin(LENGTH, "a message")?;
        let start = begin_length(self.out);
        self.enter(message(of, Some(start)));
        Ok(())
    }

    /// Opens a list or a map in its place: the number of its field, and where the message began
    /// that it is in if it would be in another list otherwise.
    fn open_repeated(&mut self) -> Result<(u32, Option<usize>)> {
        match &mut self.level {
            Level::Fields { of, pending, oneofs, .. } => {
                let number = pending.take().map_or(1, |(number, _)| number);
                join_oneof(*of, number, oneofs)?;
                Ok((number, None))
            }
            Level::Entries { .. } => Ok((2, None)),
            _ => {
                self.begin(LENGTH, "a message")?;
                Ok((1, Some(begin_length(self.out))))
            }
        }
    }

    fn open_items(&mut self, of: Option<&'a Type>) -> Result {
        let (number, start) = self.open_repeated()?;
        self.enter(Level::Items { number, of, kind: None, packed: None, start });
        Ok(())
    }

    fn open_entries(&mut self, types: Option<&'a (Type, Type)>) -> Result {
        let (number, start) = self.open_repeated()?;
        self.enter(Level::Entries { number, types, entry: None, start });
        Ok(())
    }

    fn enter(&mut self, level: Level<'a>) {
        self.around.push(mem::replace(&mut self.level, level));
    }

    /// The next value is the field of this name.
    fn name_field(&mut self, of: &'a MessageType, name: &str) -> Result {
        let field = of.fields.iter().find(|field| field.name == name);
        let field =
            field.ok_or_else(|| ValueError::Unfit(format!("{} has no field {name:?}", of.name)))?;
        self.set_pending((field.number, Some(&field.of)));
        Ok(())
    }
}

fn message(of: Option<&MessageType>, start: Option<usize>) -> Level<'_> {
    Level::Fields { of, next: 0, pending: None, oneofs: Vec::new(), start }
}

/// The field of a value that comes without a name.
fn by_position(of: Option<&MessageType>, position: usize) -> Result<(u32, Option<&Type>)> {
    match of {
        None if position < MOST_FIELDS => Ok((position as u32 + 1, None)),
        None => Err(ValueError::Unfit(format!("a message of over {MOST_FIELDS} fields"))),
        Some(MessageType { name, fields }) => match fields.get(position) {
            Some(field) => Ok((field.number, Some(&field.of))),
            None => {
                let count = fields.len();
                Err(ValueError::Unfit(format!("{name} has {count} fields, and no more")))
            }
        },
    }
}

/// Of a `oneof` one member may be set.
fn join_oneof(of: Option<&MessageType>, number: u32, oneofs: &mut Vec<u32>) -> Result {
    let Some(of) = of else { return Ok(()) };
    let field = of.fields.iter().find(|field| field.number == number);
    let Some(Field { name, oneof: Some(oneof), .. }) = field else { return Ok(()) };
    if oneofs.contains(oneof) {
        let why = format!("{name} of {} is not the only member of its oneof", of.name);
        return Err(ValueError::Unfit(why));
    }
    oneofs.push(*oneof);
    Ok(())
}

impl Emit for Writer<'_> {
    /// A field that is left out.
    fn null(&mut self) -> Result {
        if matches!(self.level, Level::Arguments(_) | Level::Result(_)) {
            return Ok(());
        }
        self.place()?;
        match &mut self.level {
            Level::Fields { pending, .. } => *pending = None,
            Level::Entries { .. } => {}
            _ => return Err(ValueError::Unfit("a repeated field cannot hold nothing".to_owned())),
        }
        Ok(())
    }

    fn bool(&mut self, value: bool) -> Result {
        let of = self.place()?;
        self.put(of, Number::Bool(value))
    }

    fn int(&mut self, value: i64, _width: Width) -> Result {
        let of = self.place()?;
        self.put(of, Number::Int(value.into()))
    }

    fn big_int(&mut self, value: u64) -> Result {
        let of = self.place()?;
        self.put(of, Number::Int(value.into()))
    }

    fn float(&mut self, value: f64) -> Result {
        let of = self.place()?;
        self.put(of, Number::Double(value))
    }

    fn single(&mut self, value: f32) -> Result {
        let of = self.place()?;
        self.put(of, Number::Float(value))
    }

    fn text(&mut self, value: &str) -> Result {
        match self.place()? {
            None | Some(Type::Text | Type::Bytes) => self.put_bytes(value.as_bytes(), "a text"),
            Some(of @ Type::Enum(index)) => {
                let number = self.proto.value_number(*index, value)?;
                self.put(Some(of), Number::Int(number.into()))
            }
            Some(other) => Err(put::unlike(other, "a text")),
        }
    }

    fn bytes(&mut self, value: &[u8]) -> Result {
        match self.place()? {
            None | Some(Type::Bytes) => self.put_bytes(value, "bytes"),
            Some(other) => Err(put::unlike(other, "bytes")),
        }
    }

    fn unit_variant(&mut self, index: u32, name: &'static str) -> Result {
        match self.place()? {
            None => self.put(None, Number::Int(index.into())),
            Some(_) => self.text(name),
        }
    }

    fn open_variant(&mut self) -> Result {
        // A result without a file is field 1, or else one would take a number for a variant.
        if matches!(self.level, Level::Result(None)) {
            self.place()?;
        }
        self.open(Shape::Struct, Some(1))
    }

    fn open(&mut self, shape: Shape, _count: Option<usize>) -> Result {
        match self.level {
            Level::Arguments(of) => {
                if shape == Shape::Map && of.is_none() {
                    let why = "arguments by name need a .proto file, which numbers them";
                    return Err(ValueError::Unfit(why.to_owned()));
                }
                self.level = message(of, None);
                return Ok(());
            }
            Level::Result(of) => {
                let single = match of {
                    Some(of) if let [field] = &of.fields[..] => Some(&field.of),
                    _ => None,
                };
                let is_message = match shape {
                    Shape::Struct => true,
                    Shape::Tuple => !matches!(single, Some(Type::List(_))),
                    Shape::List => of.is_some() && !matches!(single, Some(Type::List(_))),
                    Shape::Map => of.is_some() && !matches!(single, Some(Type::Map(_))),
                };
                if is_message {
                    self.level = message(of, None);
                    return Ok(());
                }
            }
            _ => {}
        }
        let of = self.place()?;
        let is_list = matches!(shape, Shape::List | Shape::Tuple);
        match (of, shape) {
            (None, Shape::Tuple | Shape::Struct) => self.open_message(None),
            (None, Shape::List) => self.open_items(None),
            (None, Shape::Map) => self.open_entries(None),
            (Some(Type::Message(index)), _) => self.open_message(self.proto.message(*index)),
            (Some(Type::List(item)), _) if is_list => self.open_items(Some(item)),
            (Some(Type::Map(types)), _) if !is_list => self.open_entries(Some(types)),
            (Some(other), _) if is_list => Err(put::unlike(other, "a list")),
            (Some(other), _) => Err(put::unlike(other, "a struct or a map")),
        }
    }

    fn key(&mut self, key: Key<'_>) -> Result {
        match &mut self.level {
            Level::Entries { number, types, entry, .. } => {
                if let Some(start) = entry.take() {
                    end_length(start, self.out);
                }
                put_tag(*number, LENGTH, self.out);
                *entry = Some(begin_length(self.out));
                put::key(&key, types.map(|types| &types.0), self.out)
            }
            &mut Level::Fields { of: Some(of), .. } => self.name_field(of, &key.to_string()),
            _ => Err(ValueError::KeyNotText),
        }
    }

    fn field(&mut self, index: u32, name: &'static str) -> Result {
        match &self.level {
            &Level::Fields { of: Some(of), .. } => self.name_field(of, name),
            Level::Fields { of: None, .. } => {
                let field = by_position(None, index as usize)?;
                self.set_pending(field);
                Ok(())
            }
            _ => self.key(Key::Text(name.into())),
        }
    }

    fn close(&mut self, _shape: Shape) -> Result {
        // The outermost message has nothing around it.
        let Some(around) = self.around.pop() else { return Ok(()) };
        let lengths = match mem::replace(&mut self.level, around) {
            Level::Arguments(_) | Level::Result(_) => [None, None],
            Level::Fields { start, .. } => [None, start],
            Level::Items { packed, start, .. } => [packed, start],
            Level::Entries { entry, start, .. } => [entry, start],
        };
        lengths.into_iter().flatten().for_each(|start| end_length(start, self.out));
        Ok(())
    }
}
