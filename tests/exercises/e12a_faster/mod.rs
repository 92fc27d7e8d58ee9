//! The check of exercise 12a, and the type of its answer.

mod solution;
mod starter;

use std::fs;

use serde_json::Value;

use crate::kit::{Check, Exercise, Red, equal};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "12a",
    folder: "e12a_faster",
    title: "is it faster?",
    starter: || check(starter::ratio, starter::is_faster),
    solution: || check(solution::ratio, solution::is_faster),
};

/// How many times as fast the second one is: the median of all rounds, the least and the most.
#[derive(Clone, Copy)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

fn check(ratio: fn(&[f64], &[f64]) -> Ratio, is_faster: fn(Ratio) -> Option<bool>) -> Check {
    let told = |first, second| {
        let Ratio { median, least, most } = ratio(first, second);
        format!("{median:.2}, from {least:.2} to {most:.2}")
    };
    // The machine becomes slower from round to round, and something disturbs the last one.
    let drift = told(&[100.0, 80.0, 50.0, 40.0, 20.0], &[110.0, 84.0, 60.0, 44.0, 80.0]);
    let wanted = "1.10, from 1.05 to 4.00".to_owned();
    equal("the ratio of [110, 84, 60, 44, 80] to [100, 80, 50, 40, 20]", drift, wanted)?;
    let even = told(&[10.0, 10.0, 10.0, 10.0], &[9.0, 12.0, 8.0, 14.0]);
    let wanted = "1.05, from 0.80 to 1.40".to_owned();
    equal("the ratio of [9, 12, 8, 14] to [10, 10, 10, 10]", even, wanted)?;

    let clients = clients()?;
    for (count, strategy, wanted) in [
        (256, "process-fork", Some(false)),
        (256, "thread", Some(false)),
        (64, "thread", None),
        (256, "thread-pool", None),
    ] {
        let recorded =
            recorded(&clients, count, strategy).ok_or("the recorded run has no such ratio")?;
        let Ratio { median, least, most } = recorded;
        let what = format!(
            "with {count} clients, {strategy} is {median:.2} times as fast as thread-pool (from \
             {least:.2} to {most:.2}). is_faster"
        );
        equal(&what, is_faster(recorded), wanted)?;
    }
    let faster = Ratio { median: 1.5, least: 1.2, most: 1.6 };
    equal("of 1.50 (from 1.20 to 1.60), is_faster", is_faster(faster), Some(true))
}

/// The experiment `clients` of the run whose charts the book shows.
fn clients() -> Result<Value, Red> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/book/recorded/results.json");
    let mut results: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    let experiments = results["experiments"].as_array_mut().ok_or("there are no experiments")?;
    let clients = experiments.iter_mut().find(|experiment| experiment["name"] == "clients");
    Ok(clients.ok_or("there is no such experiment")?.take())
}

/// How many times as fast as a pool of threads a strategy was there with so many clients.
fn recorded(clients: &Value, count: u32, strategy: &str) -> Option<Ratio> {
    let quantities = clients["quantities"].as_array()?;
    let times = quantities.iter().position(|it| it["name"] == "times thread-pool")?;
    let mut series = clients["series"].as_array()?.iter();
    let points = &series.find(|it| it["strategy"] == strategy)?["measured"]["points"];
    let point = points.as_array()?.iter().find(|point| point["at"] == f64::from(count))?;
    let figure = |name| point["values"][times][name].as_f64();
    Some(Ratio { median: figure("median")?, least: figure("least")?, most: figure("most")? })
}
