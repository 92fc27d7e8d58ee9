//! Results as matrices, in which every strategy has a column.

use crate::compare::{Axis, Experiment, Measured, Point, Series, Spread, Survival, Survived};

/// One quantity of an experiment.
pub(super) struct Group<'a> {
    pub(super) quantity: &'a Axis,
    pub(super) rows: Vec<Row<'a>>,
}

/// A quantity at one place on the experiment's axis.
pub(super) struct Row<'a> {
    /// The place; `None` if the experiment has no axis.
    pub(super) at: Option<f64>,
    /// One for each of the experiment's series; `None` where it was not measured.
    pub(super) cells: Vec<Option<&'a Spread>>,
}

/// All that an experiment measured.
pub(super) fn groups(experiment: &Experiment) -> Vec<Group<'_>> {
    let places = places(experiment);
    let row = |number, at| Row {
        at: experiment.axis.as_ref().map(|_| at),
        cells: experiment.series.iter().map(|series| spread(series, number, at)).collect(),
    };
    let quantities = experiment.quantities.iter().enumerate();
    quantities
        .map(|(number, quantity)| Group {
            quantity,
            rows: places.iter().map(|at| row(number, *at)).collect(),
        })
        .collect()
}

/// The places where anything was measured, in order.
pub(super) fn places(experiment: &Experiment) -> Vec<f64> {
    let mut places: Vec<f64> = experiment.series.iter().flat_map(points).map(|p| p.at).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    places
}

/// A series' points; there are none if it could not be measured.
pub(super) fn points(series: &Series) -> &[Point] {
    match &series.measured {
        Measured::Points(points) => points,
        Measured::CannotRun(_) => &[],
    }
}

/// A quantity, by its number, at a place.
pub(super) fn spread(series: &Series, quantity: usize, at: f64) -> Option<&Spread> {
    points(series).iter().find(|point| point.at == at)?.values.get(quantity)
}

/// The survival table: a row for each trouble.
pub(super) struct Lab<'a> {
    pub(super) strategies: Vec<&'a str>,
    pub(super) rows: Vec<Trouble<'a>>,
}

/// What one trouble did.
pub(super) struct Trouble<'a> {
    pub(super) name: &'a str,
    /// One for each strategy; `None` where there is no such row.
    pub(super) cells: Vec<Option<&'a Survived>>,
}

/// What the crash lab found.
pub(super) fn lab(survival: &Survival) -> Lab<'_> {
    let strategies = unique(survival.rows.iter().map(|row| &*row.strategy));
    let troubles = unique(survival.rows.iter().map(|row| &*row.trouble));
    let cell = |trouble: &str, strategy: &str| {
        survival.rows.iter().find(|row| row.trouble == trouble && row.strategy == strategy)
    };
    let row = |name| Trouble {
        name,
        cells: strategies.iter().map(|strategy| cell(name, strategy)).collect(),
    };
    Lab { rows: troubles.into_iter().map(row).collect(), strategies }
}

/// Each name once, in the order in which they first come.
pub(super) fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut unique = Vec::new();
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    unique
}
