//! Steps as JSON lines on standard error, for whoever started this process.

use std::io::Write;

use ninestep::{Event, Observer};

/// Prints each step as one line that begins with `@step `.
pub(crate) struct JsonLines;

impl Observer for JsonLines {
    fn observe(&self, event: &Event<'_>) {
        let line = serde_json::json!({
            "step": event.step.number(),
            "procedure": event.procedure,
            "id": event.id,
            "process": event.process,
            "thread": event.thread,
            "at_us": event.at.as_secs_f64() * 1e6,
            "bytes": event.bytes,
        });
        // One write for each line, because several processes share the stream.
        let line = format!("@step {line}\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}
