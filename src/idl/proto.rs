//! A Protocol Buffers file.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::types::{Definition, Type, Types};
use super::{Method, Omitted, capital, fields_of_tuple, identifier, methods, name_of_tuple};
use crate::procedure::Procedures;

/// The `.proto` file of these procedures, as one service: arguments numbered 1, 2, … in order. A
/// result that is a struct or a tuple is the answer's message, any other is that message's field 1.
pub fn proto(procedures: &Procedures, service: &str) -> String {
    let (methods, types) = methods(procedures);
    let mut file = File { types: &types, declared: String::new(), names: BTreeSet::new() };
    let mut calls = String::new();
    for method in methods {
        let call = method.and_then(|method| {
            file.call(&method).map_err(|why| Omitted { name: method.name, why })
        });
        let _ = match call {
            Ok(call) => writeln!(calls, "    {call}"),
            Err(Omitted { name, why }) => writeln!(calls, "    // {name} is left out: {why}."),
        };
    }
    let messages = file.declared;
    format!("syntax = \"proto3\";\n\nservice {service} {{\n{calls}}}\n{messages}")
}

struct File<'t> {
    types: &'t Types,
    declared: String,
    names: BTreeSet<String>,
}

type Written = Result<String, String>;

impl File<'_> {
    fn call(&mut self, method: &Method<'_>) -> Written {
        let name = capital(identifier(method.name)?);
        let (request, reply) = (format!("{name}Request"), format!("{name}Reply"));
        let arguments = self.fields(&method.arguments)?;
        let (answer, fields) = match &method.result {
            Type::Named(name)
                if matches!(self.types.definition(name), Some(Definition::Struct(_))) =>
            {
                (self.named(name)?, None)
            }
            Type::Tuple(items) => (self.tuple(items)?, None),
            Type::Unit => (reply, Some(Vec::new())),
            result => {
                let fields = self.fields(&[("result".to_owned(), result.clone())])?;
                (reply, Some(fields))
            }
        };
        self.message(&request, &arguments);
        if let Some(fields) = fields {
            self.message(&answer, &fields);
        }
        Ok(format!("rpc {name} ({request}) returns ({answer});"))
    }

    /// A field's type, with what stands before it.
    fn field(&mut self, of: &Type) -> Written {
        match of {
            Type::Option(of) => Ok(format!("optional {}", self.written(of)?)),
            Type::List(item) => Ok(format!("repeated {}", self.written(item)?)),
            Type::Map(of) => {
                let (key, value) = &**of;
                if !key.is_key() {
                    return Err("a map's keys are texts, integers or booleans".to_owned());
                }
                Ok(format!("map<{}, {}>", self.written(key)?, self.written(value)?))
            }
            of => self.written(of),
        }
    }

    /// A type where there must be one value.
    fn written(&mut self, of: &Type) -> Written {
        let simple = match of {
            Type::Bool => "bool",
            Type::Int { bits: 8 | 16 | 32, signed: true } => "int32",
            Type::Int { bits: 8 | 16 | 32, .. } => "uint32",
            Type::Int { bits: 64, signed: true } => "int64",
            Type::Int { bits: 64, .. } => "uint64",
            Type::Int { .. } => return Err("a .proto has no such large integers".to_owned()),
            Type::Float { bits: 32 } => "float",
            Type::Float { .. } => "double",
            Type::Text => "string",
            Type::Bytes => "bytes",
            Type::Any => return Err("a .proto has no type for any value".to_owned()),
            Type::Unit | Type::Option(_) => return Err("a .proto has no nothing there".to_owned()),
            Type::List(_) | Type::Map(_) => {
                return Err("a .proto has no list or map inside another".to_owned());
            }
            Type::Tuple(items) => return self.tuple(items),
            Type::Named(name) => return self.named(name),
        };
        Ok(simple.to_owned())
    }

    /// A tuple is a message, and needs a name.
    fn tuple(&mut self, items: &[Type]) -> Written {
        let written = self.fields(&fields_of_tuple(items))?;
        let name = name_of_tuple(&written);
        if self.names.insert(name.clone()) {
            self.message(&name, &written);
        }
        Ok(name)
    }

    fn named(&mut self, name: &str) -> Written {
        if !self.names.insert(identifier(name)?.to_owned()) {
            return Ok(name.to_owned());
        }
        let declared = match self.types.definition(name) {
            Some(Definition::Struct(fields)) => {
                let fields = self.fields(fields);
                fields.map(|fields| self.message(name, &fields))
            }
            Some(Definition::Enum(variants)) => self.enumeration(name, variants),
            None => Err(format!("what {name} is made of is not known")),
        };
        if declared.is_err() {
            self.names.remove(name);
        }
        declared.map(|()| name.to_owned())
    }

    fn enumeration(&mut self, name: &str, variants: &[(String, Type)]) -> Result<(), String> {
        let empty = variants.iter().filter(|(_, content)| *content == Type::Unit).count();
        if empty == variants.len() {
            // The names of all enums' values are in one space.
            if let Some((value, _)) = variants.iter().find(|(value, _)| self.names.contains(value))
            {
                return Err(format!("{value} is the name of something else, too"));
            }
            self.names.extend(variants.iter().map(|(value, _)| value.clone()));
            let values = variants.iter().enumerate();
            let values = values.map(|(number, (value, _))| format!("    {value} = {number};\n"));
            let values: String = values.collect();
            let _ = writeln!(self.declared, "\nenum {name} {{\n{values}}}");
            Ok(())
        } else if empty == 0 {
            let mut members = String::new();
            for (at, (member, of)) in variants.iter().enumerate() {
                let of = self.written(of)?;
                let _ = writeln!(members, "        {of} {member} = {};", at + 1);
            }
            let oneof = format!("    oneof variant {{\n{members}    }}\n");
            let _ = writeln!(self.declared, "\nmessage {name} {{\n{oneof}}}");
            Ok(())
        } else {
            Err(format!("some of {name}'s variants hold something, and some do not"))
        }
    }

    /// For each field its type and its name.
    fn fields(&mut self, fields: &[(String, Type)]) -> Result<Vec<(String, String)>, String> {
        fields
            .iter()
            .map(|(name, of)| Ok((self.field(of)?, identifier(name)?.to_owned())))
            .collect()
    }

    fn message(&mut self, name: &str, fields: &[(String, String)]) {
        let field = |(at, (of, name)): (usize, &(String, String))| {
            format!("    {of} {name} = {};\n", at + 1)
        };
        let fields: String = fields.iter().enumerate().map(field).collect();
        let _ = match &*fields {
            "" => writeln!(self.declared, "\nmessage {name} {{}}"),
            fields => writeln!(self.declared, "\nmessage {name} {{\n{fields}}}"),
        };
    }
}
