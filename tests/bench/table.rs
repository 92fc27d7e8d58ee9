//! The one table that is printed.

use std::fmt::Write as _;

/// One line of it.
pub(crate) struct Row {
    work: String,
    measured: String,
    target: String,
    verdict: Verdict,
    figures: String,
}

/// What is to be said of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    /// Below the target, by less than the measurement can tell: `--full` can tell more.
    Close,
    Below,
    Failed,
    /// There is no target.
    None,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Close => "close",
            Verdict::Below => "below",
            Verdict::Failed => "failed",
            Verdict::None => "",
        }
    }
}

impl Row {
    /// A row that reached its target, or did not.
    pub(crate) fn new(
        work: impl Into<String>,
        measured: impl Into<String>,
        target: impl Into<String>,
        reached: bool,
        figures: impl Into<String>,
    ) -> Row {
        let verdict = if reached { Verdict::Ok } else { Verdict::Below };
        Row::with_verdict(work, measured, target, verdict, figures)
    }

    /// A row that is there for its figures.
    pub(crate) fn without_target(
        work: impl Into<String>,
        measured: impl Into<String>,
        figures: impl Into<String>,
    ) -> Row {
        Row::with_verdict(work, measured, "-", Verdict::None, figures)
    }

    /// A row that could not be measured.
    pub(crate) fn failed(work: impl Into<String>, why: impl Into<String>) -> Row {
        Row::with_verdict(work, "-", "-", Verdict::Failed, why)
    }

    pub(crate) fn with_verdict(
        work: impl Into<String>,
        measured: impl Into<String>,
        target: impl Into<String>,
        verdict: Verdict,
        figures: impl Into<String>,
    ) -> Row {
        let row = Row {
            work: work.into(),
            measured: measured.into(),
            target: target.into(),
            verdict,
            figures: figures.into(),
        };
        eprintln!("{}: {} {} ({})", row.work, row.measured, row.verdict.word(), row.figures);
        row
    }

    fn cells(&self) -> [&str; 5] {
        [&self.work, &self.measured, &self.target, self.verdict.word(), &self.figures]
    }
}

/// The table, and a last line that counts what is below its target. Behind a ratio stands where it
/// lies in 19 of 20 cases.
pub(crate) fn text(rows: &[Row]) -> String {
    let head = ["work", "measured (likely)", "must reach", "", "figures"];
    let mut widths = head.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row.cells()) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let mut line = |cells: [&str; 5]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        let _ = writeln!(text, "{}", padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    line(head);
    line(widths.map(|width| "-".repeat(width)).each_ref().map(String::as_str));
    rows.iter().for_each(|row| line(row.cells()));
    let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
    let (close, failed) = (count(Verdict::Close), count(Verdict::Failed));
    let (below, rows) = (count(Verdict::Below) + close, rows.len());
    let _ = writeln!(
        text,
        "{below} of {rows} rows are below target ({close} of them too close to tell), {failed} failed"
    );
    text
}
