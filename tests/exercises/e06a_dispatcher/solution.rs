//! Exercise 6a, solved.

use std::collections::HashMap;

// ANCHOR: answer
fn divide(a: i64, b: i64) -> Option<i64> {
    a.checked_div(b)
}

pub(crate) fn answer(line: &str) -> String {
    try_answer(line).map_or_else(|why| format!("error: {why}"), |result| result.to_string())
}

fn try_answer(line: &str) -> Result<i64, &'static str> {
    let procedures = HashMap::from([("divide", divide)]);
    let words: Vec<&str> = line.split(' ').collect();
    let [name, a, b] = words[..] else { return Err("a call is a name and two numbers") };
    let procedure = procedures.get(name).ok_or("there is no such procedure")?;
    let number = |word: &str| word.parse().map_err(|_| "an argument is no number");
    procedure(number(a)?, number(b)?).ok_or("there is no such quotient")
}
// ANCHOR_END: answer
