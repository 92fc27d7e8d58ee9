//! Threads or processes? Three of the comparison's experiments, as short as they can be.
//!
//! Chapter 12. The figures differ from machine to machine, and after so short a look from run to
//! run; `ninestep compare` takes its time, and writes a report with charts.

use ninestep::compare::{self, Comparison, Effort, Experiment, Measured};

/// For every strategy its first figure at the last place on the axis.
fn print(experiment: &Experiment) {
    println!("{}", experiment.title);
    in_lines(&format!("one would expect: {}", experiment.expectation));
    let quantity = &experiment.quantities[0];
    for series in &experiment.series {
        match &series.measured {
            Measured::CannotRun(why) => println!("  {}: {}", series.strategy, why.reason),
            Measured::Points(points) => {
                if let Some(point) = points.last() {
                    let place = match &experiment.axis {
                        Some(axis) => format!(", {} {}", point.at, axis.name),
                        None => String::new(),
                    };
                    let median = point.values[0].median;
                    println!(
                        "  {}{place}: {} {median:.1} {}",
                        series.strategy, quantity.name, quantity.unit
                    );
                }
            }
        }
    }
    in_lines(&format!("what it means: {}\n", experiment.meaning));
}

/// A text in lines that fit on a page.
fn in_lines(text: &str) {
    let mut line = " ".to_owned();
    for word in text.split(' ') {
        if line.len() + word.len() > 90 {
            println!("{line}");
            line = "   ".to_owned();
        }
        line = line + " " + word;
    }
    println!("{line}");
}

fn main() -> std::io::Result<()> {
    // First thing in `main`: the servers and their clients are this program, started anew.
    compare::run_if_child();
    let comparison = Comparison {
        effort: Effort::Glance,
        experiments: ["connections", "wait", "slow-client"].map(str::to_owned).to_vec(),
        ..Comparison::new()?
    };
    let results = comparison.run(&mut |_| {});
    results.experiments.iter().for_each(print);
    println!("the whole of it: cargo run --release -- compare --quick");
    Ok(())
}
