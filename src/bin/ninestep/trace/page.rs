//! The page: nine panels that can be read as they are, which its script makes a picture that moves.

use askama::Template;
use ninestep::protocol::native::explain::{Field, explain};
use ninestep::{Recorded, Step};

use super::Trace;
use super::picture::{self, Square};
use super::source::{self, Source};

/// Renders what was recorded.
pub(super) fn html(trace: &Trace) -> askama::Result<String> {
    let panel = |step: &Step| Panel::new(*step, trace);
    let page = Page { trace, panels: Step::ALL.iter().map(panel).collect() };
    page.render()
}

#[derive(Template)]
#[template(path = "trace.html", config = "src/templates/askama.toml")]
struct Page<'a> {
    trace: &'a Trace,
    panels: Vec<Panel<'a>>,
}

impl Page<'_> {
    const STYLE: &'static str = include_str!("../../../../chapters/stepper.css");
    const SCRIPT: &'static str = include_str!("../../../../chapters/stepper.js");
}

/// One step, whether it was taken or not.
struct Panel<'a> {
    step: Step,
    /// What is done in it.
    what: &'static str,
    is_client: bool,
    /// What goes from the caller to the called, or comes back.
    label: Option<String>,
    taken: Option<Taken<'a>>,
}

struct Taken<'a> {
    event: &'a Recorded,
    /// Since the first step.
    at_us: u128,
    source: Option<Source>,
    message: Option<Message>,
}

struct Message {
    size: usize,
    /// Whether no earlier step had it.
    is_new: bool,
    squares: Vec<Square>,
    fields: Vec<Row>,
    lines: Vec<Line>,
}

/// A field; it is known by its number.
struct Row {
    number: usize,
    hex: String,
    field: Field,
    source: Option<Source>,
}

/// A line of the sources, with the numbers of the fields that it wrote.
struct Line {
    source: Source,
    fields: Vec<usize>,
}

impl<'a> Panel<'a> {
    fn new(step: Step, trace: &'a Trace) -> Panel<'a> {
        let is_client = step.who().starts_with("client");
        let label = match step {
            Step::Call | Step::Invoke => Some(picture::shortened(&trace.call)),
            Step::Run | Step::Result => Some(picture::shortened(&trace.outcome)),
            _ => None,
        };
        let event = trace.steps.iter().find(|event| event.step == step);
        let taken = event.map(|event| {
            let at = event.at.saturating_sub(trace.steps[0].at);
            let source = source::of_step(step, &event.procedure);
            let message = (!event.bytes.is_empty()).then(|| Message::new(step, &event.bytes));
            Taken { event, at_us: at.as_micros(), source, message }
        });
        let what = match step {
            Step::Run if trace.is_fault => "runs the procedure, which ends in a fault",
            Step::Reply if trace.is_fault => "packs the fault and sends it",
            Step::Receive if trace.is_fault => "receives the message and unpacks the fault",
            Step::Result if trace.is_fault => "has the fault",
            step => step.what(),
        };
        Panel { step, what, is_client, label, taken }
    }
}

impl Message {
    fn new(step: Step, bytes: &[u8]) -> Message {
        let hex = |byte: &u8| format!("{byte:02x}");
        let row = |(index, field): (usize, Field)| Row {
            number: index + 1,
            hex: bytes[field.range.clone()].iter().map(hex).collect::<Vec<_>>().join(" "),
            source: source::of_field(&field.name),
            field,
        };
        let fields: Vec<Row> = explain(bytes).into_iter().enumerate().map(row).collect();
        let mut lines: Vec<Line> = Vec::new();
        for Row { number, source, .. } in &fields {
            let Some(source) = *source else { continue };
            match lines.iter_mut().find(|line| line.source == source) {
                Some(line) => line.fields.push(*number),
                None => lines.push(Line { source, fields: vec![*number] }),
            }
        }
        let is_new = matches!(step, Step::Pack | Step::Reply);
        let squares = picture::squares(
            step,
            &fields.iter().map(|row| row.field.range.len()).collect::<Vec<_>>(),
        );
        Message { size: bytes.len(), is_new, squares, fields, lines }
    }
}

impl Line {
    fn numbers(&self) -> String {
        self.fields.iter().map(usize::to_string).collect::<Vec<_>>().join(" ")
    }
}
