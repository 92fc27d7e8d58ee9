//! Values that serde has no type for, and some wires have.

use serde::{Deserialize, Serialize};

/// A date, a time of day, or both, in ISO 8601.
///
/// XML-RPC has a form for it, which it takes as it stands: `19980717T14:08:55`. Hprose has one
/// too: `2012-12-21`, `15:14:35.123`, `2012-12-21T15:14:35` and, with a `Z` at the end, the same
/// in UTC. On every other wire it is a text; and on those two a text takes it as well.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename = "ninestep::DateTime")]
pub struct DateTime(pub String);

/// A GUID: 32 hexadecimal digits with hyphens between them, as in
/// `afa7f4b1-a64d-46fa-886f-ed7fbce569b6`.
///
/// Hprose has a form for it. On every other wire it is a text; and there a text takes it as well.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename = "ninestep::Guid")]
pub struct Guid(pub String);

/// What a text is besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    DateTime,
    Guid,
}

impl Special {
    /// By the name that its newtype struct has for serde.
    pub(crate) fn of(newtype: &str) -> Option<Special> {
        match newtype {
            "ninestep::DateTime" => Some(Special::DateTime),
            "ninestep::Guid" => Some(Special::Guid),
            _ => None,
        }
    }
}
