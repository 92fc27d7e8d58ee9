//! Where in the sources a step is taken and a field is written. The line is looked up by its code,
//! in the sources as they were compiled, so that it cannot become another one unnoticed.

use ninestep::Step;

/// A line of the sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) file: &'static str,
    /// From 1.
    pub(super) line: usize,
    pub(super) code: &'static str,
}

macro_rules! the_line {
    ($file:literal, $code:literal) => {
        find($file, include_str!(concat!("../../../../", $file)), |line| line.contains($code))
    };
}

/// Where a step is taken; `procedure` is what runs in step 6.
pub(super) fn of_step(step: Step, procedure: &str) -> Option<Source> {
    match step {
        Step::Call => the_line!("src/bin/ninestep/trace.rs", "stub.call(&self.procedure, "),
        Step::Pack => the_line!("src/wire.rs", "self.protocol.pack(call, out)"),
        Step::Send => the_line!("src/wire.rs", "self.connection.send_some(rest)"),
        Step::Unpack => the_line!("src/procedure.rs", "= arguments.unpack_seed(visitor)?;"),
        Step::Invoke => the_line!("src/procedure.rs", "self($($value),*).give(teller);"),
        Step::Run => find("src/demo.rs", include_str!("../../../demo.rs"), |line| {
            // The trait's own line ends with a semicolon.
            let name =
                line.trim_start().strip_prefix("fn ").and_then(|line| line.split('(').next());
            name == Some(procedure) && line.ends_with('{')
        }),
        Step::Reply => {
            the_line!(
                "src/protocol/native/mod.rs",
                "self.pack_outcome(id, outcome, out, gaps, send)"
            )
        }
        Step::Receive => the_line!("src/pending.rs", "slot.outcome(outcome)"),
        Step::Result => the_line!("src/client_stub.rs", "outcome.unwrap_or_else(|| "),
    }
}

/// Where the field of this name is written, one of those that
/// [`explain`](ninestep::protocol::native::explain::explain) finds in a call, a reply or a fault.
pub(super) fn of_field(name: &str) -> Option<Source> {
    match name {
        "magic" | "version" => the_line!("src/wire.rs", "extend_from_slice(self.hello);"),
        "length" => the_line!("src/protocol/native/frame.rs", "BigEndian::write_u32(&mut out["),
        "kind" => the_line!("src/protocol/native/frame.rs", "head[4] = kind;"),
        "id" => {
            the_line!("src/protocol/native/frame.rs", "BigEndian::write_u32(&mut head[5..], id);")
        }
        "deadline" => the_line!("src/protocol/native/mod.rs", "put_u32(out, call.deadline."),
        "procedure: length" | "procedure" => {
            the_line!("src/protocol/native/mod.rs", "put_bytes(out, call.procedure.")
        }
        "code" => the_line!("src/protocol/native/mod.rs", "put_u32(out, fault.code."),
        "message: length" | "message" => {
            the_line!("src/protocol/native/mod.rs", "put_bytes(out, fault.message.")
        }
        "arguments" => {
            the_line!("src/protocol/native/pack.rs", "extend_from_slice(&[tag, 0, 0, 0, 0]);")
        }
        _ => of_value(name.rsplit_once(": ")?.1),
    }
}

fn of_value(kind: &str) -> Option<Source> {
    match kind {
        "nothing" => the_line!("src/protocol/native/pack.rs", "self.out.push(tag::NULL);"),
        "boolean" => the_line!("src/protocol/native/pack.rs", "(&[tag::BOOL, "),
        "integer" => the_line!("src/protocol/native/pack.rs", "self.put_eight(tag::INT, "),
        "big integer" => the_line!("src/protocol/native/pack.rs", "self.put_eight(tag, value);"),
        "float" => the_line!("src/protocol/native/pack.rs", "self.put_eight(tag::FLOAT, "),
        "text" => the_line!("src/protocol/native/pack.rs", "put_bytes(self.out, text."),
        "bytes" => the_line!("src/protocol/native/pack.rs", "put_bytes(self.out, value)"),
        "list" | "map" => {
            the_line!("src/protocol/native/pack.rs", "extend_from_slice(&[tag, 0, 0, 0, 0]);")
        }
        _ => None,
    }
}

/// The only line that is the one.
fn find(
    file: &'static str,
    text: &'static str,
    is_the_one: impl Fn(&str) -> bool,
) -> Option<Source> {
    let lines = text.lines().enumerate();
    let mut found = lines.filter(|(_, line)| is_the_one(line));
    let (index, code) = found.next()?;
    found.next().is_none().then_some(Source { file, line: index + 1, code: code.trim() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ninestep::protocol::native::explain::explain;
    use ninestep::protocol::native::{frame, pack};
    use ninestep::{Fault, demo};

    #[test]
    fn every_step_has_its_line() {
        for step in Step::ALL {
            assert!(of_step(step, "add").is_some(), "{step:?}");
        }
        for procedure in demo::procedures().names() {
            let source = of_step(Step::Run, procedure);
            assert!(source.unwrap().code.starts_with(&format!("fn {procedure}(")), "{source:?}");
        }
        assert_eq!(of_step(Step::Run, "nobody"), None);
    }

    /// A frame of this kind, and `head` before a value that holds every kind of value.
    fn frame(kind: u8, head: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let start = frame::begin(&mut bytes, kind, 1);
        bytes.extend_from_slice(head);
        let map = [("name", f64::MAX)].into_iter().collect::<std::collections::BTreeMap<_, _>>();
        pack(&((), true, 1, u64::MAX, "text", [1], map), 64, &mut bytes).unwrap();
        frame::end(&mut bytes, start, usize::MAX).unwrap();
        bytes
    }

    #[test]
    fn every_field_has_its_line() {
        let greeted = [&frame::GREETING[..], &frame(frame::CALL, b"\0\0\0\0\0\0\0\x01f")].concat();
        let fault =
            frame(frame::FAULT, &[&Fault::INTERNAL.to_be_bytes()[..], b"\0\0\0\x01f"].concat());
        for bytes in [greeted, fault, frame(frame::REPLY, b"")] {
            for field in explain(&bytes) {
                assert!(of_field(&field.name).is_some(), "{field:?}");
            }
        }
        assert!(of_field("argument 1: bytes").is_some());
        assert_eq!(of_field("not understood"), None);
    }
}
