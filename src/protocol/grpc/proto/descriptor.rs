//! Descriptors: a `.proto` file as a message, which is what `protoc` makes of it first of all.
//!
//! They are read by this module's own unpacking: a struct's fields are numbered in their order, and
//! the numbers of those that are passed over are held by an underscore.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{EnumType, Field, MessageType, Method, Proto, ProtoError, Type};
use crate::protocol::grpc::unpack::Reader;
use crate::protocol::pull::Puller;

/// How deep messages may nest in each other.
const MAX_DEPTH: usize = 64;

#[derive(Deserialize)]
struct FileDescriptorSet {
    file: Vec<FileDescriptor>,
}

#[derive(Deserialize)]
struct FileDescriptor {
    _name: IgnoredAny,
    package: String,
    _dependency: IgnoredAny,
    message_type: Vec<Descriptor>,
    enum_type: Vec<EnumDescriptor>,
    service: Vec<ServiceDescriptor>,
    _extension: IgnoredAny,
    _options: IgnoredAny,
    _source_code_info: IgnoredAny,
    _public_dependency: IgnoredAny,
    _weak_dependency: IgnoredAny,
    syntax: String,
}

#[derive(Deserialize)]
struct Descriptor {
    name: String,
    field: Vec<FieldDescriptor>,
    nested_type: Vec<Descriptor>,
    enum_type: Vec<EnumDescriptor>,
    _extension_range: IgnoredAny,
    _extension: IgnoredAny,
    options: MessageOptions,
}

#[derive(Deserialize)]
struct MessageOptions {
    _message_set_wire_format: IgnoredAny,
    _no_standard_descriptor_accessor: IgnoredAny,
    _deprecated: IgnoredAny,
    _4: IgnoredAny,
    _5: IgnoredAny,
    _6: IgnoredAny,
    /// Whether the message is what a map's entries are on the wire.
    map_entry: bool,
}

#[derive(Deserialize)]
struct FieldDescriptor {
    name: String,
    _extendee: IgnoredAny,
    number: u32,
    label: u32,
    kind: u32,
    type_name: String,
    _default_value: IgnoredAny,
    _options: IgnoredAny,
    oneof_index: Option<u32>,
}

#[derive(Deserialize)]
struct EnumDescriptor {
    name: String,
    value: Vec<EnumValue>,
}

#[derive(Deserialize)]
struct EnumValue {
    name: String,
    number: i32,
}

#[derive(Deserialize)]
struct ServiceDescriptor {
    name: String,
    method: Vec<MethodDescriptor>,
}

#[derive(Deserialize)]
struct MethodDescriptor {
    name: String,
    input_type: String,
    output_type: String,
    _options: IgnoredAny,
    client_streaming: bool,
    server_streaming: bool,
}

pub(super) fn read(bytes: &[u8]) -> Result<Proto, ProtoError> {
    let nothing = Proto::default();
    let mut reader = Reader::of_result(bytes, &nothing, None);
    let set = FileDescriptorSet::deserialize(&mut Puller::new(&mut reader, MAX_DEPTH));
    let set = set.map_err(|why| ProtoError(format!("this is no descriptor set: {why}")))?;
    let mut found = Found::default();
    for file in &set.file {
        let scope = match &*file.package {
            "" => String::new(),
            package => format!(".{package}"),
        };
        let is_proto3 = file.syntax == "proto3";
        found.enums(&scope, &file.enum_type);
        file.message_type.iter().for_each(|it| found.message(&scope, it, is_proto3));
    }
    let mut proto = Proto::default();
    for (name, message, is_proto3) in &found.messages {
        let field = |field| found.field(field, *is_proto3).transpose();
        let mut fields: Vec<Field> =
            message.field.iter().filter_map(field).collect::<Result<_, _>>()?;
        fields.sort_by_key(|field| field.number);
        proto.messages.push(MessageType { name: name[1..].to_owned(), fields });
    }
    let dotted = |package: &str| match package {
        "" => String::new(),
        package => format!("{package}."),
    };
    for file in &set.file {
        for service in &file.service {
            let service_name = format!("{}{}", dotted(&file.package), service.name);
            for method in &service.method {
                let method = found.method(&service_name, method)?;
                proto.methods.insert(method.path.clone(), method);
            }
        }
    }
    proto.enums = found.enums;
    Ok(proto)
}

/// All types of all files, which may name each other in any order.
#[derive(Default)]
struct Found<'a> {
    /// With their full names, which begin with a dot; and whether they are `proto3`'s.
    messages: Vec<(String, &'a Descriptor, bool)>,
    message_index: HashMap<String, usize>,
    enums: Vec<EnumType>,
    enum_index: BTreeMap<String, usize>,
}

impl<'a> Found<'a> {
    fn message(&mut self, scope: &str, message: &'a Descriptor, is_proto3: bool) {
        let name = format!("{scope}.{}", message.name);
        self.enums(&name, &message.enum_type);
        message.nested_type.iter().for_each(|nested| self.message(&name, nested, is_proto3));
        self.message_index.insert(name.clone(), self.messages.len());
        self.messages.push((name, message, is_proto3));
    }

    fn enums(&mut self, scope: &str, enums: &[EnumDescriptor]) {
        for found in enums {
            let name = format!("{scope}.{}", found.name);
            let values = found.value.iter().map(|value| (value.name.clone(), value.number));
            self.enum_index.insert(name, self.enums.len());
            self.enums.push(EnumType { name: found.name.clone(), values: values.collect() });
        }
    }

    /// A field; none if it is a group.
    fn field(&self, field: &FieldDescriptor, is_proto3: bool) -> Result<Option<Field>, ProtoError> {
        const GROUP: u32 = 10;
        const REPEATED: u32 = 3;
        if field.kind == GROUP {
            return Ok(None);
        }
        let of = self.of(field)?;
        let is_lone = field.label != REPEATED;
        let has_presence = is_lone
            && (!is_proto3 || field.oneof_index.is_some() || matches!(of, Type::Message(_)));
        let of = match of {
            of if is_lone => of,
            Type::Message(index) => match self.entry(index)? {
                Some(types) => Type::Map(Box::new(types)),
                None => Type::List(Box::new(of)),
            },
            of => Type::List(Box::new(of)),
        };
        let (name, oneof) = (field.name.clone(), field.oneof_index);
        Ok(Some(Field { number: field.number, name, of, has_presence, oneof }))
    }

    /// The types of a map's keys and values, if that is what this message is for.
    fn entry(&self, index: usize) -> Result<Option<(Type, Type)>, ProtoError> {
        let (name, message, _) = &self.messages[index];
        if !message.options.map_entry {
            return Ok(None);
        }
        let number = |number| message.field.iter().find(|field| field.number == number);
        let (Some(key), Some(value)) = (number(1), number(2)) else {
            return Err(ProtoError(format!("{name} is no entry of a map")));
        };
        Ok(Some((self.of(key)?, self.of(value)?)))
    }

    fn of(&self, field: &FieldDescriptor) -> Result<Type, ProtoError> {
        Ok(match field.kind {
            1 => Type::Double,
            2 => Type::Float,
            3 => Type::Int64,
            4 => Type::Uint64,
            5 => Type::Int32,
            6 => Type::Fixed64,
            7 => Type::Fixed32,
            8 => Type::Bool,
            9 => Type::Text,
            11 => Type::Message(self.message_of(&field.type_name)?),
            12 => Type::Bytes,
            13 => Type::Uint32,
            14 => match self.enum_index.get(&field.type_name) {
                Some(index) => Type::Enum(*index),
                None => return Err(unknown(&field.type_name)),
            },
            15 => Type::Sfixed32,
            16 => Type::Sfixed64,
            17 => Type::Sint32,
            18 => Type::Sint64,
            other => {
                return Err(ProtoError(format!("the field {} has type {other}", field.name)));
            }
        })
    }

    fn message_of(&self, name: &str) -> Result<usize, ProtoError> {
        self.message_index.get(name).copied().ok_or_else(|| unknown(name))
    }

    fn method(&self, service: &str, method: &MethodDescriptor) -> Result<Method, ProtoError> {
        Ok(Method {
            path: format!("/{service}/{}", method.name),
            request: self.message_of(&method.input_type)?,
            response: self.message_of(&method.output_type)?,
            streams: method.client_streaming || method.server_streaming,
        })
    }
}

fn unknown(name: &str) -> ProtoError {
    ProtoError(format!("nobody declares {name:?}"))
}
