//! The numbered examples, and their executables.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// Where they stand.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// The names, without their endings, of the files in `folder` that end so.
pub fn names(folder: &Path, ending: &str) -> BTreeSet<String> {
    let files = fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(ending).map(str::to_owned)).collect()
}

/// The names of all.
pub fn examples() -> BTreeSet<String> {
    names(&folder(), ".rs")
}

/// The folder of this build's executables: `target/debug`, wherever and whatever it is called.
fn build_folder() -> PathBuf {
    let test = env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().to_owned()
}

/// An example's executable. `cargo test` has built it, `cargo test --test examples` has not: then
/// it is missing or old, and cargo is asked to build all.
pub fn executable(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let is_old = |name: &String| !is_fresh(&build_folder().join("examples").join(name));
        let of_several_files = ["break_it", "first_server"].map(str::to_owned);
        if examples().iter().chain(&of_several_files).any(is_old) {
            build();
        }
    });
    let executable = build_folder().join("examples").join(name);
    assert!(executable.exists(), "{name} is not built: run `cargo build --examples` first");
    executable
}

/// Whether an executable is younger than every source that cargo notes in the file beside it.
fn is_fresh(executable: &Path) -> bool {
    let age = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    let Ok(note) = fs::read_to_string(executable.with_extension("d")) else { return false };
    let sources = note.split_once(": ").map_or("", |(_, sources)| sources).trim();
    // A space inside a path is escaped, one between two paths is not.
    let sources = sources.replace("\\ ", "\0");
    let Some(built) = age(executable) else { return false };
    sources.split(' ').all(|source| {
        let changed = age(Path::new(&source.replace('\0', " ")));
        changed.unwrap_or_else(SystemTime::now) <= built
    })
}

fn build() {
    let folder = build_folder();
    let profile = match folder.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        other => other,
    };
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--examples", "--profile", profile, "--target-dir"])
        .arg(folder.parent().unwrap())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(status.unwrap().success(), "the examples do not compile");
}
