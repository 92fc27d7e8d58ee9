//! What a type is made of, as the type itself says.
//!
//! serde does not describe types, but a type that can be deserialised asks a deserializer for what
//! it needs. The one here writes down what it is asked for, and gives something of that kind.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};

/// What a type is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// Whatever comes; or a type that does not say what it is made of.
    Any,
    /// Nothing.
    Unit,
    /// True or false.
    Bool,
    /// An integer of so many bits.
    Int {
        /// 8 to 128.
        bits: u8,
        /// Whether it can be below zero.
        signed: bool,
    },
    /// A number with a fraction, of 32 or 64 bits.
    Float {
        /// 32 or 64.
        bits: u8,
    },
    /// Text, or one letter.
    Text,
    /// Bytes.
    Bytes,
    /// Something or nothing.
    Option(Box<Type>),
    /// Any number of values of one type.
    List(Box<Type>),
    /// So many values, each of its type.
    Tuple(Vec<Type>),
    /// Keys and values.
    Map(Box<(Type, Type)>),
    /// A struct or an enum, which [`Types`] defines.
    Named(String),
}

impl Type {
    /// The type of what is there, if anything is.
    #[cfg(feature = "thrift")]
    pub(super) fn present(&self) -> &Type {
        match self {
            Type::Option(of) => of,
            of => of,
        }
    }

    /// Whether it can be a map's key, in Thrift and in Protocol Buffers.
    pub(super) fn is_key(&self) -> bool {
        matches!(self, Type::Text | Type::Int { .. } | Type::Bool)
    }
}

/// What a struct or an enum is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Definition {
    /// Fields, by name.
    Struct(Vec<(String, Type)>),
    /// Variants by name, and what each holds: [`Type::Unit`] is nothing, a list of types is a
    /// [`Type::Tuple`].
    Enum(Vec<(String, Type)>),
}

/// The structs and enums that occurred in types, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Types {
    named: BTreeMap<String, Definition>,
    /// For each enum the variants that were not looked at.
    unseen: BTreeMap<String, Vec<usize>>,
}

impl Types {
    /// What a type is made of.
    ///
    /// ```
    /// use ninestep::idl::{Definition, Type, Types};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Point {
    ///     x: i64,
    ///     label: Option<String>,
    /// }
    ///
    /// let mut types = Types::default();
    /// assert_eq!(types.of::<Vec<Point>>(), Type::List(Box::new(Type::Named("Point".into()))));
    /// let x = ("x".to_owned(), Type::Int { bits: 64, signed: true });
    /// let label = ("label".to_owned(), Type::Option(Box::new(Type::Text)));
    /// assert_eq!(types.definition("Point"), Some(&Definition::Struct(vec![x, label])));
    /// ```
    pub fn of<'de, T: Deserialize<'de>>(&mut self) -> Type {
        let mut found = Type::Any;
        // Each time an enum is another of its variants. One that is never seen remains unknown.
        for _ in 0..MOST_TIMES {
            let probe = Probe { types: self, found: &mut found, open: &mut Vec::new() };
            // A type that refuses what it was given has said before what it wants.
            let _ = T::deserialize(probe);
            if self.unseen.values().all(Vec::is_empty) {
                break;
            }
        }
        found
    }

    /// All structs and enums.
    pub fn definitions(&self) -> impl Iterator<Item = (&str, &Definition)> {
        self.named.iter().map(|(name, definition)| (name.as_str(), definition))
    }

    /// A struct's or an enum's.
    pub fn definition(&self, name: &str) -> Option<&Definition> {
        self.named.get(name)
    }
}

const MOST_TIMES: usize = 1_000;
/// A type may hold itself, and one that must never ends.
const MOST_OPEN: usize = 32;

/// Names, and what they stand for.
type Members = Vec<(String, Type)>;

struct Probe<'p> {
    types: &'p mut Types,
    found: &'p mut Type,
    /// The structs and enums that this is in.
    open: &'p mut Vec<&'static str>,
}

/// Why a type could not be made from what it asked for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

impl de::Error for Refused {
    fn custom<T: fmt::Display>(why: T) -> Refused {
        Refused(why.to_string())
    }
}

impl Probe<'_> {
    /// Visits `count` types and says what they are.
    fn several<'de, V: Visitor<'de>>(
        &mut self,
        count: usize,
        visitor: V,
    ) -> (Vec<Type>, Result<V::Value, Refused>) {
        let mut found = vec![Type::Any; count];
        let items = Items { types: self.types, open: self.open, found: found.iter_mut() };
        let value = visitor.visit_seq(items);
        (found, value)
    }

    fn fields<'de, V: Visitor<'de>>(
        &mut self,
        names: &[&'static str],
        visitor: V,
    ) -> (Members, Result<V::Value, Refused>) {
        let mut found = vec![Type::Any; names.len()];
        let items = Items { types: self.types, open: self.open, found: found.iter_mut() };
        let value = visitor.visit_map(Fields { names: names.iter(), items });
        (names.iter().map(|name| (*name).to_owned()).zip(found).collect(), value)
    }

    /// Notes a definition, unless another type has that name.
    fn define(&mut self, name: &'static str, definition: Definition) {
        let names = |definition: &Definition| match definition {
            Definition::Struct(of) | Definition::Enum(of) => {
                of.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
            }
        };
        let known = self.types.named.entry(name.to_owned()).or_insert_with(|| definition.clone());
        *self.found = Type::Named(name.to_owned());
        if names(known) != names(&definition) {
            *self.found = Type::Any;
        } else if let (Definition::Struct(known), Definition::Struct(of)) = (known, definition) {
            // It may have come less far this time.
            let news = of.into_iter().filter(|(_, of)| *of != Type::Any);
            for (name, of) in news {
                known
                    .iter_mut()
                    .filter(|(known, _)| *known == name)
                    .for_each(|it| it.1 = of.clone());
            }
        }
    }
}

macro_rules! simple {
    ($($method:ident: $found:expr, $visit:ident($($value:expr)?);)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            *self.found = $found;
            visitor.$visit($($value)?)
        }
    )*};
}

const fn int(bits: u8, signed: bool) -> Type {
    Type::Int { bits, signed }
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Refused;

    simple! {
        deserialize_any: Type::Any, visit_unit();
        deserialize_ignored_any: Type::Any, visit_unit();
        deserialize_unit: Type::Unit, visit_unit();
        deserialize_bool: Type::Bool, visit_bool(false);
        deserialize_i8: int(8, true), visit_i8(1);
        deserialize_i16: int(16, true), visit_i16(1);
        deserialize_i32: int(32, true), visit_i32(1);
        deserialize_i64: int(64, true), visit_i64(1);
        deserialize_i128: int(128, true), visit_i128(1);
        deserialize_u8: int(8, false), visit_u8(1);
        deserialize_u16: int(16, false), visit_u16(1);
        deserialize_u32: int(32, false), visit_u32(1);
        deserialize_u64: int(64, false), visit_u64(1);
        deserialize_u128: int(128, false), visit_u128(1);
        deserialize_f32: Type::Float { bits: 32 }, visit_f32(1.0);
        deserialize_f64: Type::Float { bits: 64 }, visit_f64(1.0);
        deserialize_char: Type::Text, visit_char('a');
        deserialize_str: Type::Text, visit_str("");
        deserialize_string: Type::Text, visit_str("");
        deserialize_identifier: Type::Text, visit_str("");
        deserialize_bytes: Type::Bytes, visit_bytes(b"");
        deserialize_byte_buf: Type::Bytes, visit_bytes(b"");
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        if is_again(self.open) {
            return visitor.visit_none();
        }
        let mut of = Type::Any;
        let value =
            visitor.visit_some(Probe { found: &mut of, types: self.types, open: self.open });
        *self.found = Type::Option(Box::new(of));
        value
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        let count = usize::from(!is_again(self.open));
        let (mut found, value) = self.several(count, visitor);
        *self.found = Type::List(Box::new(found.pop().unwrap_or(Type::Any)));
        value
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        mut self,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let (found, value) = self.several(count, visitor);
        *self.found = Type::Tuple(found);
        value
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_tuple(count, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let mut found = [Type::Any, Type::Any];
        let count = if is_again(self.open) { 0 } else { 2 };
        let found_here = found[..count].iter_mut();
        let value =
            visitor.visit_map(Items { types: self.types, open: self.open, found: found_here });
        *self.found = Type::Map(Box::new(found.into()));
        value
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if self.open.len() == MOST_OPEN {
            return Err(Refused(format!("{name} has no end")));
        }
        self.open.push(name);
        let again = is_again(self.open);
        let (found, value) = self.fields(fields, visitor);
        self.open.pop();
        match again {
            true => *self.found = Type::Named(name.to_owned()),
            false => self.define(name, Definition::Struct(found)),
        }
        value
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if self.open.len() == MOST_OPEN || variants.is_empty() {
            return Err(Refused(format!("{name} has no end, or no beginning")));
        }
        let named = |name: &&str| ((*name).to_owned(), Type::Any);
        self.define(name, Definition::Enum(variants.iter().map(named).collect()));
        let all = || (0..variants.len()).rev().collect();
        let unseen = self.types.unseen.entry(name.to_owned()).or_insert_with(all);
        self.open.push(name);
        let new = if is_again(self.open) { None } else { unseen.pop() };
        let mut content = Type::Unit;
        let probe = Probe { types: self.types, found: &mut content, open: self.open };
        let value = visitor.visit_enum(Variant { index: new.unwrap_or(0), probe });
        self.open.pop();
        if let Some(Definition::Enum(known)) = self.types.named.get_mut(name)
            && let Some((_, known)) = new.and_then(|index| known.get_mut(index))
        {
            *known = content;
        }
        value
    }
}

/// Whether the innermost is inside of itself: then lists are empty, so that it ends.
fn is_again(open: &[&str]) -> bool {
    open.split_last().is_some_and(|(last, others)| others.contains(last))
}

/// One value for each place.
struct Items<'p> {
    types: &'p mut Types,
    open: &'p mut Vec<&'static str>,
    found: std::slice::IterMut<'p, Type>,
}

impl Items<'_> {
    fn next<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Refused> {
        let Some(found) = self.found.next() else { return Ok(None) };
        seed.deserialize(Probe { types: self.types, found, open: self.open }).map(Some)
    }
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Refused;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        self.next(seed)
    }
}

/// A map of one entry.
impl<'de> MapAccess<'de> for Items<'_> {
    type Error = Refused;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        self.next(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        self.next(seed)?.ok_or_else(|| Refused("a value without a key".to_owned()))
    }
}

struct Fields<'p> {
    names: std::slice::Iter<'p, &'static str>,
    items: Items<'p>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Refused;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        let name = self.names.next();
        name.map(|name| seed.deserialize((*name).into_deserializer())).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        self.items.next_value_seed(seed)
    }
}

struct Variant<'p> {
    index: usize,
    probe: Probe<'p>,
}

impl<'de, 'p> EnumAccess<'de> for Variant<'p> {
    type Error = Refused;
    type Variant = Probe<'p>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Probe<'p>), Refused> {
        let index = u32::try_from(self.index).unwrap_or_default();
        Ok((seed.deserialize(index.into_deserializer())?, self.probe))
    }
}

impl<'de> VariantAccess<'de> for Probe<'_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        *self.found = Type::Unit;
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Refused> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_tuple(count, visitor)
    }

    /// The struct has no name of its own, so it is not described.
    fn struct_variant<V: Visitor<'de>>(
        mut self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let (_, value) = self.fields(fields, visitor);
        *self.found = Type::Any;
        value
    }
}
