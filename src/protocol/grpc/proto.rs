//! What a `.proto` file declares: the numbers, names and types of fields, and the methods.

mod descriptor;

use std::collections::BTreeMap;
#[cfg(feature = "grpc-proto")]
use std::path::Path;

use super::name;
use crate::protocol::native::ValueError;

/// The services, messages and enums of a `.proto` file and of those that it imports.
///
/// Options, default values and extensions are passed over, and so are the groups of `proto2`.
#[derive(Clone, Debug, Default)]
pub struct Proto {
    methods: BTreeMap<String, Method>,
    messages: Vec<MessageType>,
    enums: Vec<EnumType>,
}

/// Why a `.proto` file or a descriptor set cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProtoError(String);

impl Proto {
    /// Reads a file and those that it imports, which are looked for from its folder, and from the
    /// folders around that.
    ///
    /// # Errors
    /// A file cannot be read, or is no `.proto` file, or names something that nobody declares.
    #[cfg(feature = "grpc-proto")]
    pub fn load(path: impl AsRef<Path>) -> Result<Proto, ProtoError> {
        let path = path.as_ref();
        let whole = path.canonicalize();
        let whole = whole.map_err(|why| ProtoError(format!("{}: {why}", path.display())))?;
        let folders = whole.ancestors().skip(1);
        let mut compiler = protox::Compiler::new(folders).map_err(wrong)?;
        compiled(&mut compiler, &whole)
    }

    /// Reads a text, which can import nothing but `google/protobuf/`.
    ///
    /// ```
    /// use ninestep::protocol::grpc::{Grpc, Proto};
    ///
    /// let proto = Proto::parse(
    ///     r#"syntax = "proto3";
    ///     service Calculator { rpc Add(Pair) returns (Sum); }
    ///     message Pair { sint32 a = 1; sint32 b = 3; }
    ///     message Sum { sint32 result = 1; }"#,
    /// )?;
    /// let grpc = Grpc::with_proto(proto);
    /// # let _ = grpc;
    /// # Ok::<(), ninestep::protocol::grpc::ProtoError>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Proto::load`].
    #[cfg(feature = "grpc-proto")]
    pub fn parse(text: &str) -> Result<Proto, ProtoError> {
        use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

        struct Lone(String);
        impl FileResolver for Lone {
            fn open_file(&self, name: &str) -> Result<File, protox::Error> {
                match name {
                    "the text" => File::from_source(name, &self.0),
                    other => Err(protox::Error::file_not_found(other)),
                }
            }
        }
        let mut files = ChainFileResolver::new();
        files.add(Lone(text.to_owned()));
        files.add(GoogleFileResolver::new());
        compiled(&mut protox::Compiler::with_file_resolver(files), Path::new("the text"))
    }

    /// Reads what `protoc --include_imports --descriptor_set_out` writes.
    ///
    /// # Errors
    /// The bytes are no descriptor set, or name something that none of its files declares.
    pub fn from_descriptor_set(bytes: &[u8]) -> Result<Proto, ProtoError> {
        descriptor::read(bytes)
    }

    /// The method at this path, which is `/`, its service's full name, `/` and its own.
    pub(super) fn method(&self, path: &str) -> Option<&Method> {
        self.methods.get(path)
    }

    /// The method that is meant by a procedure's name: the one of just that name, if there is one.
    pub(super) fn method_named(&self, procedure: &str) -> Option<&Method> {
        let find = |is_meant: fn(&str, &str) -> bool| {
            self.methods.values().find(|known| match known.path.rsplit_once('/') {
                Some((service, method)) => match procedure.rsplit_once('/') {
                    Some((in_service, name)) => service[1..] == *in_service && method == name,
                    None => is_meant(method, procedure),
                },
                None => false,
            })
        };
        find(|method, procedure| method == procedure).or_else(|| find(name::is_same))
    }

    /// The full names of all services.
    pub(super) fn services(&self) -> impl Iterator<Item = &str> {
        self.methods.keys().filter_map(|path| path[1..].split('/').next())
    }

    pub(super) fn message(&self, index: usize) -> Option<&MessageType> {
        self.messages.get(index)
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
            ValueError::Unfit(format!("the enum {of} has no value {name:?}"))
        })
    }
}

#[cfg(feature = "grpc-proto")]
fn compiled(compiler: &mut protox::Compiler, path: &Path) -> Result<Proto, ProtoError> {
    compiler.include_imports(true).open_file(path).map_err(wrong)?;
    Proto::from_descriptor_set(&compiler.encode_file_descriptor_set())
}

#[cfg(feature = "grpc-proto")]
fn wrong(error: protox::Error) -> ProtoError {
    // Its other form says where.
    ProtoError(format!("{error:?}"))
}

#[derive(Clone, Debug)]
pub(super) struct Method {
    pub(super) path: String,
    /// By their places among the messages, since a message may hold itself.
    pub(super) request: usize,
    pub(super) response: usize,
    pub(super) streams: bool,
}

#[derive(Clone, Debug)]
pub(super) struct MessageType {
    pub(super) name: String,
    /// In the order of their numbers.
    pub(super) fields: Vec<Field>,
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: String,
    pub(super) of: Type,
    /// Whether a field that was left out is told from one with the default value.
    pub(super) has_presence: bool,
    /// The index of the `oneof` that it is in.
    pub(super) oneof: Option<u32>,
}

#[derive(Clone, Debug)]
struct EnumType {
    name: String,
    values: Vec<(String, i32)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Float,
    Double,
    Text,
    Bytes,
    Enum(usize),
    Message(usize),
    List(Box<Type>),
    Map(Box<(Type, Type)>),
}

impl Type {
    /// As a `.proto` file names it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::Int32 => "int32",
            Type::Int64 => "int64",
            Type::Uint32 => "uint32",
            Type::Uint64 => "uint64",
            Type::Sint32 => "sint32",
            Type::Sint64 => "sint64",
            Type::Fixed32 => "fixed32",
            Type::Fixed64 => "fixed64",
            Type::Sfixed32 => "sfixed32",
            Type::Sfixed64 => "sfixed64",
            Type::Float => "float",
            Type::Double => "double",
            Type::Text => "string",
            Type::Bytes => "bytes",
            Type::Enum(_) => "an enum",
            Type::Message(_) => "a message",
            Type::List(_) => "a repeated field",
            Type::Map(_) => "a map",
        }
    }
}
