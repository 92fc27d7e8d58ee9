//! What a Thrift file declares: the numbers, names and kinds of arguments, results and exceptions.

mod parse;

use std::collections::BTreeMap;
use std::path::Path;

use super::kind;
use crate::protocol::native::ValueError;

/// The services, structs, exceptions and enums of a Thrift file and of those that it includes.
///
/// Constants, default values and namespaces are read and ignored, and so is `required`: a field
/// that is left out is left out. Fields without numbers take -1, -2, … in their order.
///
/// The functions of all services make one list, in which every name means one function: files in
/// which two services declare a function of the same name differently cannot be loaded.
///
/// ```
/// use ninestep::protocol::thrift::{Idl, Thrift};
///
/// let idl = Idl::parse("service Calculator { i32 add(1: i32 a, 3: i32 b) }")?;
/// let thrift = Thrift { idl, ..Thrift::default() };
/// # let _ = thrift;
/// # Ok::<(), ninestep::protocol::thrift::IdlError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Idl {
    functions: BTreeMap<String, Function>,
    structs: Vec<Struct>,
    enums: Vec<Enum>,
}

/// Why a Thrift file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdlError {
    /// The file cannot be read.
    #[error("{file} cannot be read: {why}")]
    Unreadable {
        /// Its path.
        file: String,
        /// What the operating system said.
        why: String,
    },
    /// Something in it is wrong.
    #[error("{file}:{line}: {why}")]
    Wrong {
        /// Its path.
        file: String,
        /// Where, counted from 1.
        line: usize,
        /// What.
        why: String,
    },
}

impl Idl {
    /// Reads a file and those that it includes, which are looked for beside it.
    ///
    /// # Errors
    /// A file cannot be read, or is no Thrift file, or names something that nobody declares, or
    /// two services have a function of the same name that is not the same.
    pub fn load(path: impl AsRef<Path>) -> Result<Idl, IdlError> {
        parse::load(path.as_ref())
    }

    /// Reads a text, which can include nothing.
    ///
    /// # Errors
    /// Those of [`Idl::load`].
    pub fn parse(text: &str) -> Result<Idl, IdlError> {
        parse::parse(text)
    }

    pub(super) fn function(&self, name: &str) -> Option<&Function> {
        self.functions.get(name)
    }

    /// The fields of a struct, a union or an exception.
    pub(super) fn fields(&self, index: usize) -> &[Field] {
        self.structs.get(index).map_or(&[], |found| &found.fields)
    }

    pub(super) fn struct_name(&self, index: usize) -> &str {
        self.structs.get(index).map_or("", |found| &found.name)
    }

    pub(super) fn value_name(&self, index: usize, number: i32) -> Option<&str> {
        let mut values = self.enums.get(index)?.values.iter();
        values.find(|(_, value)| *value == number).map(|(name, _)| name.as_str())
    }

    pub(super) fn value_number(&self, index: usize, name: &str) -> Result<i32, ValueError> {
        let found = self.enums.get(index);
        let value = found.and_then(|found| found.values.iter().find(|(known, _)| known == name));
        value.map(|(_, number)| *number).ok_or_else(|| {
            let of = found.map_or("", |found| &found.name);
            ValueError::Unfit(format!("the Thrift enum {of} has no value {name:?}"))
        })
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Function {
    pub(super) oneway: bool,
    pub(super) result: Option<Type>,
    pub(super) arguments: Vec<Field>,
    pub(super) throws: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) id: i16,
    pub(super) name: String,
    pub(super) of: Type,
}

/// A struct, a union or an exception: they look the same on the wire.
#[derive(Clone, Debug)]
struct Struct {
    name: String,
    fields: Vec<Field>,
}

#[derive(Clone, Debug)]
struct Enum {
    name: String,
    values: Vec<(String, i32)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    Bool,
    Byte,
    I16,
    I32,
    I64,
    Double,
    Text,
    Binary,
    Uuid,
    List(Box<Type>),
    Set(Box<Type>),
    Map(Box<(Type, Type)>),
    /// By its place among the structs, since a struct may hold itself.
    Struct(usize),
    Enum(usize),
}

impl Type {
    pub(super) fn kind(&self) -> u8 {
        match self {
            Type::Bool => kind::BOOL,
            Type::Byte => kind::BYTE,
            Type::I16 => kind::I16,
            Type::I32 | Type::Enum(_) => kind::I32,
            Type::I64 => kind::I64,
            Type::Double => kind::DOUBLE,
            Type::Text | Type::Binary => kind::STRING,
            Type::Uuid => kind::UUID,
            Type::List(_) => kind::LIST,
            Type::Set(_) => kind::SET,
            Type::Map(_) => kind::MAP,
            Type::Struct(_) => kind::STRUCT,
        }
    }
}
