//! A Protocol Buffers file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::types::{Definition, Type, Types};
use super::{Method, Omitted, capital, fields_of_tuple, identifier, methods, name_of_tuple};
use crate::procedure::Procedures;

/// The `.proto` file of these procedures, as one service: arguments numbered 1, 2, … in order. A
/// result that is a struct or a tuple is the answer's message, any other is that message's field 1.
pub fn proto(procedures: &Procedures, service: &str) -> String {
    let (methods, types) = methods(procedures);
    // A method's name begins with a capital, by custom. Where that leaves two procedures to choose
    // from, each is called by its own name.
    let called = |name: &str| match procedures.names().filter(|it| alike(it) == alike(name)).count()
    {
        1 => capital(name),
        _ => name.to_owned(),
    };
    let mut file = File {
        types: &types,
        methods: procedures.names().map(called).collect(),
        declared: String::new(),
        names: BTreeSet::from([service.to_owned()]),
        defined: BTreeSet::new(),
        tuples: BTreeMap::new(),
    };
    let mut calls = String::new();
    for method in methods {
        // Of a procedure that is left out nothing stays, or it might name what is not there.
        let mut with = file.clone();
        let call = method.and_then(|method| {
            let call = with.call(&called(method.name), &method);
            call.map_err(|why| Omitted { name: method.name, why })
        });
        let _ = match call {
            Ok(call) => {
                file = with;
                writeln!(calls, "    {call}")
            }
            Err(Omitted { name, why }) => {
                writeln!(calls, "    // {} is left out: {why}.", name.escape_debug())
            }
        };
    }
    let messages = file.declared;
    format!("syntax = \"proto3\";\n\nservice {service} {{\n{calls}}}\n{messages}")
}

#[derive(Clone)]
struct File<'t> {
    types: &'t Types,
    /// The names of the methods, which are looked up before those of the file.
    methods: BTreeSet<String>,
    declared: String,
    /// Every name that something in the file has.
    names: BTreeSet<String>,
    /// Those of structs and enums that are declared, or are being declared.
    defined: BTreeSet<String>,
    /// For a tuple's fields, as they are written, the name of its message.
    tuples: BTreeMap<Vec<(String, String)>, String>,
}

type Written = Result<String, String>;

impl File<'_> {
    fn call(&mut self, name: &str, method: &Method<'_>) -> Written {
        identifier(name)?;
        let arguments = self.fields(&method.arguments)?;
        let answer = match &method.result {
            Type::Named(name)
                if matches!(self.types.definition(name), Some(Definition::Struct(_))) =>
            {
                Some(self.named(name)?)
            }
            Type::Tuple(items) => Some(self.tuple(items)?),
            _ => None,
        };
        let result = match &method.result {
            _ if answer.is_some() => Vec::new(),
            Type::Unit => Vec::new(),
            result => self.fields(&[("result".to_owned(), result.clone())])?,
        };
        let request = self.generated(format!("{}Request", capital(name)), &arguments);
        let answer =
            answer.unwrap_or_else(|| self.generated(format!("{}Reply", capital(name)), &result));
        let [request, answer] = [request, answer].map(|message| self.in_a_method(message));
        Ok(format!("rpc {name} ({request}) returns ({answer});"))
    }

    /// How a method names a message: with a dot in front if a method has that name, too.
    fn in_a_method(&self, message: String) -> String {
        if self.methods.contains(&message) { format!(".{message}") } else { message }
    }

    /// Declares a message that has no name of its own: it has this one if nothing else has it.
    fn generated(&mut self, name: String, fields: &[(String, String)]) -> String {
        let is_own = |name: &str| {
            self.types.definitions().any(|(own, definition)| match definition {
                _ if own == name => true,
                Definition::Enum(variants) => variants.iter().any(|(value, _)| value == name),
                Definition::Struct(_) => false,
            })
        };
        let (mut free, mut number) = (name.clone(), 2);
        while self.names.contains(&free) || is_own(&free) {
            free = format!("{name}{number}");
            number += 1;
        }
        self.names.insert(free.clone());
        self.message(&free, fields);
        free
    }

    /// Takes a name that must be just that.
    fn take(&mut self, name: &str) -> Result<(), String> {
        match self.names.insert(identifier(name)?.to_owned()) {
            true => Ok(()),
            false => Err(format!("{name} is the name of something else, too")),
        }
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
        if let Some(known) = self.tuples.get(&written) {
            return Ok(known.clone());
        }
        let name = self.generated(name_of_tuple(&written), &written);
        self.tuples.insert(written, name.clone());
        Ok(name)
    }

    fn named(&mut self, name: &str) -> Written {
        if !self.defined.contains(name) {
            self.take(name)?;
            self.defined.insert(name.to_owned());
            match self.types.definition(name) {
                Some(Definition::Struct(fields)) => {
                    let fields = self.fields(fields)?;
                    self.message(name, &fields);
                }
                Some(Definition::Enum(variants)) => self.enumeration(name, variants)?,
                None => return Err(format!("what {name} is made of is not known")),
            }
        }
        Ok(name.to_owned())
    }

    fn enumeration(&mut self, name: &str, variants: &[(String, Type)]) -> Result<(), String> {
        let empty = variants.iter().filter(|(_, content)| *content == Type::Unit).count();
        let names = variants.iter().map(|(variant, _)| variant.as_str());
        if empty == variants.len() {
            // Other languages leave out the enum's name in front of a value's.
            let bare = |value: &str| match alike(value).strip_prefix(&alike(name)) {
                None | Some("") => alike(value),
                Some(bare) => bare.to_owned(),
            };
            distinct(names.clone().map(|value| (bare(value), value)))?;
            let mut values = String::new();
            for (number, value) in names.enumerate() {
                // The names of all enums' values are in one space.
                self.take(value)?;
                if matches!(value, "option" | "reserved") {
                    return Err(format!("{value:?} cannot be a name there"));
                }
                let _ = writeln!(values, "    {value} = {number};");
            }
            let _ = writeln!(self.declared, "\nenum {name} {{\n{values}}}");
            Ok(())
        } else if empty == 0 {
            distinct(names.clone().map(|member| (alike(member), member)))?;
            let mut members = String::new();
            for (at, (member, of)) in variants.iter().enumerate() {
                let of = self.written(of)?;
                let _ = writeln!(members, "        {of} {} = {};", identifier(member)?, at + 1);
            }
            let mut oneof = "variant".to_owned();
            while names.clone().any(|member| member == oneof) {
                oneof.push('_');
            }
            let oneof = format!("    oneof {oneof} {{\n{members}    }}\n");
            let _ = writeln!(self.declared, "\nmessage {name} {{\n{oneof}}}");
            Ok(())
        } else {
            Err(format!("some of {name}'s variants hold something, and some do not"))
        }
    }

    /// For each field its type and its name.
    fn fields(&mut self, fields: &[(String, Type)]) -> Result<Vec<(String, String)>, String> {
        distinct(fields.iter().map(|(name, _)| (alike(name), name.as_str())))?;
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

/// What is left of a name where neither the case of letters nor underscores count.
fn alike(name: &str) -> String {
    name.replace('_', "").to_ascii_lowercase()
}

/// Makes sure that no two names become one, as JSON and other languages write them.
fn distinct<'n>(names: impl Iterator<Item = (String, &'n str)>) -> Result<(), String> {
    let mut known = BTreeMap::new();
    for (written, name) in names {
        if let Some(other) = known.insert(written, name) {
            return Err(format!("{other:?} and {name:?} may be one name there"));
        }
    }
    Ok(())
}
