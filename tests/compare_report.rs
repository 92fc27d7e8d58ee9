//! The comparison's report: its files, its page and its tables, from results that were made up.
#![cfg(feature = "compare")]

mod elements;

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use ninestep::compare::{
    Axis, Better, CannotRun, Experiment, Measured, Point, Results, Series, Spread, report,
};

use elements::{Element, elements};

fn sample() -> Results {
    serde_json::from_str(include_str!("compare/sample.json")).unwrap()
}

/// A folder that is not there yet.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compare_report").join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

/// The report, as it is written for a test of this name.
fn html(results: &Results, name: &str) -> String {
    fs::read_to_string(report::write(results, &folder(name)).unwrap()).unwrap()
}

/// All text of the page, as a reader has it.
fn text(elements: &[Element]) -> String {
    let texts: Vec<&str> = elements.iter().map(|element| &*element.text).collect();
    texts.join(" ")
}

#[test]
fn json_holds_what_was_found() {
    let out = folder("json");
    report::write(&sample(), &out).unwrap();
    let read: Results =
        serde_json::from_slice(&fs::read(out.join("results.json")).unwrap()).unwrap();
    assert_eq!(read, sample());
}

#[test]
fn csv_holds_every_number() {
    let out = folder("csv");
    report::write(&sample(), &out).unwrap();
    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    assert_eq!(
        read("connections.csv"),
        "strategy,at,quantity,unit,median,least,most,runs,cannot_run,remedy\n\
         single,,connections,connections/s,15200.0,14440.0,15880.0,5,,\n\
         thread,,connections,connections/s,9100.0,8811.0,9760.0,5,,\n\
         thread-pool,,connections,connections/s,15900.0,15510.0,16730.0,5,,\n\
         process-fork,,connections,connections/s,4700.0,4351.0,4834.0,5,,\n\
         process-spawn,,connections,connections/s,890.0,841.0,942.1,5,,\n\
         process-pool,,connections,connections/s,9900.0,9640.0,10350.0,5,,\n"
    );
    let clients = read("clients.csv");
    let mut lines = clients.lines();
    let header = "strategy,clients,quantity,unit,median,least,most,runs,cannot_run,remedy";
    assert_eq!(lines.next(), Some(header));
    let cannot = "process-spawn,,,,,,,,\"256 clients need 1,056 open files, and the limit is \
                  1,024\",\"ulimit -n 4096, then run it again\"";
    assert!(lines.any(|line| line == cannot), "{clients}");
    // Five strategies, nine places, four quantities; the header, and what cannot run.
    assert_eq!(clients.lines().count(), 5 * 9 * 4 + 2);
    let survival = read("survival.csv");
    let lines: HashSet<&str> = survival.lines().collect();
    for line in [
        "trouble,strategy,server_alive,neighbours,neighbours_alive,calls_lost,\
         fresh_connection_ms,remains,cannot_run,remedy",
        "abort,thread,false,8,0,8,,,,",
        "leak descriptors,process-pool,true,8,8,0,0.518,descriptors 100,,",
    ] {
        assert!(lines.contains(line), "{line} is not in {survival}");
    }
    assert_eq!(survival.lines().count(), 11 * 6 + 1);
}

#[test]
fn what_is_written_is_whole_or_as_it_was() {
    let out = folder("whole");
    let report = report::write(&sample(), &out).unwrap();
    let before = fs::read_to_string(&report).unwrap();
    let mut less = sample();
    less.experiments.truncate(1);
    less.survival = None;
    // It can be neither written nor moved into its place.
    fs::create_dir(out.join("report.html.part")).unwrap();
    report::write(&less, &out).unwrap_err();
    assert_eq!(fs::read_to_string(&report).unwrap(), before);
    fs::remove_dir(out.join("report.html.part")).unwrap();
    report::write(&less, &out).unwrap();
    assert!(fs::read_to_string(&report).unwrap().len() < before.len());
    // Nothing is left of what was written aside, or of the earlier run.
    let names = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["connections.csv", "report.html", "results.json"]);
}

#[test]
fn an_experiment_cannot_name_a_file_elsewhere() {
    for name in ["../escaped", "", "a b", "a/b", "A"] {
        let mut results = sample();
        results.experiments[0].name = name.to_owned();
        let error = report::write(&results, &folder("names")).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{name}");
    }
}

#[test]
fn the_page_is_well_formed_and_its_parts_find_each_other() {
    let page = html(&sample(), "well-formed");
    assert!(page.starts_with("<!doctype html>"), "{}", &page[..80]);
    let elements = elements(&page);
    let all = |name: &'static str| elements.iter().filter(move |element| element.name == name);
    assert_eq!(all("html").next().unwrap().attribute("lang"), Some("en-GB"));
    let ids: Vec<&str> = elements.iter().filter_map(|element| element.attribute("id")).collect();
    let unique: HashSet<&str> = ids.iter().copied().collect();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
    let named = elements.iter().filter_map(|element| element.attribute("aria-labelledby"));
    let anchors = all("a").filter_map(|a| a.attribute("href")?.strip_prefix('#'));
    for id in named.flat_map(|ids| ids.split(' ')).chain(anchors) {
        assert!(unique.contains(id), "{id} is nowhere");
    }
    // No heading skips a level.
    let levels = elements.iter().filter_map(|element| {
        let level = element.name.strip_prefix('h').filter(|level| level.len() == 1)?;
        level.parse::<u8>().ok()
    });
    let levels: Vec<u8> = levels.collect();
    assert_eq!(levels[0], 1);
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
    // Every chart says what it is.
    let charts: Vec<&Element> = all("svg").filter(|s| s.attribute("role") == Some("img")).collect();
    let quantities: usize = sample().experiments.iter().map(|e| e.quantities.len()).sum();
    assert_eq!(charts.len(), quantities);
    assert_eq!(all("title").count(), quantities + 1);
    assert_eq!(all("desc").count(), quantities);
}

#[test]
fn the_page_holds_every_number_in_a_table() {
    let elements = elements(&html(&sample(), "numbers"));
    let number = |text: &str| text.trim().replace(',', "").parse::<f64>().unwrap();
    // A figure is in a cell, its least and most are in the cell's small print.
    let (mut cells, mut cell) = (Vec::new(), Vec::new());
    for element in elements {
        match &*element.name {
            "td" if element.attribute("class").is_none() => {
                cells.push(std::mem::replace(&mut cell, vec![number(&element.text)]));
            }
            "small" => cell.extend(element.text.split(" to ").map(number)),
            _ => {}
        }
    }
    cells.push(cell);
    let mut cells = cells.into_iter().skip(1);
    for experiment in sample().experiments {
        let points = |series: &Series| match &series.measured {
            Measured::Points(points) => points.clone(),
            Measured::CannotRun(_) => Vec::new(),
        };
        let series: Vec<Vec<Point>> = experiment.series.iter().map(points).collect();
        let mut places: Vec<f64> = series.iter().flatten().map(|point| point.at).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        for quantity in 0..experiment.quantities.len() {
            for place in &places {
                let there = series.iter().filter_map(|p| p.iter().find(|p| p.at == *place));
                for point in there {
                    let Spread { median, least, most, .. } = point.values[quantity];
                    let wanted =
                        if least == most { vec![median] } else { vec![median, least, most] };
                    let found = cells.next().unwrap();
                    assert_eq!(found.len(), wanted.len(), "{found:?} for {wanted:?}");
                    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 0.005 * b.abs();
                    assert!(found.iter().zip(&wanted).all(close), "{found:?} for {wanted:?}");
                }
            }
        }
    }
    assert_eq!(cells.next(), None);
}

#[test]
fn the_page_holds_the_survival_table() {
    let elements = elements(&html(&sample(), "survival"));
    let start = elements.iter().position(|e| e.attribute("class") == Some("lab")).unwrap();
    let table = &elements[start..];
    let first = table.iter().find(|element| element.name == "td").unwrap();
    assert_eq!(first.attribute("class"), Some("kept"));
    let text = text(table);
    for wanted in [
        "stack overflow",
        "8 of 8 alive",
        "0 of 8 alive",
        "fresh: no answer",
        "left: memory (320 MiB)",
        "the limit of memory was refused",
        "ulimit -v unlimited",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let class = |class: &str| table.iter().filter(|e| e.attribute("class") == Some(class)).count();
    let sample = sample().survival.unwrap();
    let dead = sample.rows.iter().filter(|row| row.cannot_run.is_none() && !row.server_alive);
    assert_eq!(class("lost"), dead.count());
}

#[test]
fn what_cannot_run_is_there_with_its_reason_and_what_to_do() {
    let results = sample();
    let text = text(&elements(&html(&results, "cannot-run")));
    let tables = report::tables(&results);
    let tables = tables.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("process-spawn cannot run here:"), "{text}");
    for wanted in ["ulimit -n 4096, then run it again", "it holds one connection at a time"] {
        assert!(text.contains(wanted), "{wanted}");
        assert!(tables.contains(wanted), "{wanted}: {tables}");
    }
}

#[test]
fn an_interrupted_run_says_so_and_a_whole_one_does_not() {
    let whole = sample();
    let mut interrupted = sample();
    interrupted.complete = false;
    interrupted.survival = None;
    interrupted.experiments.truncate(3);
    for (results, is_interrupted) in [(&whole, false), (&interrupted, true)] {
        let page = html(results, if is_interrupted { "interrupted" } else { "complete" });
        assert_eq!(page.contains("was interrupted"), is_interrupted);
        assert_eq!(report::tables(results).contains("was interrupted"), is_interrupted);
        assert_eq!(page.contains("id=\"crash-lab\""), !is_interrupted);
        elements(&page);
    }
}

#[test]
fn nothing_that_was_found_can_become_markup() {
    let hostile = "<script>alert(1)</script>\"' & <b";
    let mut results = sample();
    results.machine.processor = hostile.to_owned();
    results.machine.rust = Some(hostile.to_owned());
    for experiment in &mut results.experiments {
        for text in [
            &mut experiment.title,
            &mut experiment.varied,
            &mut experiment.held,
            &mut experiment.expectation,
            &mut experiment.meaning,
        ] {
            *text = hostile.to_owned();
        }
        let axes = experiment.axis.iter_mut().chain(&mut experiment.quantities);
        axes.for_each(|axis| axis.name = hostile.to_owned());
        for series in &mut experiment.series {
            series.strategy.push_str(hostile);
            if let Measured::CannotRun(why) = &mut series.measured {
                *why = CannotRun { reason: hostile.to_owned(), remedy: hostile.to_owned() };
            }
        }
    }
    for row in &mut results.survival.as_mut().unwrap().rows {
        row.trouble.push_str(hostile);
        row.strategy.push_str(hostile);
        row.remains.iter_mut().for_each(|left| left.what = hostile.to_owned());
    }
    let page = html(&results, "hostile");
    let elements = elements(&page);
    let names = |name: &str| elements.iter().filter(|element| element.name == name).count();
    assert_eq!((names("script"), names("b")), (0, 0));
    assert!(!page.contains("<script"));
    let charts = elements.iter().filter(|element| element.name == "text");
    assert!(charts.into_iter().any(|element| element.text.contains(hostile)));
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let page = html(&sample(), "elsewhere");
    for remote in ["http:", "https:", "//", "url(", "@import", "<script", "<link", "<img"] {
        assert!(!page.contains(remote), "{remote}");
    }
    let elements = elements(&page);
    let policy = elements
        .iter()
        .find(|element| element.attribute("http-equiv") == Some("Content-Security-Policy"));
    let policy = policy.unwrap().attribute("content").unwrap();
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    for element in &elements {
        assert!(element.attribute("src").is_none(), "{element:?}");
        let event = element.attributes.iter().find(|(name, _)| name.starts_with("on"));
        assert!(event.is_none(), "{element:?}");
    }
    // The files that it links to are there.
    let links = elements.iter().filter_map(|element| element.attribute("href"));
    for file in links.filter(|link| !link.starts_with('#')) {
        let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compare_report/elsewhere");
        assert!(out.join(file).is_file(), "{file}");
    }
}

#[test]
fn tables_fit_a_terminal() {
    let tables = report::tables(&sample());
    let widest = tables.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{widest:?}\n{tables}");
    assert!(!tables.contains('\x1b'));
    for wanted in ["15,900", "138,000", "8/8, 0 lost", "0/8, 8 lost", "no answer", "What to choose"]
    {
        assert!(tables.contains(wanted), "{wanted}\n{tables}");
    }
}

#[test]
fn advice_is_the_same_in_the_page_and_in_the_terminal() {
    let results = sample();
    let page = text(&elements(&html(&results, "advice")));
    let tables = report::tables(&results);
    for (page_has, terminal_has) in [
        (": 1.7 × thread (connections)", "1.7 × thread"),
        (": 0.098 × thread (connections)", "0.098 × thread"),
        ("When this is the wrong choice", "wrong for"),
    ] {
        assert!(page.contains(page_has), "{page_has}\n{page}");
        assert!(tables.contains(terminal_has), "{terminal_has}\n{tables}");
    }
}

/// Results that no machine should have, but that must not stop a report.
#[test]
fn odd_numbers_are_reported_too() {
    let spread = |median, least, most| Spread { median, least, most, runs: 1 };
    let odd = [
        spread(0.0, 0.0, 0.0),
        spread(-5.0, -6.0, 4.0),
        spread(f64::NAN, 1.0, 2.0),
        spread(1.0, 1.0, f64::INFINITY),
        spread(1e300, 1e-300, 1e300),
        spread(1e-12, 0.0, 1e12),
    ];
    let axis = |name: &str| Axis { name: name.into(), unit: "".into(), better: Better::Less };
    let experiment = |name: &str, has_axis: bool| Experiment {
        name: name.to_owned(),
        axis: has_axis.then(|| axis("place")),
        quantities: vec![axis("quantity")],
        series: (0..9)
            .map(|number| Series {
                strategy: format!("strategy {number}"),
                measured: Measured::Points(
                    odd.iter()
                        .enumerate()
                        .skip(number)
                        .take(if has_axis { 9 } else { 1 })
                        .map(|(at, odd)| Point { at: at as f64 - 1.0, values: vec![*odd] })
                        .collect(),
                ),
            })
            .collect(),
        ..sample().experiments.remove(0)
    };
    let mut results = sample();
    results.experiments = vec![experiment("along", true), experiment("beside", false)];
    elements(&html(&results, "odd"));
    assert!(!report::tables(&results).is_empty());
    results.experiments.clear();
    results.survival = None;
    elements(&html(&results, "empty"));
    assert!(!report::tables(&results).is_empty());
}

/// An experiment with several quantities; for each of them every strategy has a median, and runs
/// this part of it below and above.
fn made_up(
    name: &str,
    quantities: &[(&str, Better)],
    strategies: &[(&str, &[(f64, f64)])],
) -> Experiment {
    let axis = |(name, better): &(&str, Better)| Axis {
        name: (*name).to_owned(),
        unit: String::new(),
        better: *better,
    };
    let spread = |(median, off): &(f64, f64)| Spread {
        median: *median,
        least: median * (1.0 - off),
        most: median * (1.0 + off),
        runs: 3,
    };
    let series = |(strategy, values): &(&str, &[(f64, f64)])| Series {
        strategy: (*strategy).to_owned(),
        measured: Measured::Points(vec![Point {
            at: 0.0,
            values: values.iter().map(spread).collect(),
        }]),
    };
    Experiment {
        name: name.to_owned(),
        axis: None,
        quantities: quantities.iter().map(axis).collect(),
        series: strategies.iter().map(series).collect(),
        ..sample().experiments.remove(0)
    }
}

/// What the page says for each strategy, and what against it.
fn advice(page: &str) -> Vec<(String, Vec<String>, Vec<String>)> {
    let sections = page.split("<h3 id=\"choose-").skip(1).map(|section| {
        let section = section.split("</section>").next().unwrap();
        let name = section.split(['>', '<']).nth(1).unwrap();
        let (choose, wrong) = section.split_once("When this is the wrong choice").unwrap();
        let reasons = |html: &str| -> Vec<String> {
            let items = html.split("<li>").skip(1).map(|item| item.split("</li>").next().unwrap());
            // The situation is a link.
            let plain = |item: &str| item.replace("</a>", "").split_once('>').unwrap().1.to_owned();
            items.map(plain).collect()
        };
        (name.to_owned(), reasons(choose), reasons(wrong))
    });
    sections.collect()
}

fn advice_on(experiment: Experiment, name: &str) -> Vec<(String, Vec<String>, Vec<String>)> {
    let mut results = sample();
    results.experiments = vec![experiment];
    results.survival = None;
    advice(&html(&results, name))
}

#[test]
fn who_is_best_in_one_thing_and_far_behind_in_another_is_not_to_be_chosen() {
    let quantities =
        [("calls", Better::More), ("p99", Better::Less), ("clients answered", Better::More)];
    let clients = made_up(
        "clients",
        &quantities,
        &[
            ("thread", &[(100.0, 0.1), (1.0, 0.1), (256.0, 0.0)]),
            ("thread-pool", &[(110.0, 0.1), (1.0, 0.1), (8.0, 0.0)]),
            ("process-fork", &[(60.0, 0.1), (4.0, 0.1), (256.0, 0.0)]),
        ],
    );
    let said = |name: &str, choose: &[&str], wrong: &[&str]| {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        (name.to_owned(), owned(choose), owned(wrong))
    };
    assert_eq!(
        advice_on(clients, "one-thing"),
        [
            said("thread", &["many clients at once: 1.7 × process-fork (calls)"], &[]),
            said("thread-pool", &[], &["many clients at once: 0.031 × thread (clients answered)"]),
            said("process-fork", &[], &["many clients at once: 4 × thread (p99)"]),
        ]
    );
}

#[test]
fn nobody_is_recommended_by_figures_that_are_far_apart() {
    let connections = made_up(
        "connections",
        &[("connections", Better::More)],
        &[
            ("single", &[(99.0, 0.41)]),
            ("thread", &[(100.0, 0.41)]),
            ("thread-pool", &[(139.0, 0.05)]),
            ("process-fork", &[(20.0, 0.1)]),
        ],
    );
    let advice = advice_on(connections, "far-apart");
    let chosen = advice.iter().filter(|(_, choose, _)| !choose.is_empty());
    let chosen: Vec<_> = chosen.map(|(name, choose, _)| (&**name, &*choose[0])).collect();
    let pool = "many short connections: 7 × process-fork (connections)";
    assert_eq!(chosen, [("thread-pool", pool)]);
}

#[test]
fn small_differences_count_for_nobody() {
    // Two by a spread that is too small to be all of it, two by single runs.
    for (name, off, runs, other) in [("rounds", 0.001, 2, 96.0), ("single-runs", 0.0, 1, 60.0)] {
        let mut close = made_up(
            "compute",
            &[("calls", Better::More)],
            &[("thread", &[(other, off)]), ("thread-pool", &[(100.0, off)])],
        );
        for series in &mut close.series {
            let Measured::Points(points) = &mut series.measured else { panic!("points") };
            points[0].values[0].runs = runs;
        }
        let advice = advice_on(close, name);
        assert!(advice.iter().all(|(_, choose, _)| choose.is_empty()), "{advice:?}");
    }
}

/// `UPDATE_EXPECTED=1 cargo test --test compare_report` writes the report anew; its figures stay.
#[test]
fn the_recorded_report_is_what_its_results_give_and_never_for_and_against_the_same() {
    let recorded = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/book/recorded"));
    let results = fs::read(recorded.join("results.json")).unwrap();
    let results: Results = serde_json::from_slice(&results).unwrap();
    let page = html(&results, "recorded");
    let report = recorded.join("report.html");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&report, &page).unwrap();
    }
    assert!(fs::read_to_string(&report).unwrap() == page, "run it with UPDATE_EXPECTED=1");
    for page in [page, html(&sample(), "for-and-against")] {
        for (strategy, choose, wrong) in advice(&page) {
            let situation = |reason: &String| reason.split(": ").next().unwrap().to_owned();
            let wrong: HashSet<String> = wrong.iter().map(situation).collect();
            let both = choose.iter().map(situation).find(|choose| wrong.contains(choose));
            assert_eq!(both, None, "{strategy}");
        }
    }
}
