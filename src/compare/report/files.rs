//! The results as CSV: one row for each number, for a spreadsheet or another program.

use std::io;

use crate::compare::{Experiment, Measured, Results, Survival};

/// Every CSV file's name and content.
pub(super) fn csv(results: &Results) -> io::Result<Vec<(String, Vec<u8>)>> {
    let experiments = results.experiments.iter();
    let experiments = experiments.map(|found| Ok((name(found)?, experiment(found)?)));
    let survival = results.survival.iter();
    let survival = survival.map(|found| Ok(("survival.csv".to_owned(), self::survival(found)?)));
    experiments.chain(survival).collect()
}

fn name(experiment: &Experiment) -> io::Result<String> {
    let name = &experiment.name;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || !name.bytes().all(plain) {
        let why = format!("the experiment {name:?} cannot name a file");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    Ok(format!("{name}.csv"))
}

/// An experiment's points, and its strategies that could not be run.
fn experiment(experiment: &Experiment) -> io::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let axis = experiment.axis.as_ref().map_or("at", |axis| &axis.name);
    let quantity = ["quantity", "unit", "median", "least", "most", "runs"];
    csv.write_record([&["strategy", axis], &quantity[..], &["cannot_run", "remedy"]].concat())?;
    for series in &experiment.series {
        let points = match &series.measured {
            Measured::Points(points) => points,
            Measured::CannotRun(why) => {
                let nothing = ["", "", "", "", "", "", ""];
                csv.write_record(
                    [&[&*series.strategy], &nothing[..], &[&why.reason, &why.remedy]].concat(),
                )?;
                continue;
            }
        };
        for point in points {
            for (quantity, spread) in experiment.quantities.iter().zip(&point.values) {
                csv.serialize((
                    &series.strategy,
                    experiment.axis.as_ref().map(|_| point.at),
                    &quantity.name,
                    &quantity.unit,
                    spread.median,
                    spread.least,
                    spread.most,
                    spread.runs,
                    "",
                    "",
                ))?;
            }
        }
    }
    finish(csv)
}

/// The survival table.
fn survival(survival: &Survival) -> io::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record([
        "trouble",
        "strategy",
        "server_alive",
        "neighbours",
        "neighbours_alive",
        "calls_lost",
        "fresh_connection_ms",
        "remains",
        "cannot_run",
        "remedy",
    ])?;
    for row in &survival.rows {
        let remains = row.remains.iter();
        let remains = remains.map(|left| format!("{} {} {}", left.what, left.amount, left.unit));
        let remains: Vec<String> = remains.map(|left| left.trim_end().to_owned()).collect();
        csv.serialize((
            &row.trouble,
            &row.strategy,
            row.server_alive,
            row.neighbours,
            row.neighbours_alive,
            row.calls_lost,
            row.fresh_connection_ms,
            remains.join("; "),
            row.cannot_run.as_ref().map(|why| &why.reason),
            row.cannot_run.as_ref().map(|why| &why.remedy),
        ))?;
    }
    finish(csv)
}

fn finish(csv: csv::Writer<Vec<u8>>) -> io::Result<Vec<u8>> {
    csv.into_inner().map_err(csv::IntoInnerError::into_error)
}
