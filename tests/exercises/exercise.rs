//! The book's exercises, which check themselves: `cargo exercise 1a` checks the starter of 1a, which
//! is the file that the reader edits, `cargo exercise 1a solution` the solution.
//!
//! Each exercise is a folder: `starter.rs`, `solution.rs`, `red.txt` (what the unchanged starter
//! gets to hear) and `mod.rs`, the check. `UPDATE_EXPECTED=1 cargo test --example exercise` writes
//! the `red.txt` files anew.

mod kit;

mod e01a_mean;
mod e01b_shout;
mod e02a_moment;
mod e02b_by_hand;
mod e03a_reader;
mod e03b_find;
mod e04a_take;
mod e04b_connect_any;
mod e05a_table;
mod e05b_call_all;
mod e06a_dispatcher;
mod e06b_procedures;
mod e07a_again;
mod e07b_deposit;
mod e08a_threes;
mod e09a_withdraw;
mod e09b_count;
mod e10b_refuse;
mod e11a_parent;
mod e12a_faster;
mod e13a_patiently;
mod e13b_order_once;
mod e14a_title;
mod e15a_relay;
mod e15b_either;

use std::env;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use kit::{Check, Exercise, Red};

const EXERCISES: [Exercise; 25] = [
    e01a_mean::EXERCISE,
    e01b_shout::EXERCISE,
    e02a_moment::EXERCISE,
    e02b_by_hand::EXERCISE,
    e03a_reader::EXERCISE,
    e03b_find::EXERCISE,
    e04a_take::EXERCISE,
    e04b_connect_any::EXERCISE,
    e05a_table::EXERCISE,
    e05b_call_all::EXERCISE,
    e06a_dispatcher::EXERCISE,
    e06b_procedures::EXERCISE,
    e07a_again::EXERCISE,
    e07b_deposit::EXERCISE,
    e08a_threes::EXERCISE,
    e09a_withdraw::EXERCISE,
    e09b_count::EXERCISE,
    e10b_refuse::EXERCISE,
    e11a_parent::EXERCISE,
    e12a_faster::EXERCISE,
    e13a_patiently::EXERCISE,
    e13b_order_once::EXERCISE,
    e14a_title::EXERCISE,
    e15a_relay::EXERCISE,
    e15b_either::EXERCISE,
];

/// A check that takes longer waits for what will never come.
const MOST_TIME: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some(index) =
        EXERCISES.iter().position(|it| arguments.first().is_some_and(|n| n == it.number))
    else {
        return list();
    };
    let exercise = &EXERCISES[index];
    let said = match arguments.get(1).map(String::as_str) {
        Some("solution") => run(exercise.solution).err(),
        _ => red(exercise),
    };
    if let Some(said) = said {
        println!("{said}");
        return ExitCode::FAILURE;
    }
    println!("{} is green. Compare {}.", exercise.number, exercise.path("solution.rs"));
    if let Some(next) = EXERCISES.get(index + 1) {
        println!("The next one is `cargo exercise {}`: {}.", next.number, next.title);
    }
    ExitCode::SUCCESS
}

fn list() -> ExitCode {
    println!("Name one of these, as in `cargo exercise 1a`:");
    for exercise in &EXERCISES {
        println!("  {:>3}  {}", exercise.number, exercise.title);
    }
    ExitCode::FAILURE
}

/// What is said to the reader whose starter does not do yet what it should; `None` once it does.
fn red(exercise: &Exercise) -> Option<String> {
    let Exercise { number, title, .. } = exercise;
    let why = run(exercise.starter).err()?;
    Some(format!(
        "{number} is red: {title}\n\n  {}\n\nOpen {}, change it, and run `cargo exercise {number}` again.",
        why.replace('\n', "\n  "),
        exercise.path("starter.rs"),
    ))
}

/// Runs a check on a thread of its own, because an answer may panic, or wait for ever.
fn run(check: fn() -> Check) -> Result<(), String> {
    let (tell, told) = channel();
    thread::spawn(move || tell.send(check()));
    match told.recv_timeout(MOST_TIME) {
        Ok(outcome) => outcome.map_err(|Red(why)| why),
        Err(RecvTimeoutError::Timeout) => {
            Err(format!("it was not over after {MOST_TIME:?}: something waits for ever"))
        }
        Err(RecvTimeoutError::Disconnected) => {
            Err("it panicked: see above, where and why".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::{env, fs};

    use super::*;

    fn file(exercise: &Exercise, name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(exercise.path(name))
    }

    /// Runs all checks at the same time, since most of what they do is to wait.
    fn all<T: Send>(check: impl Fn(&Exercise) -> T + Sync) -> Vec<T> {
        thread::scope(|scope| {
            let running: Vec<_> = EXERCISES.iter().map(|it| scope.spawn(|| check(it))).collect();
            running.into_iter().map(|check| check.join().unwrap()).collect()
        })
    }

    #[test]
    fn every_folder_is_an_exercise() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/exercises");
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
        folders.sort();
        let listed: Vec<PathBuf> = EXERCISES.iter().map(|exercise| file(exercise, "")).collect();
        assert!(folders.iter().eq(&listed), "{folders:?}\nand in the list: {listed:?}");
    }

    #[test]
    fn every_solution_is_green() {
        let wrong = all(|it| run(it.solution).err().map(|why| format!("{}: {why}", it.number)));
        let wrong: Vec<String> = wrong.into_iter().flatten().collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn every_starter_is_red_and_says_why() {
        let wrong: Vec<String> = all(difference).into_iter().flatten().collect();
        assert!(
            wrong.is_empty(),
            "{}\nIf you are working on these exercises, nothing is wrong: this test only makes sure \
             that nobody publishes a starter that is solved already.",
            wrong.join("\n")
        );
    }

    /// What the starter gets to hear otherwise than its `red.txt` says.
    fn difference(exercise: &Exercise) -> Option<String> {
        let Some(red) = red(exercise) else {
            return Some(format!("{} is green: well done.", exercise.path("starter.rs")));
        };
        let path = file(exercise, "red.txt");
        if env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&path, format!("{red}\n")).unwrap();
        }
        let recorded = fs::read_to_string(&path).unwrap_or_default();
        (recorded.trim_end() != red).then(|| format!("{} says otherwise:\n{red}", path.display()))
    }
}
