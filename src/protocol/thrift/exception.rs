//! What becomes of a fault: an exception that the Thrift file declares, or else an application
//! exception.

use super::idl::{Field, Function, Idl, Type};
use super::kind;
use super::pack::Writer;
use crate::message::Fault;
use crate::protocol::emit::emit;
use crate::protocol::native::ValueError;
use crate::value::Value;

const UNKNOWN_METHOD: i32 = 1;
const INVALID_MESSAGE_TYPE: i32 = 2;
const WRONG_METHOD_NAME: i32 = 3;
const BAD_SEQUENCE_ID: i32 = 4;
const INTERNAL_ERROR: i32 = 6;
const PROTOCOL_ERROR: i32 = 7;
const INVALID_TRANSFORM: i32 = 8;
const INVALID_PROTOCOL: i32 = 9;
const UNSUPPORTED_CLIENT_TYPE: i32 = 10;

/// The exception that a function declares under this number.
pub(super) fn declared(function: Option<&Function>, number: i32) -> Option<&Field> {
    let throws = &function?.throws;
    throws.iter().find(|field| i32::from(field.id) == number && number > 0)
}

/// Appends a result that holds a declared exception.
pub(super) fn pack_declared(
    idl: &Idl,
    max_depth: usize,
    fault: &Fault,
    exception: &Field,
    out: &mut Vec<u8>,
) -> Result<(), ValueError> {
    let Type::Struct(index) = exception.of else {
        return Err(ValueError::Unfit(format!("{} is no exception", exception.name)));
    };
    let fields = idl.fields(index);
    let mut values = match &fault.data {
        Value::Map(values) => values.clone(),
        _ => Vec::new(),
    };
    values.retain(|(name, _)| fields.iter().any(|field| field.name == *name));
    if let Some(name) = message_field(fields)
        && values.iter().all(|(known, _)| known != name)
    {
        values.push((name.to_owned(), Value::from(&*fault.message)));
    }
    let mut writer = Writer::of_field(out, idl, exception.id, Some(&exception.of));
    emit(&mut writer, max_depth, &Value::Map(values))?;
    writer.end();
    Ok(())
}

/// The fault that a declared exception becomes, or one that only the peer's file declares.
pub(super) fn fault(idl: &Idl, id: i16, declared: Option<&Type>, fields: Value) -> Fault {
    let (name, message_field) = match declared {
        Some(Type::Struct(index)) => {
            (idl.struct_name(*index).to_owned(), message_field(idl.fields(*index)))
        }
        _ => (format!("exception {id}"), None),
    };
    let mut values = match fields {
        Value::Map(values) => values,
        _ => Vec::new(),
    };
    let is_message = |(name, value): &(String, Value)| {
        matches!(value, Value::Text(_)) && message_field.is_none_or(|field| name == field)
    };
    let message = match values.iter().position(is_message).map(|at| values.remove(at).1) {
        Some(Value::Text(message)) => message,
        _ => name,
    };
    let data = if values.is_empty() { Value::Null } else { Value::Map(values) };
    Fault { code: id.into(), message, data }
}

/// The field of an exception that people read.
fn message_field(fields: &[Field]) -> Option<&str> {
    let texts = || fields.iter().filter(|field| field.of == Type::Text);
    let found = texts().find(|field| field.name == "message").or_else(|| texts().next())?;
    Some(&found.name)
}

/// Appends an application exception: `{1: string message, 2: i32 type}`.
pub(super) fn pack_application(procedure: &str, fault: &Fault, out: &mut Vec<u8>) {
    // Apache Thrift's own words.
    let unknown = || format!("Unknown function {procedure}");
    let (number, message) = match fault.code {
        Fault::NO_SUCH_PROCEDURE => (UNKNOWN_METHOD, &*unknown()),
        Fault::INVALID_CALL => (INVALID_MESSAGE_TYPE, &*fault.message),
        Fault::PARSE | Fault::WRONG_ARGUMENTS => (PROTOCOL_ERROR, &*fault.message),
        _ => (INTERNAL_ERROR, &*fault.message),
    };
    out.extend_from_slice(&[kind::STRING, 0, 1]);
    // A length that is cut here belongs to a message that is refused as too long.
    out.extend_from_slice(&(message.len() as u32).to_be_bytes());
    out.extend_from_slice(message.as_bytes());
    out.extend_from_slice(&[kind::I32, 0, 2]);
    out.extend_from_slice(&number.to_be_bytes());
    out.push(kind::STOP);
}

/// The fault that an application exception becomes.
pub(super) fn application_fault(fields: Value) -> Fault {
    let (mut message, mut number) = (String::new(), 0);
    if let Value::Map(fields) = fields {
        for field in fields {
            match (&*field.0, field.1) {
                ("1", Value::Text(text)) => message = text,
                ("2", Value::Int(value)) => number = i32::try_from(value).unwrap_or(0),
                _ => {}
            }
        }
    }
    let code = match number {
        UNKNOWN_METHOD => Fault::NO_SUCH_PROCEDURE,
        PROTOCOL_ERROR => Fault::WRONG_ARGUMENTS,
        INVALID_MESSAGE_TYPE
        | WRONG_METHOD_NAME
        | BAD_SEQUENCE_ID
        | INVALID_TRANSFORM
        | INVALID_PROTOCOL
        | UNSUPPORTED_CLIENT_TYPE => Fault::INVALID_CALL,
        _ => Fault::INTERNAL,
    };
    if message.is_empty() {
        message = format!("application exception {number}");
    }
    Fault::new(code, message)
}
