//! Charts, as SVG that takes its colours from the page's style sheet.

use std::error::Error;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::matrix::{places, points, spread};
use super::number::{heading, rounded};
use crate::compare::{Experiment, Spread};

/// What stops a chart, which is a mistake in this file or in the library that draws.
pub(super) type Failure = Box<dyn Error + Send + Sync>;

/// The units that a chart is drawn in: about four to a pixel on a telephone.
const WIDTH: u32 = 1600;
const LINES_HEIGHT: u32 = 1100;
const BAR_HEIGHT: u32 = 130;
const TEXT: u32 = 68;
const LINE: u32 = 8;
const HAIRLINE: u32 = 3;

/// From this ratio of the largest number to the smallest on, an axis is logarithmic.
const WIDE: f64 = 30.0;

/// Stand for the style sheet's colours until the chart is drawn.
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

/// The corners of each strategy's mark, around its middle, so that colour is not the only cue.
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

/// A chart of one of an experiment's quantities: lines along its axis, or a bar for each strategy.
/// The look of a strategy is that of its number in `looks`.
pub(super) fn draw(
    experiment: &Experiment,
    quantity: usize,
    looks: &[&str],
) -> Result<Chart, Failure> {
    let bars = BAR_HEIGHT * experiment.series.len() as u32 + 210;
    let height = if experiment.axis.is_some() { LINES_HEIGHT } else { bars };
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        match &experiment.axis {
            Some(_) => lines(&area, experiment, quantity, looks)?,
            None => self::bars(&area, experiment, quantity, looks)?,
        }
        area.present()?;
    }
    Ok(Chart { width: WIDTH, height, elements: styled(&svg) })
}

/// The elements inside the `svg` element, in the style sheet's colours.
fn styled(svg: &str) -> String {
    let inside = svg.split_once('>').map_or("", |(_, inside)| inside);
    let mut elements = inside.trim().trim_end_matches("</svg>").to_owned();
    let strategies = STRATEGIES.iter().enumerate();
    let strategies = strategies.map(|(number, colour)| (colour, format!("strategy-{number}")));
    let others = [(&INK, "ink".to_owned()), (&GRID, "grid".to_owned())];
    for (RGBColor(red, green, blue), name) in strategies.chain(others) {
        let placeholder = format!("\"#{red:02X}{green:02X}{blue:02X}\"");
        elements = elements.replace(&placeholder, &format!("\"var(--{name})\""));
    }
    elements
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn lines(
    area: &Area,
    experiment: &Experiment,
    quantity: usize,
    looks: &[&str],
) -> Result<(), Failure> {
    let places = places(experiment);
    let along = Scale::of(places.iter().copied()).with_ticks(places);
    let spreads = experiment.series.iter().flat_map(points).filter_map(|p| p.values.get(quantity));
    let up = Scale::of(spreads.flat_map(|spread| [spread.least, spread.most]));
    let mut chart = ChartBuilder::on(area)
        .margin(30)
        .margin_right(60)
        .x_label_area_size(190)
        .y_label_area_size(290)
        .build_cartesian_2d(along, up)?;
    chart
        .configure_mesh()
        .axis_style(INK.stroke_width(HAIRLINE))
        .bold_line_style(GRID.stroke_width(HAIRLINE))
        .light_line_style(TRANSPARENT)
        .label_style(text())
        .set_all_tick_mark_size(14)
        .x_desc(experiment.axis.as_ref().map(heading).unwrap_or_default())
        .y_desc(experiment.quantities.get(quantity).map(heading).unwrap_or_default())
        .x_label_formatter(&f64::to_string)
        .y_label_formatter(&|value| rounded(*value))
        .draw()?;
    for series in &experiment.series {
        let look = look(&series.strategy, looks);
        let (colour, mark) = (STRATEGIES[look], MARKS[look]);
        let points: Vec<(f64, &Spread)> = points(series)
            .iter()
            .filter_map(|point| Some((point.at, point.values.get(quantity)?)))
            .filter(|(_, spread)| spread.median.is_finite())
            .collect();
        let middle = |(at, spread): &(f64, &Spread)| (*at, spread.median);
        chart.draw_series(LineSeries::new(points.iter().map(middle), colour.stroke_width(LINE)))?;
        chart.draw_series(points.iter().map(|(at, spread)| {
            let Spread { least, median, most, .. } = **spread;
            ErrorBar::new_vertical(*at, least, median, most, colour.stroke_width(HAIRLINE), 24)
        }))?;
        chart.draw_series(
            points
                .iter()
                .map(|point| EmptyElement::at(middle(point)) + Polygon::new(mark, colour.filled())),
        )?;
    }
    Ok(())
}

fn bars(
    area: &Area,
    experiment: &Experiment,
    quantity: usize,
    looks: &[&str],
) -> Result<(), Failure> {
    let spreads = experiment.series.iter().map(|series| spread(series, quantity, 0.0));
    let spreads: Vec<Option<&Spread>> = spreads.collect();
    let most = spreads.iter().flatten().map(|spread| spread.most);
    let along = Scale::from_zero(most.filter(|most| most.is_finite()).fold(0.0, f64::max) * 1.2);
    let middles: Vec<f64> = (0..spreads.len()).map(|number| number as f64 + 0.5).collect();
    let name = |middle: &f64| match experiment.series.iter().rev().nth(*middle as usize) {
        Some(series) => series.strategy.clone(),
        None => String::new(),
    };
    let mut chart = ChartBuilder::on(area)
        .margin(20)
        .margin_right(60)
        .x_label_area_size(190)
        .y_label_area_size(450)
        .build_cartesian_2d(along, Scale::from_zero(spreads.len() as f64).with_ticks(middles))?;
    chart
        .configure_mesh()
        .axis_style(INK.stroke_width(HAIRLINE))
        .bold_line_style(GRID.stroke_width(HAIRLINE))
        .light_line_style(TRANSPARENT)
        .disable_y_mesh()
        .label_style(text())
        .set_all_tick_mark_size(14)
        .x_desc(experiment.quantities.get(quantity).map(heading).unwrap_or_default())
        .x_label_formatter(&|value| rounded(*value))
        .y_label_formatter(&name)
        .draw()?;
    for (number, spread) in spreads.iter().rev().enumerate() {
        let middle = number as f64 + 0.5;
        let Some(spread) = spread.filter(|spread| spread.median.is_finite()) else {
            continue;
        };
        let series = &experiment.series[spreads.len() - 1 - number];
        let colour = STRATEGIES[look(&series.strategy, looks)];
        let corners = [(0.0, middle - 0.32), (spread.median, middle + 0.32)];
        chart.draw_series([Rectangle::new(corners, colour.filled())])?;
        chart.draw_series([ErrorBar::new_horizontal(
            middle,
            spread.least,
            spread.median,
            spread.most,
            INK.stroke_width(HAIRLINE + 2),
            24,
        )])?;
        let label = text().pos(Pos::new(HPos::Left, VPos::Center));
        chart.draw_series([EmptyElement::at((spread.most.max(spread.median), middle))
            + Text::new(rounded(spread.median), (24, 0), label)])?;
    }
    Ok(())
}

fn text() -> TextStyle<'static> {
    ("sans-serif", TEXT).into_font().color(&INK)
}

/// The number of a strategy's colour and mark.
pub(super) fn look(strategy: &str, looks: &[&str]) -> usize {
    looks.iter().position(|name| *name == strategy).unwrap_or(0) % STRATEGIES.len()
}

/// An axis: where numbers stand, and which of them it names.
struct Scale {
    logarithmic: bool,
    range: Range<f64>,
    ticks: Vec<f64>,
}

impl Scale {
    /// Logarithmic if the numbers are positive and far apart, else from zero.
    fn of(numbers: impl Iterator<Item = f64>) -> Scale {
        let numbers = numbers.filter(|number| number.is_finite());
        let (least, most) = numbers.fold((f64::INFINITY, 0.0_f64), |(least, most), number| {
            (least.min(number), most.max(number))
        });
        if least <= 0.0 || most / least < WIDE {
            return Scale::from_zero(most * 1.05);
        }
        let steps: &[f64] = if most / least < 1_000.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let powers = least.log10().floor() as i32..=most.log10().floor() as i32;
        let ticks = powers.flat_map(|power| steps.iter().map(move |s| s * 10_f64.powi(power)));
        let range = least * 0.8..most * 1.25;
        let ticks = ticks.filter(|tick| range.contains(tick)).collect();
        Scale { logarithmic: true, range, ticks }
    }

    fn from_zero(most: f64) -> Scale {
        let range = 0.0..if most > 0.0 { most } else { 1.0 };
        let ticks = RangedCoordf64::from(range.clone()).key_points(6);
        Scale { logarithmic: false, range, ticks }
    }

    fn with_ticks(self, ticks: Vec<f64>) -> Scale {
        Scale { ticks, ..self }
    }
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let on = |value: f64| if self.logarithmic { value.log10() } else { value };
        let range = on(self.range.start)..on(self.range.end);
        // What cannot be shown on a logarithmic axis stands at its end.
        RangedCoordf64::from(range.clone()).map(&on(*value).max(range.start), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}
