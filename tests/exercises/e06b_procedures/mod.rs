//! The check of exercise 6b.

mod solution;
mod starter;

use std::collections::BTreeMap;

use ninestep::Procedures;

use crate::kit::{Check, Exercise, call, equal};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "6b",
    folder: "e06b_procedures",
    title: "a server that says what it offers",
    starter: || check(starter::with_a_list),
    solution: || check(solution::with_a_list),
};

fn check(with_a_list: fn(Procedures) -> Procedures) -> Check {
    let add = |a: i64, b: i64| a + b;
    let hi = |name: String| format!("Hi {name}!");
    let procedures = Procedures::new().on("add", add).on_named("sayHi", &["name"], hi);
    let stub = call(with_a_list(procedures))?;
    let list: BTreeMap<String, String> = stub.call("procedures", ())?;
    let wanted = [
        ("add", "(i64, i64) -> i64"),
        ("procedures", "() -> BTreeMap<String, String>"),
        ("sayHi", "(name: String) -> String"),
    ];
    let wanted = wanted.map(|(name, signature)| (name.to_owned(), signature.to_owned()));
    equal("the list", list, BTreeMap::from(wanted))
}
