//! The comparison: every experiment against real processes, and what becomes of them.
#![cfg(feature = "cli")]

pub mod support;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ninestep::compare::{Comparison, EXPERIMENTS, Effort, Experiment, Measured, Point, Results};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use support::{children_of, eventually};

const STRATEGIES: [&str; 6] =
    ["single", "thread", "thread-pool", "process-fork", "process-spawn", "process-pool"];

/// What a test measures or counts must not be disturbed by the others.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn glance(experiments: &[&str]) -> Comparison {
    Comparison {
        effort: Effort::Glance,
        experiments: experiments.iter().map(|name| (*name).to_owned()).collect(),
        program: env!("CARGO_BIN_EXE_ninestep").into(),
        ..Comparison::new().unwrap()
    }
}

fn experiment<'a>(results: &'a Results, name: &str) -> &'a Experiment {
    results.experiments.iter().find(|experiment| experiment.name == name).expect(name)
}

fn points<'a>(experiment: &'a Experiment, strategy: &str) -> &'a [Point] {
    let series = experiment.series.iter().find(|series| series.strategy == strategy).unwrap();
    match &series.measured {
        Measured::Points(points) => points,
        Measured::CannotRun(why) => panic!("{} under {strategy}: {why:?}", experiment.name),
    }
}

/// A quantity's median at the last place on the axis.
fn median(results: &Results, name: &str, strategy: &str, quantity: &str) -> f64 {
    let experiment = experiment(results, name);
    let names = experiment.quantities.iter().map(|quantity| &*quantity.name);
    let number = names.into_iter().position(|name| name == quantity).expect(quantity);
    points(experiment, strategy).last().unwrap().values[number].median
}

/// Descriptors of this process, and processes that it has started.
fn held() -> (usize, usize) {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().count();
    (descriptors, children_of(std::process::id()).len())
}

/// Experiments in which nothing happened within 50 ms, or somebody who shares no thread was held up:
/// other tests had the cores.
fn disturbed(results: &Results) -> Vec<String> {
    const RATES: [(&str, &str); 4] = [
        ("connections", "connections"),
        ("clients", "calls"),
        ("compute", "calls"),
        ("large-messages", "throughput"),
    ];
    let of_all = |name: &str, quantity: &str| {
        STRATEGIES.map(|strategy| median(results, name, strategy, quantity))
    };
    let is_low = |name: &str, quantity: &str| of_all(name, quantity).iter().any(|it| *it <= 0.0);
    let low = RATES.iter().filter(|(name, quantity)| is_low(name, quantity));
    let mut names: Vec<String> = low.map(|(name, _)| (*name).to_owned()).collect();
    let [_, thread, _, fork, spawn, _] = of_all("slow-client", "calls held up");
    let first = &points(experiment(results, "slow-client"), "thread-pool")[0].values[2];
    if [thread, fork, spawn, first.median].iter().any(|held_up| *held_up > 40.0) {
        names.push("slow-client".to_owned());
    }
    names
}

#[test]
fn every_experiment_yields_sane_points_and_leaves_nothing_behind() {
    let _alone = alone();
    let before = held();
    let mut progress = Vec::new();
    let mut results = glance(&EXPERIMENTS).run(&mut |now| {
        progress.push((now.experiment.to_owned(), now.done, now.of));
    });
    // What the machine was too busy for is measured once more, and once again.
    for _ in 0..2 {
        let names = disturbed(&results);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for again in glance(&names).run(&mut |_| {}).experiments {
            let it = results.experiments.iter_mut().find(|it| it.name == again.name);
            *it.unwrap() = again;
        }
    }
    assert_eq!(held(), before, "(descriptors, processes)");
    assert!(results.complete && results.quick && results.survival.is_none());

    let names: Vec<&str> = results.experiments.iter().map(|it| &*it.name).collect();
    assert_eq!(names, EXPERIMENTS);
    for experiment in &results.experiments {
        let name = &experiment.name;
        for text in [&experiment.title, &experiment.varied, &experiment.held] {
            assert!(!text.is_empty(), "{name}");
        }
        assert!(experiment.expectation.ends_with('.'), "{name}: {}", experiment.expectation);
        let sentences = experiment.meaning.matches(". ").count() + 1;
        assert_eq!(sentences, 2, "{name}: {}", experiment.meaning);
        let strategies: Vec<&str> = experiment.series.iter().map(|it| &*it.strategy).collect();
        assert_eq!(strategies, STRATEGIES, "{name}");
        for strategy in STRATEGIES {
            let points = points(experiment, strategy);
            assert!(!points.is_empty(), "{name} {strategy}");
            assert!(points.is_sorted_by_key(|point| point.at as u64), "{name} {strategy}");
            for point in points {
                assert_eq!(point.values.len(), experiment.quantities.len(), "{name} {strategy}");
                for value in &point.values {
                    let figures = [value.least, value.median, value.most];
                    assert!(figures.iter().all(|it| it.is_finite()), "{name} {strategy} {value:?}");
                    assert!(figures.is_sorted(), "{name} {strategy} {value:?}");
                    assert_eq!(value.runs, 1, "{name} {strategy}");
                }
            }
        }
    }

    let (_, _, all) = progress[0];
    assert_eq!(progress.first().unwrap(), &(results.experiments[0].title.clone(), 0, all));
    assert_eq!(progress.last().unwrap(), &(results.experiments[7].title.clone(), all, all));
    assert!(progress.is_sorted_by_key(|(_, done, _)| *done));

    for strategy in STRATEGIES {
        let figure = |name, quantity| median(&results, name, strategy, quantity);
        let is_pool = strategy.ends_with("pool");
        let has_processes = ["process-fork", "process-spawn"].contains(&strategy);
        let served = |clients: f64| match strategy {
            "single" => 1.0,
            _ if is_pool => clients.min(4.0 * results.machine.cores as f64),
            _ => clients,
        };
        for (name, quantity) in
            [("connections", "connections"), ("clients", "calls"), ("compute", "calls")]
        {
            assert!(figure(name, quantity) > 0.0, "{name} {strategy}");
        }
        assert!(figure("large-messages", "throughput") > 0.0, "{strategy}");
        assert_eq!(figure("clients", "clients answered"), served(12.0), "{strategy}");
        assert_eq!(figure("memory", "connections answered"), served(10.0), "{strategy}");
        let each = figure("memory", "memory per answered connection");
        assert!((1.0..20_000.0).contains(&each), "{strategy}: {each} KiB");

        // The fifth client of a pool of four waits for two calls of another; each takes 10 ms.
        let first_reply = figure("wait", "until the last client's first reply");
        let least = if strategy == "single" {
            90.0
        } else if is_pool {
            30.0
        } else {
            10.0
        };
        assert!(first_reply >= least, "{strategy}: {first_reply} ms");

        // All members of a pool have a slow client, for 300 ms.
        let held_up = figure("slow-client", "calls held up");
        assert_eq!(held_up > 40.0, strategy == "single" || is_pool, "{strategy}: {held_up} %");

        let (highest, counted) = (
            figure("shared-state", "highest count"),
            figure("shared-state", "processes that counted"),
        );
        match strategy {
            "process-pool" => assert!((2.0..20.0).contains(&counted), "{counted}"),
            _ if has_processes => assert_eq!((highest, counted), (1.0, 20.0), "{strategy}"),
            _ => assert_eq!((highest, counted), (20.0, 1.0), "{strategy}"),
        }
    }
    // One slow client has one of a pool's members, and leaves the others.
    let held_up = &points(experiment(&results, "slow-client"), "thread-pool")[0].values[2];
    assert!(held_up.median < 40.0, "{held_up:?}");
}

/// A program that is ninestep, unless its role holds this text.
fn program_without(role: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("without-{role}"));
    let ninestep = env!("CARGO_BIN_EXE_ninestep");
    let script = format!(
        "#!/bin/sh\ncase \"$NINESTEP_COMPARE\" in *{role}*) exit 3;; esac\nexec '{ninestep}' \"$@\"\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_strategy_that_cannot_run_has_its_row_and_the_others_run() {
    let _alone = alone();
    let program = program_without("process-fork");
    let results =
        Comparison { program, ..glance(&["connections", "shared-state"]) }.run(&mut |_| {});
    assert!(results.complete);
    for experiment in &results.experiments {
        for series in &experiment.series {
            match (&*series.strategy, &series.measured) {
                ("process-fork", Measured::CannotRun(why)) => {
                    assert!(why.reason.contains("exit status: 3"), "{why:?}");
                    assert!(why.remedy.contains("run_if_child()"), "{why:?}");
                }
                ("process-fork", measured) => panic!("{measured:?}"),
                (strategy, _) => assert_eq!(points(experiment, strategy).len(), 1),
            }
        }
    }
}

#[test]
fn a_program_that_cannot_be_started_is_a_row_too() {
    let _alone = alone();
    let comparison = Comparison { program: "/nonexistent".into(), ..glance(&["wait"]) };
    let results = comparison.run(&mut |_| {});
    for series in &results.experiments[0].series {
        let Measured::CannotRun(why) = &series.measured else { panic!("{series:?}") };
        assert!(why.reason.starts_with("a process cannot be started: "), "{why:?}");
    }
}

#[test]
fn an_interrupted_comparison_keeps_what_it_has() {
    let _alone = alone();
    let before = held();
    let comparison = glance(&["wait", "memory", "shared-state"]);
    let interrupted = comparison.interrupted.clone();
    let results = comparison.run(&mut |now| {
        // In the second experiment, when three of its six strategies have been measured.
        if now.done == 9 {
            interrupted.store(true, Ordering::Relaxed);
        }
    });
    assert_eq!(held(), before, "(descriptors, processes)");
    assert!(!results.complete);
    let names: Vec<&str> = results.experiments.iter().map(|it| &*it.name).collect();
    assert_eq!(names, ["wait", "memory"]);
    for (number, strategy) in STRATEGIES.into_iter().enumerate() {
        assert_eq!(points(&results.experiments[0], strategy).len(), 1);
        match &results.experiments[1].series[number].measured {
            Measured::Points(points) => assert!(number < 3 && points.len() == 1, "{strategy}"),
            Measured::CannotRun(why) => {
                assert!(number >= 3 && why.reason.contains("interrupted"), "{why:?}");
            }
        }
    }
}

/// `ninestep compare` in a process of its own, which is killed when this is dropped.
struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    /// Stands in the environment of all its processes.
    mark: String,
    out: PathBuf,
}

impl Running {
    fn start(name: &str, experiments: &[&str]) -> Running {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&out);
        let mark = format!("NINESTEP_TEST={name}-{}", std::process::id());
        let (variable, value) = mark.split_once('=').unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ninestep"));
        command.args(["compare", "--quick", "--out"]).arg(&out).env(variable, value);
        command.args(experiments.iter().flat_map(|name| ["--only", name]));
        let printed = File::create(out.with_extension("txt")).unwrap();
        command.stdin(Stdio::null()).stdout(printed).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Running { child, stderr, mark, out }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The next line on standard error: one for each experiment that begins.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        line
    }

    /// All its processes.
    fn processes(&self) -> Vec<u32> {
        let pids = fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let is_marked = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == self.mark.as_bytes())
        };
        pids.filter(is_marked).collect()
    }

    /// Waits for its end.
    fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the end of the comparison", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    fn printed(&self) -> String {
        fs::read_to_string(self.out.with_extension("txt")).unwrap()
    }

    fn results(&self) -> Results {
        serde_json::from_slice(&fs::read(self.out.join("results.json")).unwrap()).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended, as it should.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn ctrl_c_leaves_no_process_behind_and_keeps_the_results() {
    let _alone = alone();
    let mut running = Running::start("interrupted", &["shared-state", "slow-client"]);
    assert_eq!(running.line(), "Whose counter is it?\n");
    assert_eq!(running.line(), "Who waits for a slow client?\n");
    // The command, a server and a load for each strategy; process strategies have more.
    eventually("all strategies run", || running.processes().len() > 2 * STRATEGIES.len());
    running.signal(Signal::INT);
    assert_eq!(running.ended().code(), Some(130));
    assert_eq!(running.processes(), [0_u32; 0]);

    let results = running.results();
    assert!(!results.complete);
    assert_eq!(median(&results, "shared-state", "thread", "highest count"), 50.0);
    let report = running.out.join("report.html");
    assert!(running.printed().contains(&*report.to_string_lossy()), "{}", running.printed());
    assert!(running.printed().contains("interrupted"));
    assert!(report.exists() && running.out.join("shared-state.csv").exists());
}

#[test]
fn a_comparison_that_is_killed_takes_its_processes_with_it() {
    let _alone = alone();
    let mut running = Running::start("killed", &["slow-client"]);
    assert_eq!(running.line(), "Who waits for a slow client?\n");
    eventually("all strategies run", || running.processes().len() > 2 * STRATEGIES.len());
    running.signal(Signal::KILL);
    running.ended();
    eventually("the processes have ended", || running.processes().is_empty());
}

#[test]
fn too_few_descriptors_are_a_row_with_the_remedy() {
    let _alone = alone();
    let mut running = Running::start("descriptors", &["clients", "shared-state"]);
    assert_eq!(running.line(), "How many calls a second, and how long does each take?\n");
    // It comes to 256 clients after some seconds with 1 and with 16.
    let few = Rlimit { current: Some(128), maximum: Some(128) };
    prlimit(Some(Pid::from_child(&running.child)), Resource::Nofile, few).unwrap();
    assert_eq!(running.line(), "Whose counter is it?\n");
    assert!(running.ended().success());
    let results = running.results();
    for series in &experiment(&results, "clients").series {
        let Measured::CannotRun(why) = &series.measured else { panic!("{series:?}") };
        assert!(why.reason.contains("256 clients need") && why.reason.contains("128"), "{why:?}");
        assert!(why.remedy.contains("ulimit -n"), "{why:?}");
    }
    for strategy in STRATEGIES {
        assert_eq!(points(experiment(&results, "shared-state"), strategy).len(), 1);
    }
    assert!(running.printed().contains("ulimit -n"), "{}", running.printed());
}

#[test]
fn what_cannot_be_compared_is_said_before_anything_is_measured() {
    let _alone = alone();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ninestep"));
        let output = command.arg("compare").args(arguments).stdin(Stdio::null()).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
        String::from_utf8(output.stderr).unwrap()
    };
    let unknown = run(&["--only", "speed"]);
    assert!(unknown.contains("slow-client"), "the names that there are: {unknown}");
    let file = run(&["--out", "/dev/null/compare"]);
    assert!(file.contains("--out"), "{file}");
}
