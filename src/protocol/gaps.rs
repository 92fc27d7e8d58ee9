//! Long byte strings, which are sent from where they lie.
//!
//! Copying a long byte string into a message costs as much as sending it. So a message may be packed
//! with gaps in the places of its long byte strings, and sent while the value is at hand that they
//! belong to: it is gone through once more, and hands them out one after the other.

use std::io;

use crate::error::{Error, Result};
use crate::message::Pack;
use crate::protocol::native::{Packer, ValueError};

/// The long byte strings that a packed message lacks.
#[derive(Debug, Default)]
pub struct Gaps {
    allowed: bool,
    /// Where in the bytes something is missing, and how much.
    gaps: Vec<(usize, usize)>,
    /// How much is missing in all.
    missing: usize,
}

impl Gaps {
    /// A byte string of this length leaves a gap: a shorter one is quickly copied.
    pub(crate) const LONG: usize = 64 * 1024;

    /// No gaps yet. Gaps may be left if `allowed` says so: if the message is sent as [`Parts`].
    pub(crate) fn new(allowed: bool) -> Gaps {
        Gaps { allowed, ..Gaps::default() }
    }

    /// Leaves a gap for this content at the end of `out`, or appends it if that is not allowed.
    pub(crate) fn leave(&mut self, out: &mut Vec<u8>, content: &[u8]) {
        match self.allowed {
            true => {
                self.gaps.push((out.len(), content.len()));
                self.missing += content.len();
            }
            false => out.extend_from_slice(content),
        }
    }

    /// How many bytes are missing.
    pub(crate) fn missing(&self) -> usize {
        self.missing
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.missing == 0
    }

    pub(crate) fn clear(&mut self) {
        self.gaps.clear();
        self.missing = 0;
    }
}

/// A packed message with gaps, and the value that fills them.
pub struct Parts<'a> {
    /// The message but for its long byte strings.
    pub(crate) bytes: &'a [u8],
    pub(crate) gaps: &'a Gaps,
    pub(crate) value: &'a dyn Pack,
}

impl Parts<'_> {
    /// Hands everything to `send`, in order, and whether more follows.
    ///
    /// # Errors
    /// Those of `send`. The value is packed to other bytes than before: the message is torn.
    pub(crate) fn send(&self, send: &mut dyn FnMut(&[u8], bool) -> Result<()>) -> Result<()> {
        let (mut sent, mut gaps) = (0, self.gaps.gaps.iter());
        let mut failed = None;
        let mut fill = |content: &[u8]| {
            let sending = match gaps.next() {
                Some(&(place, length)) if length == content.len() => {
                    let before = &self.bytes[sent..place];
                    sent = place;
                    let more = sent < self.bytes.len() || gaps.len() > 0;
                    send(before, true).and_then(|()| send(content, more))
                }
                _ => Err(changed()),
            };
            sending.map_err(|why| {
                failed = Some(why);
                ValueError::Unfit("not sent".to_owned())
            })
        };
        let mut again = Vec::new();
        let packed = self.value.pack(&mut Packer::filling(&mut again, &mut fill));
        match failed {
            Some(why) => Err(why),
            None if packed.is_err() || gaps.len() > 0 => Err(changed()),
            None if sent == self.bytes.len() => Ok(()),
            None => send(&self.bytes[sent..], false),
        }
    }
}

fn changed() -> Error {
    let why = "the value is not packed to the same bytes twice";
    Error::transport("sending a long byte string", io::Error::other(why))
}
