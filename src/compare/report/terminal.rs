//! The results as tables for a terminal.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};

use super::advice::{Advice, advice};
use super::matrix::{Lab, Row, groups, lab};
use super::number::{heading, remnant, rounded};
use crate::compare::{CannotRun, Experiment, Measured, Results, Survived};

/// The columns that every table fits into.
const WIDTH: u16 = 100;

/// What a cell of the survival table says.
const LEGEND: &str = "Neighbours alive, their calls lost, time until a fresh connection is answered, \
what remains";

/// Every experiment's medians, the survival table and what to choose: plain text in at most 100
/// columns.
pub fn tables(results: &Results) -> String {
    let mut text = String::new();
    for experiment in &results.experiments {
        let _ = writeln!(text, "{}\n\n{}", experiment.title, medians(experiment));
        let series = experiment.series.iter().filter_map(|series| match &series.measured {
            Measured::CannotRun(why) => Some((series.strategy.clone(), why)),
            Measured::Points(_) => None,
        });
        text.push_str(&cannot_run(series.collect()));
        text.push('\n');
    }
    if let Some(survival) = &results.survival {
        let _ = writeln!(text, "Who outlives what?\n\n{LEGEND}\n{}", survivors(&lab(survival)));
        let rows = survival.rows.iter().filter_map(|row| {
            Some((format!("{}, {}", row.strategy, row.trouble), row.cannot_run.as_ref()?))
        });
        text.push_str(&cannot_run(rows.collect()));
        text.push('\n');
    }
    let _ = writeln!(text, "What to choose, by these results\n\n{}", choices(&advice(results)));
    if !results.complete {
        text.push_str("\nThe run was interrupted: this is what it had found by then.\n");
    }
    text
}

/// A row for each quantity at each place on the axis.
fn medians(experiment: &Experiment) -> Table {
    let strategies = experiment.series.iter().map(|series| &*series.strategy);
    let corner = match &experiment.axis {
        Some(axis) => format!("median by {}", heading(axis)),
        None => "median".to_owned(),
    };
    let mut table = table([&*corner].into_iter().chain(strategies).chain(["spread"]));
    // A row is a line, so it needs no border.
    table.load_style(presets::UTF8_FULL_CONDENSED);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    for group in groups(experiment) {
        if experiment.axis.is_some() {
            table.add_row([heading(group.quantity)]);
        }
        for row in &group.rows {
            let place = row.at.map_or(heading(group.quantity), |at| format!("  {at}"));
            let cells = row.cells.iter().map(|cell| match cell {
                Some(spread) => rounded(spread.median),
                None => "-".to_owned(),
            });
            table.add_row([place].into_iter().chain(cells).chain([widest(row)]));
        }
    }
    table
}

/// How far a run of this row was from its median, at most.
fn widest(row: &Row) -> String {
    let spreads = row.cells.iter().flatten().filter(|spread| spread.median != 0.0);
    let off = spreads.map(|spread| {
        let off = (spread.most - spread.median).max(spread.median - spread.least);
        100.0 * off / spread.median.abs()
    });
    format!("±{:.0} %", off.fold(0.0, f64::max))
}

/// A row for each trouble.
fn survivors(lab: &Lab) -> Table {
    let mut table = table(["trouble"].into_iter().chain(lab.strategies.iter().copied()));
    for row in &lab.rows {
        let cells = row.cells.iter().map(|cell| cell.map_or(String::new(), survivor));
        table.add_row([row.name.to_owned()].into_iter().chain(cells));
    }
    table
}

fn survivor(row: &Survived) -> String {
    if row.cannot_run.is_some() {
        return "cannot run".to_owned();
    }
    let fresh = match row.fresh_connection_ms {
        Some(ms) => format!("{} ms", rounded(ms)),
        None => "no answer".to_owned(),
    };
    let (alive, neighbours, lost) = (row.neighbours_alive, row.neighbours, row.calls_lost);
    let text = format!("{alive}/{neighbours}, {lost} lost\n{fresh}");
    // Without brackets "connections" fits into a column.
    let remains = row.remains.iter().map(|left| remnant(left).replace(['(', ')'], ""));
    remains.fold(text, |text, left| text + "\n" + &left)
}

/// A row for each strategy.
fn choices(advice: &[Advice]) -> Table {
    let mut table = table(["strategy", "choose it for", "wrong for"]);
    for advice in advice {
        let lines = |reasons: &[_], none: &str| match reasons {
            [] => none.to_owned(),
            _ => reasons.iter().map(|r| format!("{r}")).collect::<Vec<_>>().join("\n"),
        };
        table.add_row([
            advice.strategy.to_owned(),
            lines(&advice.choose, "nothing: nowhere was it among the best in everything"),
            lines(&advice.wrong, "nothing that was measured"),
        ]);
    }
    table
}

/// A row for each thing that cannot be run here; nothing if there is none.
fn cannot_run(rows: Vec<(String, &CannotRun)>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut table = table(["cannot run", "because", "what to do"]);
    for (what, why) in rows {
        table.add_row([&what, &why.reason, &why.remedy]);
    }
    format!("{table}\n")
}

fn table<'a>(header: impl IntoIterator<Item = &'a str>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    // A name of two parts is not to make its column wide.
    table.set_header(header.into_iter().map(|name| name.replace('-', "-\n")));
    table
}
