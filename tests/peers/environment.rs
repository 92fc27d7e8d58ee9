//! A virtual environment with the foreign systems, made on first use under `target/`.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const REQUIREMENTS: &str = include_str!("requirements.txt");
/// What a person can do instead.
const OR_SKIP: &str = "or set NINESTEP_SKIP_PEERS=1 to leave these tests out";

/// Python with everything that `requirements.txt` names; `None` if these tests are to be skipped,
/// which is said.
///
/// # Panics
/// There is no Python, or the packages cannot be had: the text says what to do.
pub fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    if std::env::var_os("NINESTEP_SKIP_PEERS").is_some_and(|skip| skip == "1") {
        // Past the test harness, which shows what `eprintln!` says only when a test fails.
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let line = format!("{test}: SKIPPED, because NINESTEP_SKIP_PEERS is 1\n");
        let _ = io::stderr().write_all(line.as_bytes());
        return None;
    }
    Some(PYTHON.get_or_init(environment))
}

/// The path of a script, or of a file that one reads.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name)
}

/// Runs a script to its end and returns what it prints.
///
/// # Panics
/// It fails.
#[track_caller]
pub fn run(python: &Path, script: &str, arguments: &[&str]) -> String {
    let output = command(python, script, arguments).output().expect("Python starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} {arguments:?} failed:\n{errors}");
    String::from_utf8(output.stdout).expect("it prints text")
}

/// A script with arguments, ready to be started.
pub fn command(python: &Path, script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(python);
    // No `__pycache__` beside the source, and text comes out as UTF-8 in every locale.
    command.arg("-B").arg(file(script)).args(arguments).env("PYTHONIOENCODING", "utf-8");
    command
}

fn environment() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in target");
    let folder = target.join("peers");
    fs::create_dir_all(&folder).expect("target can be written");
    // Other test programs may be about to do the same.
    let lock = File::create(folder.join("lock")).expect("target can be written");
    lock.lock().expect("a file can be locked");
    let (venv, stamp) = (folder.join("venv"), folder.join("installed.txt"));
    let python = venv.join("bin").join("python");
    let is_installed = || fs::read_to_string(&stamp).is_ok_and(|had| had == REQUIREMENTS);
    if is_installed() && runs(Command::new(&python).arg("--version")).is_ok() {
        return python;
    }
    let _ = fs::remove_file(&stamp);
    if let Err(why) = runs(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv)) {
        panic!(
            "the foreign systems need Python 3.9 or later with its venv module: install it (on \
             Debian `apt-get install python3 python3-venv`), {OR_SKIP}; {why}"
        );
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    if let Err(why) = runs(Command::new(&python).args(pip).arg(file("requirements.txt"))) {
        panic!(
            "pip could not install what tests/peers/requirements.txt names, for which it needs \
             the package index once: connect this machine, {OR_SKIP}; {why}"
        );
    }
    fs::write(&stamp, REQUIREMENTS).expect("target can be written");
    python
}

fn runs(command: &mut Command) -> Result<Output, String> {
    let program = command.get_program().display().to_string();
    let output = command.output().map_err(|why| match why.kind() {
        ErrorKind::NotFound => format!("{program} is not found"),
        _ => format!("{program} cannot be started: {why}"),
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{program} said: {}", String::from_utf8_lossy(&said)))
}
