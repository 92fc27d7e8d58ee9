//! A type by its name, where nothing but the name is known.

use super::types::{Type, Types};

/// What a name such as `Vec<(String, i64)>` stands for; `None` for a type that is not Rust's own
/// and did not occur among the arguments.
pub(super) fn parse(name: &str, types: &Types) -> Option<Type> {
    let name = name.trim_start_matches('&').trim_start_matches("mut ").trim();
    let of = |name: &str| parse(name, types);
    if let Some(inner) = name.strip_prefix('(').and_then(|name| name.strip_suffix(')')) {
        return match &*split(inner) {
            [] => Some(Type::Unit),
            items => items.iter().map(|item| of(item)).collect::<Option<_>>().map(Type::Tuple),
        };
    }
    if let Some(inner) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        return match inner.rsplit_once("; ") {
            None => Some(Type::List(Box::new(of(inner)?))),
            Some((item, count)) => Some(Type::Tuple(vec![of(item)?; count.parse().ok()?])),
        };
    }
    if let Some((outer, inner)) = name.strip_suffix('>').and_then(|name| name.split_once('<')) {
        return match (outer, &*split(inner)) {
            ("Option", [item]) => Some(Type::Option(Box::new(of(item)?))),
            ("Box" | "Arc" | "Rc", [item]) => of(item),
            ("Cow", [.., item]) => of(item),
            ("Vec" | "VecDeque" | "BTreeSet" | "HashSet", [item, ..]) => {
                Some(Type::List(Box::new(of(item)?)))
            }
            ("BTreeMap" | "HashMap", [key, value, ..]) => {
                Some(Type::Map(Box::new((of(key)?, of(value)?))))
            }
            _ => None,
        };
    }
    let int = |bits: &str, signed| {
        let bits = if bits == "size" { "64" } else { bits };
        bits.parse().ok().map(|bits| Type::Int { bits, signed })
    };
    match name {
        "bool" => Some(Type::Bool),
        "f32" => Some(Type::Float { bits: 32 }),
        "f64" => Some(Type::Float { bits: 64 }),
        "str" | "String" | "char" => Some(Type::Text),
        "ByteBuf" | "Bytes" => Some(Type::Bytes),
        "Value" => Some(Type::Any),
        name if types.definition(name).is_some() => Some(Type::Named(name.to_owned())),
        name => match name.split_at_checked(1)? {
            ("i", bits) => int(bits, true),
            ("u", bits) => int(bits, false),
            _ => None,
        },
    }
}

/// The parts between the commas that are in no brackets.
fn split(names: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let parts = names.split(|c| {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    // One part alone has a comma behind it, too.
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}
