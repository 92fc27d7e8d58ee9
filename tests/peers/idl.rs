//! The descriptions that `ninestep idl` prints, in the hands of other systems.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::environment::{python, run};
use crate::support::ServerProcess;

const SCRIPT: &str = "idl/peer.py";

/// A file that was recorded by `tests/idl.rs`.
fn recorded(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/idl").join(name);
    path.into_os_string().into_string().unwrap()
}

fn printed(format: &str) -> PathBuf {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ninestep"));
    let output = command.args(["idl", "--format", format]).output().unwrap();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("peers_idl.{format}"));
    fs::write(&path, output.stdout).unwrap();
    path
}

#[test]
fn thriftpy2_calls_what_is_described() {
    let Some(python) = python() else { return };
    let file = printed("thrift");
    let file = file.to_str().unwrap();
    let server = ServerProcess::serve(&["--protocol", "thrift", "--idl", file]);
    let printed = run(python, SCRIPT, &["thrift", file, &server.address().to_string()]);
    assert_eq!(printed, "15 5 50 2.5\npong Login successful! Hi Jürgen! Bye Jürgen! None\n");
}

#[test]
fn grpcio_calls_what_is_described() {
    let Some(python) = python() else { return };
    let file = printed("proto");
    let file = file.to_str().unwrap();
    let server = ServerProcess::serve(&["--protocol", "grpc", "--idl", file]);
    let printed = run(python, SCRIPT, &["grpc", file, &server.address().to_string()]);
    assert_eq!(printed, "15 2.5\npong Hi Jürgen! True\n");
}

#[test]
fn thriftpy2_reads_types_of_ones_own() {
    let Some(python) = python() else { return };
    assert_eq!(
        run(python, SCRIPT, &["shapes", &recorded("shapes.thrift")]),
        "area count depth first following named shift\nPoint x y label\nFigure Dot Square\n\
         StringAndListPoint item1 item2\n{0: 'Red', 1: 'Green', 2: 'Blue'}\n"
    );
}

#[test]
fn google_s_compiler_reads_the_proto_files() {
    let Some(python) = python() else { return };
    let demo = run(python, SCRIPT, &["proto", &recorded("demo.proto")]);
    assert!(demo.starts_with("Demo Add.AddRequest.AddReply Divide.Divide"), "{demo}");
    assert!(demo.contains("\nLoginRequest username=1 password=2\n"), "{demo}");
    let shapes = run(python, SCRIPT, &["proto", &recorded("shapes.proto")]);
    assert!(shapes.contains(" Shift.ShiftRequest.Point\n"), "{shapes}");
    assert!(shapes.contains("\nFigure Dot=1 Square=2\n"), "{shapes}");
}
