//! The report: one page that needs nothing else.

use std::io;

use askama::Template;

use super::advice::{Advice, advice, strategies};
use super::chart::{self, Chart, look};
use super::matrix::{Group, Lab, groups, lab, points};
use super::number::{heading, remnant, rounded};
use super::standing::Standing;
use crate::compare::{CannotRun, Experiment, Measured, Results, Survived};

/// The page.
pub(super) fn html(results: &Results) -> io::Result<String> {
    let strategies = strategies(results);
    let sections = results.experiments.iter().map(|experiment| section(experiment, &strategies));
    let page = Page {
        results,
        sections: sections.collect::<io::Result<_>>()?,
        lab: results.survival.as_ref().map(lab),
        advice: advice(results),
        strategies: &strategies,
    };
    page.render().map_err(io::Error::other)
}

#[derive(Template)]
#[template(path = "compare.html", config = "src/templates/askama.toml")]
struct Page<'a> {
    results: &'a Results,
    sections: Vec<Section<'a>>,
    lab: Option<Lab<'a>>,
    advice: Vec<Advice<'a>>,
    strategies: &'a [&'a str],
}

/// An experiment.
struct Section<'a> {
    experiment: &'a Experiment,
    figures: Vec<Figure>,
    groups: Vec<Group<'a>>,
    runs: String,
    cannot_run: Vec<(&'a str, &'a CannotRun)>,
}

/// A chart, and what it shows.
struct Figure {
    chart: Chart,
    title: String,
    summary: String,
}

fn section<'a>(experiment: &'a Experiment, strategies: &[&str]) -> io::Result<Section<'a>> {
    let figure = |(number, quantity)| {
        let summary = Standing::of(experiment, number).map(|standing| standing.summary());
        let chart = chart::draw(experiment, number, strategies)?;
        Ok(Figure { chart, title: heading(quantity), summary: summary.unwrap_or_default() })
    };
    let cannot_run = experiment.series.iter().filter_map(|series| match &series.measured {
        Measured::CannotRun(why) => Some((&*series.strategy, why)),
        Measured::Points(_) => None,
    });
    Ok(Section {
        experiment,
        figures: experiment.quantities.iter().enumerate().map(figure).collect::<io::Result<_>>()?,
        groups: groups(experiment),
        runs: runs(experiment),
        cannot_run: cannot_run.collect(),
    })
}

/// How often the numbers were measured.
fn runs(experiment: &Experiment) -> String {
    let values = experiment.series.iter().flat_map(points).flat_map(|point| &point.values);
    let runs = values.map(|spread| spread.runs);
    match (runs.clone().min(), runs.max()) {
        (Some(1), Some(1)) => "1 run".to_owned(),
        (Some(least), Some(most)) if least == most => format!("{most} runs"),
        (Some(least), Some(most)) => format!("{least} to {most} runs"),
        _ => "no runs".to_owned(),
    }
}

/// The corners of a strategy's mark, as SVG writes them.
fn corners(look: &usize) -> String {
    let corners = chart::MARKS[*look].iter().map(|(x, y)| format!("{x},{y}"));
    corners.collect::<Vec<_>>().join(" ")
}

/// The class of a cell in the survival table.
fn outcome(found: &Survived) -> &'static str {
    if !found.server_alive || found.neighbours_alive == 0 && found.neighbours > 0 {
        "lost"
    } else if found.neighbours_alive < found.neighbours
        || found.calls_lost > 0
        || found.fresh_connection_ms.is_none()
        || !found.remains.is_empty()
    {
        "partly"
    } else {
        "kept"
    }
}

fn figure(number: &f64) -> String {
    rounded(*number)
}
