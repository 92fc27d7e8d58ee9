//! The check of exercise 6a.

mod solution;
mod starter;

use std::panic::catch_unwind;

use crate::kit::{Check, Exercise, Red, ensure, equal};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "6a",
    folder: "e06a_dispatcher",
    title: "a dispatcher that no line can bring down",
    starter: || check(starter::answer),
    solution: || check(solution::answer),
};

fn check(answer: fn(&str) -> String) -> Check {
    let answer = |line: &str| {
        let panicked = |_| Red(format!("the line {line:?} made it panic"));
        catch_unwind(|| answer(line)).map_err(panicked)
    };
    equal("the answer to \"divide 10 4\"", answer("divide 10 4")?, "2".to_owned())?;
    let bad = [
        "devide 10 4",
        "",
        "divide",
        "divide 10",
        "divide ten 4",
        "divide 10 four",
        "divide 10 0",
        "divide -9223372036854775808 -1",
        "divide 99999999999999999999 1",
        " ",
    ];
    for line in bad {
        let said = answer(line)?;
        ensure(
            said.starts_with("error: ") && !said.contains('\n'),
            format!(
                "the line {line:?} is answered by {said:?}\nand should be by one line, \"error: ...\""
            ),
        )?;
    }
    equal("the answer to \"divide -9 3\"", answer("divide -9 3")?, "-3".to_owned())
}
