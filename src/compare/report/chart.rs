//! Charts, as SVG that takes its colours from the page's style sheet.

use std::io;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::matrix::{places, points};
use super::number::{heading, rounded};
use crate::compare::{Axis, Experiment, Point, Spread};

/// A chart is drawn in units of about a quarter of a pixel on a telephone.
const WIDTH: u32 = 1600;
const LINES_HEIGHT: u32 = 1100;
const BAR_HEIGHT: u32 = 130;
const BELOW: u32 = 190;
const TEXT: u32 = 68;
const LINE: u32 = 8;
const HAIRLINE: u32 = 3;

/// From this ratio of the largest number to the smallest on, an axis is logarithmic.
const WIDE: f64 = 30.0;

/// Colours that stand for the style sheet's until the chart is drawn.
const INK: RGBColor = RGBColor(255, 0, 254);
const GRID: RGBColor = RGBColor(255, 0, 253);
const STRATEGIES: [RGBColor; 6] = [
    RGBColor(255, 1, 0),
    RGBColor(255, 1, 1),
    RGBColor(255, 1, 2),
    RGBColor(255, 1, 3),
    RGBColor(255, 1, 4),
    RGBColor(255, 1, 5),
];

/// The corners of each strategy's mark around its middle: colour is not the only cue.
pub(super) const MARKS: [&[(i32, i32)]; 6] = [
    &[(0, -24), (17, -17), (24, 0), (17, 17), (0, 24), (-17, 17), (-24, 0), (-17, -17)],
    &[(-20, -20), (20, -20), (20, 20), (-20, 20)],
    &[(0, -28), (26, 20), (-26, 20)],
    &[(0, -30), (30, 0), (0, 30), (-30, 0)],
    &[(0, 28), (-26, -20), (26, -20)],
    &[
        (-8, -26),
        (8, -26),
        (8, -8),
        (26, -8),
        (26, 8),
        (8, 8),
        (8, 26),
        (-8, 26),
        (-8, 8),
        (-26, 8),
        (-26, -8),
        (-8, -8),
    ],
];

/// A chart's elements, and the size that they are drawn in.
pub(super) struct Chart {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) elements: String,
}

/// A chart of an experiment's quantity: lines along its axis, or a bar for each strategy, which
/// has the colour and the mark of its place among all strategies.
pub(super) fn draw(
    experiment: &Experiment,
    quantity: usize,
    strategies: &[&str],
) -> io::Result<Chart> {
    let height = match &experiment.axis {
        Some(_) => LINES_HEIGHT,
        None => BAR_HEIGHT * experiment.series.len() as u32 + BELOW + 30,
    };
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        let drawn = match &experiment.axis {
            Some(axis) => lines(&area, experiment, axis, quantity, strategies),
            None => bars(&area, experiment, quantity, strategies),
        };
        drawn.and_then(|()| area.present()).map_err(io::Error::other)?;
    }
    Ok(Chart { width: WIDTH, height, elements: styled(&svg) })
}

/// The number of a strategy's colour and mark.
pub(super) fn look(strategy: &str, strategies: &[&str]) -> usize {
    strategies.iter().position(|name| *name == strategy).unwrap_or(0) % STRATEGIES.len()
}

/// What is inside the `svg` element, in the style sheet's colours.
fn styled(svg: &str) -> String {
    let inside = svg.split_once('>').map_or("", |(_, inside)| inside);
    let mut elements = inside.trim().trim_end_matches("</svg>").to_owned();
    let strategies = STRATEGIES.iter().enumerate();
    let strategies = strategies.map(|(look, colour)| (colour, format!("strategy-{look}")));
    let others = [(&INK, "ink".to_owned()), (&GRID, "grid".to_owned())];
    for (RGBColor(red, green, blue), name) in strategies.chain(others) {
        let stand_in = format!("\"#{red:02X}{green:02X}{blue:02X}\"");
        elements = elements.replace(&stand_in, &format!("\"var(--{name})\""));
    }
    elements
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;

fn lines(
    area: &Area,
    experiment: &Experiment,
    axis: &Axis,
    quantity: usize,
    strategies: &[&str],
) -> Drawn {
    let spreads = experiment.series.iter().flat_map(points).filter_map(|p| drawable(p, quantity));
    let up = Scale::of(spreads.flat_map(|spread| [spread.least, spread.most]));
    let mut chart = ChartBuilder::on(area)
        .margin(30)
        .margin_right(60)
        .x_label_area_size(BELOW)
        .y_label_area_size(340)
        .build_cartesian_2d(Scale::through(places(experiment)), up)?;
    chart
        .configure_mesh()
        .axis_style(INK.stroke_width(HAIRLINE))
        .bold_line_style(GRID.stroke_width(HAIRLINE))
        .label_style(text())
        .set_all_tick_mark_size(14)
        .x_desc(heading(axis))
        .y_desc(experiment.quantities.get(quantity).map(heading).unwrap_or_default())
        .x_label_formatter(&f64::to_string)
        .y_label_formatter(&|value| rounded(*value))
        .draw()?;
    for series in &experiment.series {
        let look = look(&series.strategy, strategies);
        let (colour, mark) = (STRATEGIES[look], MARKS[look]);
        let points = points(series).iter();
        let points = points.filter_map(|point| Some((point.at, drawable(point, quantity)?)));
        let medians = points.clone().map(|(at, spread)| (at, spread.median));
        chart.draw_series(LineSeries::new(medians.clone(), colour.stroke_width(LINE)))?;
        chart.draw_series(points.map(|(at, spread)| {
            let Spread { least, median, most, .. } = *spread;
            ErrorBar::new_vertical(at, least, median, most, colour.stroke_width(HAIRLINE), 24)
        }))?;
        chart.draw_series(
            medians.map(|point| EmptyElement::at(point) + Polygon::new(mark, colour.filled())),
        )?;
    }
    Ok(())
}

fn bars(area: &Area, experiment: &Experiment, quantity: usize, strategies: &[&str]) -> Drawn {
    let spread = |point| drawable(point, quantity);
    let rows: Vec<(&str, Option<&Spread>)> = experiment
        .series
        .iter()
        .map(|series| (&*series.strategy, points(series).first().and_then(spread)))
        .collect();
    // The first strategy is on top, where the axis ends; its figure needs room beside its bar.
    let middle = |row: usize| (rows.len() - row) as f64 - 0.5;
    let spreads = rows.iter().filter_map(|(_, spread)| *spread);
    let along = Scale::from_zero(spreads.flat_map(|spread| [spread.least, spread.most * 1.2]));
    let up = Scale { logarithmic: false, range: 0.0..rows.len() as f64, ticks: Vec::new() };
    let up = Scale { ticks: (0..rows.len()).map(middle).collect(), ..up };
    let name = |at: &f64| match rows.iter().enumerate().find(|(row, _)| middle(*row) == *at) {
        Some((_, (strategy, _))) => (*strategy).to_owned(),
        None => String::new(),
    };
    let mut chart = ChartBuilder::on(area)
        .margin(20)
        .margin_right(110)
        .x_label_area_size(BELOW)
        .y_label_area_size(450)
        .build_cartesian_2d(along, up)?;
    chart
        .configure_mesh()
        .axis_style(INK.stroke_width(HAIRLINE))
        .bold_line_style(GRID.stroke_width(HAIRLINE))
        .disable_y_mesh()
        .label_style(text())
        .set_all_tick_mark_size(14)
        .x_desc(experiment.quantities.get(quantity).map(heading).unwrap_or_default())
        .x_label_formatter(&|value| rounded(*value))
        .y_label_formatter(&name)
        .draw()?;
    for (row, (strategy, spread)) in rows.iter().enumerate() {
        let middle = middle(row);
        let figure = match spread {
            Some(spread) => rounded(spread.median),
            None => "not measured".to_owned(),
        };
        let end = spread.map_or(0.0, |spread| spread.most.max(0.0));
        if let Some(&Spread { least, median, most, .. }) = *spread {
            let colour = STRATEGIES[look(strategy, strategies)];
            let corners = [(0.0, middle - 0.32), (median, middle + 0.32)];
            chart.draw_series([Rectangle::new(corners, colour.filled())])?;
            let style = INK.stroke_width(HAIRLINE);
            chart
                .draw_series([ErrorBar::new_horizontal(middle, least, median, most, style, 20)])?;
        }
        let style = text().pos(Pos::new(HPos::Left, VPos::Center));
        let figure = Text::new(figure, (24, 0), style);
        chart.draw_series([EmptyElement::at((end, middle)) + figure])?;
    }
    Ok(())
}

/// A quantity, if its numbers have a place on an axis.
fn drawable(point: &Point, quantity: usize) -> Option<&Spread> {
    let spread = point.values.get(quantity)?;
    let numbers = [spread.least, spread.median, spread.most];
    numbers.iter().all(|number| number.is_finite()).then_some(spread)
}

fn text() -> TextStyle<'static> {
    ("sans-serif", TEXT).into_font().color(&INK)
}

/// An axis: where numbers stand, and which of them are named.
struct Scale {
    logarithmic: bool,
    range: Range<f64>,
    ticks: Vec<f64>,
}

impl Scale {
    /// An axis for these numbers: logarithmic if they are positive and far apart, else from zero.
    fn of(numbers: impl Iterator<Item = f64> + Clone) -> Scale {
        let least = numbers.clone().fold(f64::INFINITY, f64::min);
        let most = numbers.clone().fold(0.0, f64::max);
        if least <= 0.0 || most / least < WIDE {
            return Scale::from_zero(numbers.map(|number| number * 1.05));
        }
        let steps: &[f64] = if most / least < 1_000.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let powers = least.log10().floor() as i32..=most.log10().floor() as i32;
        let ticks = powers.flat_map(|power| steps.iter().map(move |s| s * 10_f64.powi(power)));
        let range = least * 0.8..most * 1.25;
        Scale { logarithmic: true, ticks: ticks.filter(|t| range.contains(t)).collect(), range }
    }

    fn from_zero(numbers: impl Iterator<Item = f64> + Clone) -> Scale {
        let least = numbers.clone().fold(0.0, f64::min);
        let most = numbers.fold(0.0, f64::max);
        let range = least..if most > least { most } else { least + 1.0 };
        let ticks = RangedCoordf64::from(range.clone()).key_points(5);
        Scale { logarithmic: false, range, ticks }
    }

    /// An axis around these places, all of which are named.
    fn through(places: Vec<f64>) -> Scale {
        let scale = Scale::of(places.iter().copied());
        let (first, last) = (places.first().unwrap_or(&0.0), places.last().unwrap_or(&1.0));
        let beside = (last - first).max(1.0) * 0.08;
        let range = if scale.logarithmic { scale.range } else { first - beside..last + beside };
        Scale { range, ticks: places, ..scale }
    }
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let on = |value: f64| if self.logarithmic { value.log10() } else { value };
        let range = on(self.range.start)..on(self.range.end);
        RangedCoordf64::from(range).map(&on(*value), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // Nothing between the ticks.
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}
