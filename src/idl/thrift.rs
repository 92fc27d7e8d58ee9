//! A Thrift file.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::types::{Definition, Type, Types};
use super::{Omitted, fields_of_tuple, identifier, methods, name_of_tuple};
use crate::procedure::Procedures;

/// The Thrift file of these procedures, as one service: arguments numbered 1, 2, … in order, as
/// [`Thrift`](crate::protocol::thrift::Thrift) numbers them.
///
/// What a procedure throws is not known, so a fault is an application exception to its clients.
pub fn thrift(procedures: &Procedures, service: &str) -> String {
    let (methods, types) = methods(procedures);
    let mut file = File { types: &types, declared: String::new(), names: BTreeSet::new() };
    let mut functions = String::new();
    for method in methods {
        // Of a procedure that is left out nothing stays, or it might name what is not there.
        let mut with = file.clone();
        let function = method.and_then(|method| {
            with.function(method.name, &method.arguments, &method.result)
                .map_err(|why| Omitted { name: method.name, why })
        });
        let _ = match function {
            Ok(function) => {
                file = with;
                writeln!(functions, "    {function}")
            }
            Err(Omitted { name, why }) => {
                writeln!(functions, "    // {} is left out: {why}.", name.escape_debug())
            }
        };
    }
    format!("{}service {service} {{\n{functions}}}\n", file.declared)
}

/// What Apache's compiler and thriftpy2 take for words of the language, or of another that they
/// write for.
const RESERVED: &str = "\
    BEGIN END __CLASS__ __DIR__ __FILE__ __FUNCTION__ __LINE__ __METHOD__ __NAMESPACE__ abstract \
    alias and args as assert begin binary bool break byte case catch class clone const continue \
    cpp_include declare def default del delete do double dynamic elif else elseif elsif end \
    enddeclare endfor endforeach endif endswitch endwhile ensure enum except exception exec \
    extends finally float for foreach from function global goto i16 i32 i64 i8 if implements \
    import in include inline instanceof interface is lambda list map module namespace native new \
    next nil not oneway optional or pass print private protected public raise redo register \
    required rescue retry return self service set sizeof static string struct super switch \
    synchronized then this throw throws transient try typedef undef union unless unsigned until \
    use var virtual void volatile when while with xor yield";

#[derive(Clone)]
struct File<'t> {
    types: &'t Types,
    /// Structs, unions and enums, each before it is used.
    declared: String,
    /// Theirs, and those that are being declared.
    names: BTreeSet<String>,
}

type Written = Result<String, String>;

impl File<'_> {
    fn function(&mut self, name: &str, arguments: &[(String, Type)], result: &Type) -> Written {
        let field = |(at, (name, of)): (usize, &(String, Type))| {
            let of = self.written(of.present())?;
            Ok(format!("{}: {of} {}", at + 1, checked(name)?))
        };
        let arguments =
            arguments.iter().enumerate().map(field).collect::<Result<Vec<_>, String>>()?;
        let result = match result {
            Type::Unit => "void".to_owned(),
            of => self.written(of.present())?,
        };
        Ok(format!("{result} {}({})", checked(name)?, arguments.join(", ")))
    }

    /// A type where there must be a value.
    fn written(&mut self, of: &Type) -> Written {
        let simple = match of {
            Type::Bool => "bool",
            Type::Int { bits: 8, signed: true } => "byte",
            Type::Int { bits: 8, .. } | Type::Int { bits: 16, signed: true } => "i16",
            Type::Int { bits: 16, .. } | Type::Int { bits: 32, signed: true } => "i32",
            Type::Int { bits: 32 | 64, .. } => "i64",
            Type::Int { .. } => return Err("Thrift has no such large integers".to_owned()),
            Type::Float { .. } => "double",
            Type::Text => "string",
            Type::Bytes => "binary",
            Type::Any => return Err("Thrift has no type for any value".to_owned()),
            Type::Unit | Type::Option(_) => return Err("Thrift has no nothing there".to_owned()),
            Type::List(item) => return Ok(format!("list<{}>", self.written(item)?)),
            Type::Map(of) => {
                let (key, value) = &**of;
                if !key.is_key() {
                    return Err("a map's keys are texts, integers or booleans".to_owned());
                }
                return Ok(format!("map<{}, {}>", self.written(key)?, self.written(value)?));
            }
            Type::Tuple(items) => return self.tuple(items),
            Type::Named(name) => return self.named(name),
        };
        Ok(simple.to_owned())
    }

    /// A tuple is a struct, and needs a name.
    fn tuple(&mut self, items: &[Type]) -> Written {
        let written = self.fields(&fields_of_tuple(items))?;
        let name = name_of_tuple(&written);
        if self.names.insert(name.clone()) {
            self.declare("struct", &name, &written);
        }
        Ok(name)
    }

    fn named(&mut self, name: &str) -> Written {
        if !self.names.insert(checked(name)?.to_owned()) {
            return Ok(name.to_owned());
        }
        match self.types.definition(name) {
            Some(Definition::Struct(fields)) => {
                let fields = self.fields(fields)?;
                self.declare("struct", name, &fields);
            }
            Some(Definition::Enum(variants)) => self.enumeration(name, variants)?,
            None => return Err(format!("what {name} is made of is not known")),
        }
        Ok(name.to_owned())
    }

    fn enumeration(&mut self, name: &str, variants: &[(String, Type)]) -> Result<(), String> {
        let empty = variants.iter().filter(|(_, content)| *content == Type::Unit).count();
        if empty == variants.len() {
            variants.iter().try_for_each(|(value, _)| checked(value).map(drop))?;
            let values = variants.iter().enumerate();
            let values = values.map(|(number, (value, _))| format!("    {value} = {number}\n"));
            let values: String = values.collect();
            let _ = writeln!(self.declared, "enum {name} {{\n{values}}}\n");
        } else if empty == 0 {
            let fields = self.fields(variants)?;
            self.declare("union", name, &fields);
        } else {
            return Err(format!("some of {name}'s variants hold something, and some do not"));
        }
        Ok(())
    }

    /// For each field its type, with what stands before it, and its name.
    fn fields(&mut self, fields: &[(String, Type)]) -> Result<Vec<(String, String)>, String> {
        let field = |(name, of): &(String, Type)| {
            let optional = if matches!(of, Type::Option(_)) { "optional " } else { "" };
            let of = self.written(of.present())?;
            Ok((format!("{optional}{of}"), checked(name)?.to_owned()))
        };
        fields.iter().map(field).collect()
    }

    fn declare(&mut self, kind: &str, name: &str, fields: &[(String, String)]) {
        let fields = fields.iter().enumerate();
        let fields = fields.map(|(at, (of, name))| format!("    {}: {of} {name}\n", at + 1));
        let fields: String = fields.collect();
        let _ = writeln!(self.declared, "{kind} {name} {{\n{fields}}}\n");
    }
}

/// A name that can stand in a Thrift file.
fn checked(name: &str) -> Result<&str, String> {
    match RESERVED.split(' ').any(|word| word == name) {
        true => Err(format!("{name} is a word of Thrift's own")),
        false => identifier(name),
    }
}
