//! Procedures with types of their own.

use std::collections::BTreeMap;

use ninestep::{Procedures, Value};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Point {
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) label: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Color {
    Red,
    Green,
    Blue,
}

/// Each holds something.
#[derive(Serialize, Deserialize)]
pub(super) enum Figure {
    Dot(Point),
    Square(f64),
}

/// Some hold something.
#[derive(Deserialize)]
pub(super) enum Mixed {
    Nothing,
    Number(i64),
}

#[derive(Deserialize)]
pub(super) struct Tree {
    pub(super) value: u8,
    pub(super) children: Vec<Tree>,
}

/// Something of every kind.
pub(super) fn procedures() -> Procedures {
    Procedures::new()
        .on_named("shift", &["point", "by"], |point: Point, by: i64| Point {
            x: point.x + by,
            ..point
        })
        .on("named", |name: String, points: Vec<Point>| (name, points))
        .on_named("following", &["color"], |color: Color| match color {
            Color::Red => Color::Green,
            Color::Green => Color::Blue,
            Color::Blue => Color::Red,
        })
        .on_named("area", &["figure"], |figure: Figure| match figure {
            Figure::Dot(_) => 0.0,
            Figure::Square(side) => side * side,
        })
        .on_named("count", &["letters"], |letters: String| {
            let mut counts: BTreeMap<String, u32> = BTreeMap::new();
            letters.chars().for_each(|letter| *counts.entry(letter.into()).or_default() += 1);
            counts
        })
        .on_named("first", &["numbers"], |numbers: Vec<i16>| numbers.first().copied())
        .on_named("depth", &["tree"], |tree: Tree| depth(&tree))
        .on_named("mixed", &["value"], |value: Mixed| match value {
            Mixed::Nothing => 0,
            Mixed::Number(number) => number,
        })
        .on_named("any", &["value", "after"], |value: Value, _after: Option<f32>| value)
        .on_all("sum", |numbers: Vec<i64>| numbers.iter().sum::<i64>())
}

fn depth(tree: &Tree) -> u8 {
    tree.value.max(1 + tree.children.iter().map(depth).max().unwrap_or(0))
}
