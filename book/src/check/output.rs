//! Output that a page shows is what its example prints now.
//!
//! What differs from run to run is masked on both sides, as `tests/examples.rs` does it.

#[path = "../../../tests/mask/mod.rs"]
mod mask;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};

use super::{Book, Finding};
use crate::page::Page;
use mask::mask;

const SHOWN: &str = "examples/expected/";
/// An example ends by itself.
const MOST_TIME: Duration = Duration::from_secs(30);

pub(super) fn check(book: &Book<'_>, findings: &mut Vec<Finding>) -> Result<()> {
    let mut done = BTreeSet::new();
    let mut programs = None;
    for page in &book.pages {
        for include in page.directives() {
            let Some(file) = page.resolve(include.file) else { continue };
            let Some(name) = file.strip_prefix(SHOWN).and_then(|file| file.strip_suffix(".txt"))
            else {
                continue;
            };
            if !book.root.join(&file).is_file() || !done.insert(name.to_owned()) {
                continue;
            }
            let programs = match &mut programs {
                Some(programs) => programs,
                none => none.insert(build(book.root)?),
            };
            let Some((program, number)) = program(programs, name) else {
                findings.push(page.finding(include.at, format!("no example prints {file}")));
                continue;
            };
            let printed = run(program, number).with_context(|| name.to_owned())?;
            let shown = Page::read(book.root, &file)?;
            findings.extend(difference(&shown, &printed));
        }
    }
    Ok(())
}

/// The first line that an example prints otherwise than the page shows it.
fn difference(shown: &Page, printed: &str) -> Option<Finding> {
    let (expected, printed) = (mask(&shown.text), mask(printed));
    if expected == printed {
        return None;
    }
    let same = expected.lines().zip(printed.lines()).take_while(|(a, b)| a == b).count();
    let line = printed.lines().nth(same).unwrap_or("nothing more");
    let what = format!("the example prints now: {line}");
    Some(Finding { file: shown.file.clone(), line: same + 1, what })
}

/// `03_frames` is that example's output, `break_it_03` that of the third part of `break_it`.
fn program<'a>(
    programs: &'a BTreeMap<String, PathBuf>,
    name: &'a str,
) -> Option<(&'a Path, Option<&'a str>)> {
    if let Some(program) = programs.get(name) {
        return Some((program, None));
    }
    let (name, number) = name.rsplit_once('_')?;
    programs.get(name).map(|program| (program.as_path(), Some(number.trim_start_matches('0'))))
}

/// Builds all examples; their names and executables.
fn build(root: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--examples", "--message-format=json-render-diagnostics"]);
    let output = cargo.current_dir(root).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the examples do not compile");
    let mut programs = BTreeMap::new();
    for message in output.stdout.split(|&byte| byte == b'\n') {
        let Ok(message) = serde_json::from_slice::<serde_json::Value>(message) else { continue };
        let (target, executable) = (&message["target"], &message["executable"]);
        if let (Some(name), Some(path)) = (target["name"].as_str(), executable.as_str())
            && target["kind"][0] == "example"
        {
            programs.insert(name.to_owned(), PathBuf::from(path));
        }
    }
    Ok(programs)
}

/// What a program prints; it is ended when it takes too long.
fn run(program: &Path, number: Option<&str>) -> Result<String> {
    let mut command = Command::new(program);
    command.args(number).env_remove("RUST_LOG").process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn()?;
    let group = Pid::from_child(&child);
    let (tell, told) = channel();
    thread::spawn(move || tell.send(child.wait_with_output()));
    let Ok(output) = told.recv_timeout(MOST_TIME) else {
        kill_process_group(group, Signal::KILL)?;
        bail!("not over after {MOST_TIME:?}");
    };
    let output = output?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}\n{errors}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}
