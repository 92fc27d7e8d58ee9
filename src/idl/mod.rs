//! What procedures take and return, written down for other systems: a Thrift file, a `.proto`, an
//! OpenRPC document.
//!
//! Names and types come from the procedures as they were registered. What an argument's type is
//! made of, the type itself says ([`Types`]); of a result only the name of its type is known, so a
//! struct or an enum of one's own is described where it is also an argument, and anything else
//! where it is one of Rust's own types. A procedure that a format cannot describe is left out of
//! it, and named in a comment with the reason.
//!
//! ```
//! let procedures = ninestep::Procedures::new().on_named("add", &["a", "b"], |a: i64, b: i64| a + b);
//! # #[cfg(feature = "thrift")]
//! assert!(ninestep::idl::thrift(&procedures, "Calculator").contains("i64 add(1: i64 a, 2: i64 b)"));
//! ```

mod names;
#[cfg(feature = "json-rpc")]
mod openrpc;
mod proto;
#[cfg(feature = "thrift")]
mod thrift;
mod types;

#[cfg(feature = "json-rpc")]
pub use openrpc::openrpc;
pub use proto::proto;
#[cfg(feature = "thrift")]
pub use thrift::thrift;
pub use types::{Definition, Type, Types};

use crate::procedure::{Procedures, Signature};

/// A procedure whose types are known.
struct Method<'p> {
    name: &'p str,
    arguments: Vec<(String, Type)>,
    result: Type,
}

/// All procedures, or for each the reason why it cannot be described; and their own types.
fn methods(procedures: &Procedures) -> (Vec<Result<Method<'_>, Omitted<'_>>>, Types) {
    let mut types = Types::default();
    let described = procedures.argument_types(&mut types);
    let method = |(name, of)| {
        let signature = procedures.signature(name)?;
        Some(method(name, signature, of, &types).map_err(|why| Omitted { name, why }))
    };
    (described.into_iter().filter_map(method).collect(), types)
}

fn method<'p>(
    name: &'p str,
    signature: &Signature,
    arguments: Vec<Type>,
    types: &Types,
) -> Result<Method<'p>, String> {
    let names = || signature.arguments.iter().map(|argument| argument.name);
    if names().any(|name| name == "...") {
        return Err("it takes any number of arguments".to_owned());
    }
    let result = names::parse(&signature.returns, types)
        .ok_or_else(|| format!("what {} is made of is not known", signature.returns))?;
    let called = names().enumerate().map(|(at, name)| match name {
        "" => format!("argument{}", at + 1),
        name => name.to_owned(),
    });
    Ok(Method { name, arguments: called.zip(arguments).collect(), result })
}

/// A procedure that a format cannot describe.
struct Omitted<'p> {
    name: &'p str,
    why: String,
}

/// A name that begins with a capital, as types do.
fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A tuple's fields, where only a type with named fields can have several.
fn fields_of_tuple(items: &[types::Type]) -> Vec<(String, types::Type)> {
    let fields = items.iter().enumerate();
    fields.map(|(at, of)| (format!("item{}", at + 1), of.clone())).collect()
}

/// Such a type's name, from its fields as they are written: type and name.
fn name_of_tuple(fields: &[(String, String)]) -> String {
    fields.iter().map(|(of, _)| camel(of)).collect::<Vec<_>>().join("And")
}

/// A type as a part of a name: `ListPoint` for `list<Point>`.
fn camel(written: &str) -> String {
    written.split(|c: char| !c.is_alphanumeric() && c != '_').map(capital).collect()
}

/// A name that is one in every language.
fn identifier(name: &str) -> Result<&str, String> {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match name.starts_with(|c: char| is_letter(c) && !c.is_ascii_digit())
        && name.chars().all(is_letter)
    {
        true => Ok(name),
        false => Err(format!("{name:?} cannot be a name there")),
    }
}
