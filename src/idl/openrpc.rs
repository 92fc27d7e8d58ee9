//! An OpenRPC document (<https://spec.open-rpc.org>), for JSON-RPC.

use serde_json::{Map, Value, json};

use super::types::{Definition, Type};
use super::{Method, Omitted, methods};
use crate::procedure::Procedures;

/// The OpenRPC document of these procedures, in JSON: every method with what it takes and
/// returns as JSON Schema.
pub fn openrpc(procedures: &Procedures, title: &str) -> String {
    let (methods, types) = methods(procedures);
    let (mut described, mut omitted) = (Vec::new(), Vec::new());
    for method in methods {
        match method {
            Ok(method) => described.push(method_object(&method, procedures)),
            Err(Omitted { name, why }) => omitted.push(format!("{name} is left out: {why}.")),
        }
    }
    let mut info = json!({ "title": title, "version": env!("CARGO_PKG_VERSION") });
    if !omitted.is_empty() {
        info["description"] = omitted.join(" ").into();
    }
    let mut document = json!({ "openrpc": "1.3.2", "info": info, "methods": described });
    let schemas = types.definitions().map(|(name, of)| (name.to_owned(), definition(of)));
    let schemas: Map<String, Value> = schemas.collect();
    if !schemas.is_empty() {
        document["components"] = json!({ "schemas": schemas });
    }
    format!("{document:#}\n")
}

fn method_object(method: &Method<'_>, procedures: &Procedures) -> Value {
    let arguments = procedures.signature(method.name).map(|signature| &*signature.arguments);
    let is_named = arguments.unwrap_or_default().iter().all(|it| !it.name.is_empty());
    let parameter = |(name, of): &(String, Type)| {
        let is_required = !matches!(of, Type::Option(_));
        json!({ "name": name, "required": is_required, "schema": schema(of) })
    };
    json!({
        "name": method.name,
        "paramStructure": if is_named { "either" } else { "by-position" },
        "params": method.arguments.iter().map(parameter).collect::<Vec<_>>(),
        "result": { "name": "result", "schema": schema(&method.result) },
    })
}

/// What values of a type look like in JSON.
fn schema(of: &Type) -> Value {
    match of {
        Type::Any => json!(true),
        Type::Unit => json!({ "type": "null" }),
        Type::Bool => json!({ "type": "boolean" }),
        Type::Int { bits, signed: true } => {
            json!({ "type": "integer", "format": format!("int{bits}") })
        }
        Type::Int { bits, .. } => {
            json!({ "type": "integer", "format": format!("uint{bits}"), "minimum": 0 })
        }
        Type::Float { .. } => json!({ "type": "number" }),
        Type::Text => json!({ "type": "string" }),
        Type::Bytes => schema(&Type::List(Box::new(Type::Int { bits: 8, signed: false }))),
        Type::Option(of) => json!({ "anyOf": [schema(of), { "type": "null" }] }),
        Type::List(item) => json!({ "type": "array", "items": schema(item) }),
        Type::Tuple(items) => {
            let (count, items) = (items.len(), items.iter().map(schema).collect::<Vec<_>>());
            json!({ "type": "array", "items": items, "minItems": count, "maxItems": count })
        }
        Type::Map(of) => json!({ "type": "object", "additionalProperties": schema(&of.1) }),
        Type::Named(name) => json!({ "$ref": format!("#/components/schemas/{name}") }),
    }
}

fn definition(of: &Definition) -> Value {
    match of {
        Definition::Struct(fields) => object(fields),
        Definition::Enum(variants) => {
            let variants = variants.iter().map(|(name, content)| match content {
                Type::Unit => json!({ "const": name }),
                _ => object(&[(name.clone(), content.clone())]),
            });
            json!({ "oneOf": variants.collect::<Vec<_>>() })
        }
    }
}

fn object(fields: &[(String, Type)]) -> Value {
    let properties = fields.iter().map(|(name, of)| (name.clone(), schema(of)));
    let properties: Map<String, Value> = properties.collect();
    let required = fields.iter().filter(|(_, of)| !matches!(of, Type::Option(_)));
    let required: Vec<&String> = required.map(|(name, _)| name).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}
