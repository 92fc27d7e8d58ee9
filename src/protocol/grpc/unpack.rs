//! Bytes to values.
//!
//! Fields come in any order, may come twice, and are not there at all if they hold a default value.
//! So a message is not read from its beginning to its end: its fields are asked for one after the
//! other, and looked for. What a value is, its wire type does not say; the `.proto` file does, or
//! else the Rust type that is wanted.

mod value;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::{mem, vec};

use super::proto::{Field, MessageType, Proto, Type};
use super::wire::{Raw, take_field};
use crate::protocol::key::Key;
use crate::protocol::native::ValueError;
use crate::protocol::pull::{Event, Hint, Pull};

type Result<T = ()> = std::result::Result<T, ValueError>;

/// Reads one message: the arguments, or a result.
pub(super) struct Reader<'de> {
    proto: &'de Proto,
    next: Next<'de>,
    level: Level<'de>,
    /// The levels around it; a call of simple values needs no memory for them.
    around: Vec<Level<'de>>,
}

/// What comes next.
#[derive(Clone, Copy)]
enum Next<'de> {
    /// The message whose fields are the arguments.
    Arguments(&'de [u8], Option<&'de MessageType>),
    /// The message that is the result, or holds it.
    Result(&'de [u8], Option<&'de MessageType>),
    /// A field that is there.
    Field(Run<'de>, Option<&'de Type>),
    /// One value: an item of a list.
    One(Raw<'de>, Option<&'de Type>),
    /// An item of a list, or several that are packed: that depends on what is wanted.
    Maybe(&'de [u8]),
    /// The next of the numbers that came packed.
    Packed(Option<&'de Type>),
    /// Nothing: the numbers that came packed were none, and the list is closed.
    NoItem,
    /// A field that is not there, and stands for a value of its type.
    Absent(Option<&'de Type>),
    /// A field that is not there, which is told from one with the default value.
    Missing(Option<&'de Type>),
}

/// A message from where a field comes first.
#[derive(Clone, Copy)]
struct Run<'de> {
    rest: &'de [u8],
    number: u32,
    /// Whether the field's values stand side by side, as everybody writes them.
    sorted: bool,
}

impl<'de> Run<'de> {
    /// The next value of the field.
    fn take(&mut self) -> Result<Option<Raw<'de>>> {
        while let Some((number, raw)) = take_field(&mut self.rest)? {
            if number == self.number {
                return Ok(Some(raw));
            }
            if self.sorted {
                self.rest = &[];
            }
        }
        Ok(None)
    }

    /// Whether the field comes more than once.
    fn is_several(mut self) -> Result<bool> {
        Ok(self.take()?.is_some() && self.take()?.is_some())
    }

    /// Of values that come more than once the last counts.
    fn last(mut self) -> Result<Option<Raw<'de>>> {
        let mut last = None;
        while let Some(raw) = self.take()? {
            last = Some(raw);
        }
        Ok(last)
    }
}

/// The container that is open.
enum Level<'de> {
    /// None.
    Lone,
    /// A message, whose fields are asked for one after the other.
    Fields(Fields<'de>),
    /// A message of which one field counts: an enum's variant. `None` behind it.
    Variant(Option<Fields<'de>>),
    /// The values of one repeated field.
    Items {
        run: Run<'de>,
        of: Option<&'de Type>,
        /// What is left of numbers that came packed.
        packed: &'de [u8],
    },
    /// The keys and values of a map.
    Entries(vec::IntoIter<(Key<'de>, Next<'de>)>),
}

#[derive(Clone, Copy)]
struct Fields<'de> {
    message: &'de [u8],
    /// What is behind the field that was found last, if all fields are in order.
    rest: &'de [u8],
    sorted: bool,
    of: Option<&'de MessageType>,
    /// Which field is next, and how many there are to ask for.
    next: usize,
    count: usize,
    keys: Keys,
}

/// What stands for a field's name.
#[derive(Clone, Copy, PartialEq)]
enum Keys {
    /// Its place.
    Index,
    /// The name in the file, where the Rust type has such a field.
    Known(&'static [&'static str]),
    /// The name in the file, if the field is there or need not be.
    Any,
}

impl<'de> Fields<'de> {
    /// Checks that the message is whole, on the way.
    fn new(
        message: &'de [u8],
        of: Option<&'de MessageType>,
        known: Option<usize>,
    ) -> Result<Fields<'de>> {
        let (mut rest, mut sorted, mut last, mut highest) = (message, true, 0, 0);
        while let Some((number, _)) = take_field(&mut rest)? {
            sorted &= number >= last;
            last = number;
            highest = number.max(highest);
        }
        let count = match (of, known) {
            (Some(of), _) => of.fields.len(),
            (None, Some(known)) => known,
            (None, None) if highest <= if sorted { MOST_FIELDS } else { MOST_UNSORTED } => {
                highest as usize
            }
            (None, None) => {
                let why = format!("field {highest} needs a .proto file that declares it");
                return Err(ValueError::Unfit(why));
            }
        };
        Ok(Fields { message, rest: message, sorted, of, next: 0, count, keys: Keys::Index })
    }

    /// Looks for a field; whoever asks in ascending order is led through the message once.
    fn find(&mut self, number: u32) -> Result<Option<Run<'de>>> {
        let sorted = self.sorted;
        let mut rest = if sorted { self.rest } else { self.message };
        loop {
            let here = rest;
            match take_field(&mut rest)? {
                Some((found, _)) if found == number => {
                    self.rest = here;
                    return Ok(Some(Run { rest: here, number, sorted }));
                }
                Some((found, _)) if sorted && found > number => {
                    self.rest = here;
                    return Ok(None);
                }
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// The value of a declared field. Of a `oneof` the member counts that came last.
    fn declared(&mut self, field: &'de Field) -> Result<Next<'de>> {
        let of = Some(&field.of);
        let absent = if field.has_presence { Next::Missing(of) } else { Next::Absent(of) };
        let Some(run) = self.find(field.number)? else { return Ok(absent) };
        if let (Some(oneof), Some(message)) = (field.oneof, self.of) {
            let (mut rest, mut last) = (self.message, field.number);
            while let Some((number, _)) = take_field(&mut rest)? {
                let mut members = message.fields.iter().filter(|it| it.oneof == Some(oneof));
                if members.any(|it| it.number == number) {
                    last = number;
                }
            }
            if last != field.number {
                return Ok(absent);
            }
        }
        Ok(Next::Field(run, of))
    }

    /// The next field, by its place, and its value.
    fn take(&mut self) -> Result<Option<(Key<'de>, Next<'de>)>> {
        while self.next < self.count {
            let index = self.next;
            self.next += 1;
            let field = self.of.and_then(|of| of.fields.get(index));
            let value = match field {
                Some(field) => self.declared(field)?,
                None if self.of.is_some() => Next::Missing(None),
                // Field numbers have 29 bits.
                None => match self.find(index as u32 + 1)? {
                    Some(run) => Next::Field(run, None),
                    None => Next::Missing(None),
                },
            };
            let name = field.map(|field| &*field.name);
            let key = match (self.keys, name) {
                (Keys::Known(names), Some(name)) if !names.contains(&name) => continue,
                (Keys::Any, _) if matches!(value, Next::Missing(_)) => continue,
                (Keys::Known(_) | Keys::Any, Some(name)) => Key::Text(name.into()),
                _ => Key::Index(index as u32),
            };
            return Ok(Some((key, value)));
        }
        Ok(None)
    }

    /// The field that comes last.
    fn take_last(&mut self) -> Result<Option<(Key<'de>, Next<'de>)>> {
        let (mut rest, mut last) = (self.message, None);
        while let Some((number, _)) = take_field(&mut rest)? {
            let field = self.of.and_then(|of| of.fields.iter().find(|it| it.number == number));
            let run = Run { rest: self.message, number, sorted: false };
            last = match (self.of, field) {
                (None, _) if number as usize <= self.count => {
                    Some((Key::Index(number - 1), Next::Field(run, None)))
                }
                (_, Some(field)) => {
                    let name = Key::Text((&*field.name).into());
                    Some((name, Next::Field(run, Some(&field.of))))
                }
                _ => last,
            };
        }
        Ok(last)
    }
}

/// Whether nothing but field 1 is in a message.
fn is_field_1(mut message: &[u8]) -> Result<bool> {
    while let Some((number, _)) = take_field(&mut message)? {
        if number != 1 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The highest number that a field may have where nobody says which there are.
const MOST_FIELDS: u32 = 19_000;
/// The same if they come in no order: each is looked for in the whole message.
const MOST_UNSORTED: u32 = 64;

impl<'de> Reader<'de> {
    /// Reads the message of arguments, which may be declared.
    pub(super) fn of_arguments(
        bytes: &'de [u8],
        proto: &'de Proto,
        declared: Option<&'de MessageType>,
    ) -> Reader<'de> {
        let (next, around) = (Next::Arguments(bytes, declared), Vec::new());
        Reader { proto, next, level: Level::Lone, around }
    }

    /// Reads a result: the message, or the one value in it.
    pub(super) fn of_result(
        bytes: &'de [u8],
        proto: &'de Proto,
        declared: Option<&'de MessageType>,
    ) -> Reader<'de> {
        let (next, around) = (Next::Result(bytes, declared), Vec::new());
        Reader { proto, next, level: Level::Lone, around }
    }

    fn open(&mut self, level: Level<'de>) {
        match mem::replace(&mut self.level, level) {
            Level::Lone => {}
            around => self.around.push(around),
        }
    }

    fn close(&mut self) {
        self.level = self.around.pop().unwrap_or(Level::Lone);
    }

    fn open_items(&mut self, run: Run<'de>, of: Option<&'de Type>) -> Event<'de> {
        self.open(Level::Items { run, of, packed: &[] });
        Event::List
    }

    /// A map is a repeated field of messages, each with a key and a value. Of those with one key
    /// the last counts.
    fn open_entries(
        &mut self,
        mut run: Run<'de>,
        types: Option<&'de (Type, Type)>,
    ) -> Result<Event<'de>> {
        let (mut entries, mut places) = (Vec::new(), HashMap::new());
        while let Some(raw) = run.take()? {
            let Raw::Bytes(entry) = raw else {
                return Err(ValueError::Unfit("a map's entry is a message".to_owned()));
            };
            let (key, value) = value::entry(entry, types)?;
            match places.entry(key.clone()) {
                Entry::Occupied(place) => entries[*place.get()] = (key, value),
                Entry::Vacant(place) => {
                    place.insert(entries.len());
                    entries.push((key, value));
                }
            }
        }
        self.open(Level::Entries(entries.into_iter()));
        Ok(Event::Map)
    }

    fn open_message(
        &mut self,
        bytes: &'de [u8],
        of: Option<&'de MessageType>,
        hint: Hint,
    ) -> Result<Event<'de>> {
        let known = match hint {
            Hint::Tuple(count) => Some(count),
            Hint::Struct(names) | Hint::Enum(names) => Some(names.len()),
            _ => None,
        };
        let mut fields = Fields::new(bytes, of, known)?;
        let event = match hint {
            Hint::Tuple(count) => {
                fields.count = count;
                Event::List
            }
            Hint::List => Event::List,
            Hint::Enum(_) => {
                self.open(Level::Variant(Some(fields)));
                return Ok(Event::Map);
            }
            Hint::Struct(names) if of.is_some() => {
                fields.keys = Keys::Known(names);
                Event::Map
            }
            Hint::Struct(_) => Event::Map,
            _ => {
                fields.keys = Keys::Any;
                Event::Map
            }
        };
        self.open(Level::Fields(fields));
        Ok(event)
    }

    fn open_arguments(
        &mut self,
        bytes: &'de [u8],
        of: Option<&'de MessageType>,
        hint: Hint,
    ) -> Result<Event<'de>> {
        match hint {
            Hint::Null => Ok(Event::Null),
            Hint::Tuple(_) | Hint::Map => self.open_message(bytes, of, hint),
            Hint::Struct(names) => {
                let declared = |name: &&str| {
                    of.is_some_and(|of| of.fields.iter().any(|field| field.name == **name))
                };
                // Names that the file has count more than places.
                if names.iter().all(declared) {
                    return self.open_message(bytes, of, hint);
                }
                let fields = Fields::new(bytes, of, Some(names.len()))?;
                self.open(Level::Fields(Fields { count: names.len(), ..fields }));
                Ok(Event::Map)
            }
            _ => self.open_message(bytes, of, Hint::List),
        }
    }

    /// A result that is no message is the one field of a message.
    fn open_result(
        &mut self,
        bytes: &'de [u8],
        of: Option<&'de MessageType>,
        hint: Hint,
    ) -> Result<Event<'de>> {
        if hint == Hint::Null {
            return Ok(Event::Null);
        }
        let single = match of {
            None => (1, None),
            Some(MessageType { fields, .. }) => match &fields[..] {
                [field] => (field.number, Some(&field.of)),
                [] if hint == Hint::Any => return Ok(Event::Null),
                _ => (0, None),
            },
        };
        let is_map = matches!(single.1, None | Some(Type::Map(_)));
        match (hint, of) {
            (Hint::Struct(_) | Hint::Tuple(_), _) => return self.open_message(bytes, of, hint),
            (Hint::Any, None) if bytes.is_empty() => return Ok(Event::Null),
            (Hint::Any, None) if !is_field_1(bytes)? => return self.open_message(bytes, of, hint),
            (Hint::Map, Some(_)) if !is_map => return self.open_message(bytes, of, hint),
            (_, Some(of)) if single.0 == 0 => {
                if matches!(hint, Hint::Any | Hint::Map | Hint::Enum(_)) {
                    return self.open_message(bytes, Some(of), hint);
                }
                let (name, count) = (&of.name, of.fields.len());
                let why = format!("{name} has {count} fields, and one value is wanted");
                return Err(ValueError::Unfit(why));
            }
            _ => {}
        }
        self.next = match Fields::new(bytes, of, Some(0))?.find(single.0)? {
            Some(run) => Next::Field(run, single.1),
            None => Next::Absent(single.1),
        };
        self.next(hint)
    }
}

impl<'de> Pull<'de> for Reader<'de> {
    fn next(&mut self, hint: Hint) -> Result<Event<'de>> {
        match mem::replace(&mut self.next, Next::Absent(None)) {
            Next::Arguments(bytes, of) => self.open_arguments(bytes, of, hint),
            Next::Result(bytes, of) => self.open_result(bytes, of, hint),
            Next::Field(run, of) => self.field(run, of, hint),
            Next::One(raw, of) => self.value(raw, of, hint),
            Next::Maybe(bytes) => self.item_of(bytes, hint),
            Next::Packed(of) => self.packed(of, hint),
            Next::NoItem => Err(ValueError::Truncated),
            Next::Missing(_) if hint == Hint::Any => Ok(Event::Null),
            Next::Absent(of) | Next::Missing(of) => self.default(of, hint),
        }
    }

    fn take_null(&mut self) -> Result<bool> {
        Ok(matches!(self.next, Next::Absent(_) | Next::Missing(_) | Next::Result([], _)))
    }

    fn item(&mut self) -> Result<bool> {
        match &mut self.level {
            Level::Fields(fields) => {
                if fields.next < fields.count {
                    // A tuple may be longer than what is declared.
                    self.next = fields.take()?.map_or(Next::Missing(None), |(_, value)| value);
                    return Ok(true);
                }
            }
            Level::Items { packed: [_, ..], of, .. } => {
                self.next = Next::Packed(*of);
                return Ok(true);
            }
            Level::Items { run, of, packed } => {
                while let Some(raw) = run.take()? {
                    self.next = match (raw, *of) {
                        (Raw::Bytes(bytes), None) => Next::Maybe(bytes),
                        (Raw::Bytes(bytes), Some(of)) if value::is_packed(of) => {
                            if bytes.is_empty() {
                                continue;
                            }
                            *packed = bytes;
                            Next::Packed(Some(of))
                        }
                        (raw, of) => Next::One(raw, of),
                    };
                    return Ok(true);
                }
            }
            _ => return Ok(false),
        }
        self.close();
        Ok(false)
    }

    fn was_no_item(&mut self) -> bool {
        let was_none = matches!(self.next, Next::NoItem);
        if was_none {
            self.next = Next::Absent(None);
        }
        was_none
    }

    fn key(&mut self) -> Result<Option<Key<'de>>> {
        let entry = match &mut self.level {
            Level::Fields(fields) => fields.take()?,
            Level::Variant(fields) => match fields.take() {
                Some(mut fields) => fields.take_last()?,
                None => None,
            },
            Level::Entries(entries) => entries.next(),
            _ => return Ok(None),
        };
        match entry {
            Some((key, value)) => {
                self.next = value;
                Ok(Some(key))
            }
            None => {
                self.close();
                Ok(None)
            }
        }
    }

    fn skip(&mut self, _depth: usize) -> Result {
        match mem::replace(&mut self.next, Next::Absent(None)) {
            Next::Packed(of) => self.packed(of, Hint::Any).map(drop),
            _ => Ok(()),
        }
    }
}
