//! What to choose: rules that turn results into advice, so that it says what this machine measured.

use std::fmt;

use super::matrix::unique;
use super::number::{list, remnant};
use super::standing::Standing;
use crate::compare::{Experiment, Measured, Results, Survived};

/// What the results say about one strategy.
pub(super) struct Advice<'a> {
    pub(super) strategy: &'a str,
    /// What it was best for.
    pub(super) choose: Vec<Reason>,
    /// When it is the wrong choice.
    pub(super) wrong: Vec<Reason>,
}

/// A situation, and what was measured in it.
pub(super) struct Reason {
    pub(super) when: String,
    pub(super) because: String,
    /// The section of the report that shows it.
    pub(super) section: String,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.when, self.because)
    }
}

/// Advice on every strategy that was measured or tried.
pub(super) fn advice(results: &Results) -> Vec<Advice<'_>> {
    strategies(results)
        .into_iter()
        .map(|strategy| {
            let (mut choose, mut wrong) = (Vec::new(), Vec::new());
            for experiment in &results.experiments {
                measured(experiment, strategy, &mut choose, &mut wrong);
            }
            let rows = results.survival.iter().flat_map(|survival| &survival.rows);
            let rows = rows.filter(|row| row.strategy == strategy && row.cannot_run.is_none());
            survived(&rows.collect::<Vec<_>>(), &mut choose, &mut wrong);
            Advice { strategy, choose, wrong }
        })
        .collect()
}

/// Every strategy's name, in the order in which they first come.
pub(super) fn strategies(results: &Results) -> Vec<&str> {
    let series = results.experiments.iter().flat_map(|experiment| &experiment.series);
    let rows = results.survival.iter().flat_map(|survival| &survival.rows);
    let rows = rows.map(|row| &*row.strategy);
    unique(series.map(|series| &*series.strategy).chain(rows))
}

/// What an experiment says for and against a strategy: for it, if it is among the best in all that
/// was measured; against it by what is worst. So it never says both.
fn measured(
    experiment: &Experiment,
    strategy: &str,
    choose: &mut Vec<Reason>,
    wrong: &mut Vec<Reason>,
) {
    let reason = |because: String| Reason {
        when: situation(experiment),
        because,
        section: experiment.name.clone(),
    };
    let standings: Vec<Standing> = (0..experiment.quantities.len())
        .filter_map(|number| Standing::of(experiment, number))
        .collect();
    if standings.iter().all(|standing| standing.is_among_best(strategy)) {
        choose.extend(standings.iter().find_map(|standing| standing.lead(strategy)).map(reason));
    }
    let lags = standings.iter().filter_map(|standing| standing.lag(strategy));
    let worst = lags.max_by(|(a, _), (b, _)| a.total_cmp(b));
    wrong.extend(worst.map(|(_, because)| reason(because)));
    for series in experiment.series.iter().filter(|series| series.strategy == strategy) {
        if let Measured::CannotRun(why) = &series.measured {
            wrong.push(reason(format!("it cannot run here: {}", why.reason)));
        }
    }
}

/// What the crash lab says for and against the strategy that these rows are of.
fn survived(rows: &[&Survived], choose: &mut Vec<Reason>, wrong: &mut Vec<Reason>) {
    let reason = |when: &str, because: String| Reason {
        when: when.to_owned(),
        because,
        section: "crash-lab".to_owned(),
    };
    let those = |wanted: &dyn Fn(&Survived) -> bool| -> Vec<&Survived> {
        rows.iter().copied().filter(|row| wanted(row)).collect()
    };
    let crash = "procedures that may crash";
    let dead = those(&|row| !row.server_alive);
    let harmed = those(&|row| row.server_alive && row.neighbours_alive < row.neighbours);
    let unanswered = those(&|row| {
        row.server_alive && row.neighbours_alive == row.neighbours && row.calls_lost > 0
    });
    for (rows, what) in [(&dead, "ended the server and took"), (&harmed, "took")] {
        let all: usize = rows.iter().map(|row| row.neighbours).sum();
        let taken = all - rows.iter().map(|row| row.neighbours_alive).sum::<usize>();
        let taken = if taken == all { "all".to_owned() } else { format!("{taken} of {all}") };
        let because = || format!("{} {what} {taken} neighbours", troubles(rows));
        wrong.extend((!rows.is_empty()).then(|| reason(crash, because())));
    }
    if !unanswered.is_empty() {
        let lost: usize = unanswered.iter().map(|row| row.calls_lost).sum();
        let because = format!("{} cost the neighbours {lost} calls", troubles(&unanswered));
        wrong.push(reason("procedures that never return", because));
    }
    let remains: Vec<String> = rows.iter().flat_map(|row| &row.remains).map(remnant).collect();
    if !remains.is_empty() {
        wrong.push(reason(
            "procedures that leave things behind",
            format!("{} stayed behind", list(&remains)),
        ));
    }
    if rows.is_empty() || !dead.is_empty() || !harmed.is_empty() {
        return;
    }
    if unanswered.is_empty() {
        let because = format!("none of {} troubles cost a neighbour anything", rows.len());
        choose.push(reason(crash, because));
    }
    if remains.is_empty() {
        choose.push(reason(
            "procedures that leave things behind",
            "no trouble left anything behind".to_owned(),
        ));
    }
}

fn troubles(rows: &[&Survived]) -> String {
    list(&rows.iter().map(|row| &*row.trouble).collect::<Vec<_>>())
}

/// When an experiment matters.
fn situation(experiment: &Experiment) -> String {
    let situation = match &*experiment.name {
        "connections" => "many short connections",
        "clients" => "many clients at once",
        "compute" => "procedures that compute",
        "wait" => "procedures that wait",
        "memory" => "many idle connections",
        "large-messages" => "large messages",
        "shared-state" => "state that all connections share",
        "slow-client" => "clients that may be slow",
        _ => &experiment.title,
    };
    situation.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{
        Axis, Better, CannotRun, Machine, Point, Remnant, Series, Spread, Survival,
    };

    /// An experiment in which each strategy has this median, and runs within a tenth of it.
    fn experiment(
        name: &str,
        quantity: &str,
        better: Better,
        medians: &[(&str, f64)],
    ) -> Experiment {
        let spread = |median| Spread { median, least: median * 0.9, most: median * 1.1, runs: 3 };
        let series = |(strategy, median): &(&str, f64)| Series {
            strategy: (*strategy).to_owned(),
            measured: Measured::Points(vec![Point { at: 0.0, values: vec![spread(*median)] }]),
        };
        Experiment {
            name: name.to_owned(),
            title: "Which?".to_owned(),
            varied: String::new(),
            held: String::new(),
            expectation: String::new(),
            meaning: String::new(),
            axis: None,
            quantities: vec![Axis { name: quantity.to_owned(), unit: String::new(), better }],
            series: medians.iter().map(series).collect(),
        }
    }

    fn results(experiments: Vec<Experiment>, rows: Vec<Survived>) -> Results {
        Results {
            machine: Machine {
                processor: String::new(),
                cores: 1,
                memory_mib: 1,
                kernel: String::new(),
                ninestep: String::new(),
                rust: None,
            },
            quick: false,
            complete: true,
            experiments,
            survival: Some(Survival { rows }),
        }
    }

    fn survived(trouble: &str, strategy: &str, neighbours_alive: usize) -> Survived {
        Survived {
            trouble: trouble.to_owned(),
            strategy: strategy.to_owned(),
            server_alive: neighbours_alive > 0,
            neighbours: 8,
            neighbours_alive,
            calls_lost: 8 - neighbours_alive,
            fresh_connection_ms: None,
            remains: Vec::new(),
            cannot_run: None,
        }
    }

    /// What is said for a strategy, and what against it.
    fn said(results: &Results, strategy: &str) -> (Vec<String>, Vec<String>) {
        let advice = advice(results).into_iter().find(|advice| advice.strategy == strategy);
        let advice = advice.expect("every strategy has advice");
        let texts = |reasons: &[Reason]| reasons.iter().map(Reason::to_string).collect();
        (texts(&advice.choose), texts(&advice.wrong))
    }

    #[test]
    fn who_wins_is_to_be_chosen_and_who_is_far_behind_is_not() {
        let medians = [("thread", 100.0), ("thread-pool", 200.0), ("process-fork", 40.0)];
        let more = experiment("connections", "connections", Better::More, &medians);
        let results = results(vec![more], vec![]);
        let pool = ["many short connections: 2 × thread (connections)"].map(str::to_owned).to_vec();
        assert_eq!(said(&results, "thread-pool"), (pool, vec![]));
        let fork = ["many short connections: 0.4 × thread (connections)"].map(str::to_owned);
        assert_eq!(said(&results, "process-fork"), (vec![], fork.to_vec()));
    }

    #[test]
    fn the_winner_changes_with_the_results() {
        for winner in ["thread", "thread-pool", "process-fork"] {
            let names = ["thread", "thread-pool", "process-fork"];
            let median = |name: &str| if name == winner { 10.0 } else { 100.0 };
            let medians = names.map(|name| (name, median(name)));
            let less = experiment("wait", "wait", Better::Less, &medians);
            let results = results(vec![less], vec![]);
            for name in names {
                let (choose, wrong) = said(&results, name);
                assert_eq!((choose.is_empty(), wrong.is_empty()), (name != winner, name == winner));
            }
        }
    }

    #[test]
    fn no_winner_is_named_within_the_spread() {
        let medians = [("thread", 100.0), ("thread-pool", 105.0)];
        let close = experiment("large-messages", "throughput", Better::More, &medians);
        let standing = Standing::of(&close, 0).expect("two can be compared");
        let text = "No difference beyond the spread. In multiples of thread: thread-pool 1.1.";
        assert_eq!(standing.summary(), text);
        let results = results(vec![close.clone()], vec![]);
        assert_eq!(said(&results, "thread-pool"), (vec![], vec![]));
        let neither = experiment("memory", "pages", Better::Neither, &medians);
        assert!(Standing::of(&neither, 0).is_none());
    }

    #[test]
    fn several_can_be_best_at_the_place_that_most_of_them_reached() {
        let medians = [("thread", 100.0), ("thread-pool", 105.0), ("single", 10.0)];
        let mut shared = experiment("clients", "calls", Better::More, &medians);
        shared.axis =
            Some(Axis { name: "clients".to_owned(), unit: String::new(), better: Better::Neither });
        let Measured::Points(points) = &mut shared.series[2].measured else { panic!("points") };
        let far = Spread { median: 1e6, least: 1e6, most: 1e6, runs: 3 };
        points.push(Point { at: 256.0, values: vec![far] });
        let standing = Standing::of(&shared, 0).expect("three can be compared");
        assert_eq!(
            standing.summary(),
            "Best within the spread at 0 clients: thread-pool and thread. \
             In multiples of thread: thread-pool 1.1, single 0.1."
        );
    }

    #[test]
    fn the_ratios_of_each_round_go_before_the_ratio_of_medians() {
        let medians = [("thread", 100.0), ("thread-pool", 200.0)];
        let mut paired = experiment("connections", "connections", Better::More, &medians);
        let times = Axis { name: "times thread".to_owned(), ..paired.quantities[0].clone() };
        paired.quantities.push(Axis { better: Better::Neither, ..times });
        for (series, median) in paired.series.iter_mut().zip([1.0, 1.7]) {
            let Measured::Points(points) = &mut series.measured else { panic!("points") };
            points[0].values.push(Spread { median, least: median, most: median, runs: 3 });
        }
        let (choose, _) = said(&results(vec![paired], vec![]), "thread-pool");
        assert_eq!(choose, ["many short connections: 1.7 × thread (connections)"]);
    }

    #[test]
    fn nothing_against_something_is_no_ratio() {
        let medians = [("thread", 0.0), ("single", 8.0), ("process-fork", 0.0)];
        let held = experiment("slow-client", "calls held up", Better::Less, &medians);
        let results = results(vec![held], vec![]);
        let (choose, wrong) = said(&results, "single");
        assert!(choose.is_empty());
        assert_eq!(wrong, ["clients that may be slow: 8, and 0 with thread (calls held up)"]);
        let (choose, _) = said(&results, "process-fork");
        assert_eq!(choose, ["clients that may be slow: 0, and 8 with single (calls held up)"]);
    }

    #[test]
    fn what_cannot_run_is_the_wrong_choice() {
        let mut memory = experiment("memory", "memory", Better::Less, &[("thread", 1.0)]);
        let why = CannotRun { reason: "no /proc".to_owned(), remedy: "mount it".to_owned() };
        let measured = Measured::CannotRun(why);
        memory.series.push(Series { strategy: "process-fork".to_owned(), measured });
        let (_, wrong) = said(&results(vec![memory], vec![]), "process-fork");
        assert_eq!(wrong, ["many idle connections: it cannot run here: no /proc"]);
    }

    #[test]
    fn the_crash_lab_speaks_for_who_lost_nothing_and_against_who_did() {
        let mut leak = survived("leak memory", "thread", 8);
        leak.remains.push(Remnant { what: "memory".into(), amount: 320.0, unit: "MiB".into() });
        let mut spin = survived("spin", "single", 8);
        spin.calls_lost = 8;
        let not_tried = Survived {
            cannot_run: Some(CannotRun { reason: "no limit".into(), remedy: "none".into() }),
            ..survived("out of memory", "process-fork", 0)
        };
        let rows = vec![
            survived("abort", "thread", 0),
            survived("exit", "thread", 0),
            leak,
            survived("abort", "process-fork", 8),
            survived("exit", "process-fork", 8),
            not_tried,
            survived("abort", "process-pool", 5),
            spin,
        ];
        let results = results(vec![], rows);
        let (choose, wrong) = said(&results, "thread");
        assert!(choose.is_empty());
        assert_eq!(
            wrong,
            [
                "procedures that may crash: abort and exit ended the server and took all neighbours",
                "procedures that leave things behind: memory (320 MiB) stayed behind",
            ]
        );
        let (choose, wrong) = said(&results, "process-fork");
        assert_eq!(
            choose,
            [
                "procedures that may crash: none of 2 troubles cost a neighbour anything",
                "procedures that leave things behind: no trouble left anything behind",
            ]
        );
        assert!(wrong.is_empty());
        let (_, wrong) = said(&results, "process-pool");
        assert_eq!(wrong, ["procedures that may crash: abort took 3 of 8 neighbours"]);
        let (_, wrong) = said(&results, "single");
        assert_eq!(wrong, ["procedures that never return: spin cost the neighbours 8 calls"]);
    }
}
