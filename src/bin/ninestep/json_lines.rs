//! Steps as JSON lines on standard error, for whoever started this process.

use std::io::Write;
use std::time::Duration;

use ninestep::{Event, Observer, Recorded, Step};

/// How a line begins that tells a step; a program's other lines go to the same stream.
const MARK: &str = "@step ";

/// Prints each step as one line that begins with `@step `.
pub(crate) struct JsonLines;

impl Observer for JsonLines {
    fn observe(&self, event: &Event<'_>) {
        // One write for each line, because several processes share the stream.
        let line = write(event) + "\n";
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

fn write(event: &Event<'_>) -> String {
    let json = serde_json::json!({
        "step": event.step.number(),
        "procedure": event.procedure,
        "id": event.id,
        "process": event.process,
        "thread": event.thread,
        // From whole nanoseconds there are at most three decimals.
        "at_us": event.at.as_nanos() as f64 / 1e3,
        "bytes": event.bytes,
    });
    format!("{MARK}{json}")
}

/// Reads one such line; any other line is `None`.
pub(crate) fn read(line: &str) -> Option<Recorded> {
    let json: serde_json::Value = serde_json::from_str(line.strip_prefix(MARK)?).ok()?;
    let number = json["step"].as_u64()?;
    let bytes = json["bytes"].as_array()?.iter();
    Some(Recorded {
        step: Step::ALL.into_iter().find(|step| u64::from(step.number()) == number)?,
        procedure: json["procedure"].as_str()?.to_owned(),
        id: json["id"].as_u64()?.try_into().ok()?,
        bytes: bytes.map(|byte| byte.as_u64()?.try_into().ok()).collect::<Option<_>>()?,
        process: json["process"].as_u64()?.try_into().ok()?,
        thread: json["thread"].as_u64()?,
        at: Duration::try_from_secs_f64(json["at_us"].as_f64()? / 1e6).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let event = Event {
            step: Step::Unpack,
            procedure: "say \"hi\"\n",
            id: u32::MAX,
            bytes: b"9ST\x01\xff",
            process: 4_194_304,
            thread: 4_194_305,
            at: Duration::from_nanos(33_950_137_680_561),
        };
        let line = write(&event);
        assert_eq!(line.lines().count(), 1);
        assert!(line.contains(r#""at_us":33950137680.561,"#), "{line}");
        assert_eq!(read(&line), Some(Recorded::from(&event)));
    }

    #[test]
    fn other_lines_are_no_steps() {
        for line in
            ["", "listening on 127.0.0.1:9000", "@step ", "@step {}", r#"@step {"step":10}"#]
        {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
