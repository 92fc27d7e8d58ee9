//! Values as JSON.

use serde::ser::Serialize;

use crate::message::{Fault, Outcome, Pack};
use crate::protocol::emit::{self, Emit, Key, Shape, Width};
use crate::protocol::native::ValueError;
use crate::value::Value;

type Result<T = ()> = std::result::Result<T, ValueError>;

/// Appends a response. `id` is JSON already.
pub(super) fn outcome(outcome: Outcome<'_>, id: &str, depth: usize, out: &mut Vec<u8>) -> Result {
    match outcome {
        Ok(result) => {
            out.extend(br#"{"jsonrpc":"2.0","result":"#);
            value(result, depth, out)?;
        }
        Err(Fault { code, message, data }) => {
            out.extend(br#"{"jsonrpc":"2.0","error":{"code":"#);
            plain(&code, out)?;
            out.extend(br#","message":"#);
            plain(&message, out)?;
            if data != Value::Null {
                out.extend(br#","data":"#);
                value(&data, depth, out)?;
            }
            out.push(b'}');
        }
    }
    out.extend(br#","id":"#);
    out.extend(id.as_bytes());
    out.push(b'}');
    Ok(())
}

/// Appends a value.
pub(super) fn value(value: &dyn Pack, depth: usize, out: &mut Vec<u8>) -> Result {
    emit::emit(&mut Json { out }, depth, value)
}

/// Appends a number or a text as serde_json writes it.
pub(super) fn plain<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result {
    serde_json::to_writer(out, value).map_err(|why| ValueError::Unfit(why.to_string()))
}

/// What is written so far ends where a value or a key may follow, but for a comma.
struct Json<'o> {
    out: &'o mut Vec<u8>,
}

impl Json<'_> {
    fn comma(&mut self) {
        if !matches!(self.out.last(), Some(b'[' | b'{' | b':') | None) {
            self.out.push(b',');
        }
    }

    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.comma();
        plain(value, self.out)
    }
}

impl Emit for Json<'_> {
    fn null(&mut self) -> Result {
        self.put(&())
    }

    fn bool(&mut self, value: bool) -> Result {
        self.put(&value)
    }

    fn int(&mut self, value: i64, _: Width) -> Result {
        self.put(&value)
    }

    fn big_int(&mut self, value: u64) -> Result {
        self.put(&value)
    }

    fn float(&mut self, value: f64) -> Result {
        match value.is_finite() {
            true => self.put(&value),
            false => Err(ValueError::NotFinite),
        }
    }

    fn single(&mut self, value: f32) -> Result {
        match value.is_finite() {
            true => self.put(&value),
            false => Err(ValueError::NotFinite),
        }
    }

    fn text(&mut self, value: &str) -> Result {
        self.put(value)
    }

    fn bytes(&mut self, value: &[u8]) -> Result {
        self.put(value)
    }

    fn open(&mut self, shape: Shape, _: Option<usize>) -> Result {
        self.comma();
        self.out.push(match shape {
            Shape::List | Shape::Tuple => b'[',
            Shape::Map | Shape::Struct => b'{',
        });
        Ok(())
    }

    fn key(&mut self, key: Key<'_>) -> Result {
        match key {
            Key::Text(text) => self.put(&*text)?,
            other => self.put(&other.to_string())?,
        }
        self.out.push(b':');
        Ok(())
    }

    fn close(&mut self, shape: Shape) -> Result {
        self.out.push(match shape {
            Shape::List | Shape::Tuple => b']',
            Shape::Map | Shape::Struct => b'}',
        });
        Ok(())
    }
}
