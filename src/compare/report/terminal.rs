//! The results as tables for a terminal, in which every strategy has a column.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::number::{exact, heading, rounded};
use crate::compare::{Experiment, Measured, Results, Survival, Survived};

/// The columns that every table fits into.
const WIDTH: u16 = 100;

/// Every experiment's medians and the survival table, without colours.
pub fn tables(results: &Results) -> String {
    let mut text = String::new();
    for experiment in &results.experiments {
        let _ = writeln!(text, "{}\n{}\n", experiment.title, medians(experiment));
    }
    if let Some(survival) = &results.survival {
        let _ = writeln!(text, "The crash lab\n{}\n", survivors(survival));
    }
    if !results.complete {
        text.push_str("The run was interrupted: this is what it had found by then.\n");
    }
    text
}

/// A row for each quantity at each place.
fn medians(experiment: &Experiment) -> Table {
    let strategies = experiment.series.iter().map(|series| &*series.strategy);
    let mut table = table(&experiment.title, strategies);
    let points = experiment.series.iter().filter_map(|series| match &series.measured {
        Measured::Points(points) => Some(points),
        Measured::CannotRun(_) => None,
    });
    let mut places: Vec<f64> = points.flatten().map(|point| point.at).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    for (number, quantity) in experiment.quantities.iter().enumerate() {
        for place in &places {
            let mut row = vec![match &experiment.axis {
                Some(axis) => format!("{}, {} {}", heading(quantity), exact(*place), axis.name),
                None => heading(quantity),
            }];
            row.extend(experiment.series.iter().map(|series| {
                match &series.measured {
                    Measured::Points(points) => points
                        .iter()
                        .find(|point| point.at == *place)
                        .and_then(|point| point.values.get(number))
                        .map_or(String::new(), |spread| rounded(spread.median)),
                    Measured::CannotRun(_) => "cannot run".to_owned(),
                }
            }));
            table.add_row(row);
        }
    }
    table
}

/// A row for each trouble.
fn survivors(survival: &Survival) -> Table {
    let mut strategies: Vec<&str> = Vec::new();
    let mut troubles: Vec<&str> = Vec::new();
    for row in &survival.rows {
        if !strategies.contains(&&*row.strategy) {
            strategies.push(&row.strategy);
        }
        if !troubles.contains(&&*row.trouble) {
            troubles.push(&row.trouble);
        }
    }
    let mut table = table("trouble", strategies.iter().copied());
    for trouble in troubles {
        let cell = |strategy: &&str| {
            let mut rows = survival.rows.iter();
            let row = rows.find(|row| row.trouble == trouble && row.strategy == **strategy);
            row.map_or(String::new(), cell)
        };
        table.add_row([trouble.to_owned()].into_iter().chain(strategies.iter().map(cell)));
    }
    table
}

fn cell(row: &Survived) -> String {
    if row.cannot_run.is_some() {
        return "cannot run".to_owned();
    }
    let mut text = format!("{}/{} alive\n", row.neighbours_alive, row.neighbours);
    let _ = write!(text, "{} lost\n{}", row.calls_lost, fresh(row));
    for left in &row.remains {
        let _ = write!(text, "\n{} {} {}", left.what, rounded(left.amount), left.unit);
    }
    text
}

fn fresh(row: &Survived) -> String {
    match row.fresh_connection_ms {
        Some(ms) => format!("{} ms", rounded(ms)),
        None => "no answer".to_owned(),
    }
}

fn table<'a>(corner: &'a str, strategies: impl Iterator<Item = &'a str>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header([corner].into_iter().chain(strategies));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
