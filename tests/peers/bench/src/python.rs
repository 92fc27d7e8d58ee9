//! The tutorials' servers and clients in Python, from the environment of the tests in
//! `tests/peers/`, which they make at their first run.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::Result;
use crate::compare::{TURN, WARM_UP};

/// Becomes the tutorial's server, whose listening says `listening on ADDRESS`.
pub(crate) fn serve(system: &str) -> Result<()> {
    // Some servers write a line for each call, as the tutorials have it; nobody reads them.
    let mut python = python(&format!("{system}/rpc_server.py"))?;
    // The one for gRPC has two roles.
    Err(python.arg("calculator").stderr(Stdio::null()).exec().into())
}

/// Becomes a client that makes one call at a time, and prints how it went.
pub(crate) fn client(system: &str, address: &str) -> Result<()> {
    // In one turn as the others have it a slow server answers a few times only.
    let seconds = [WARM_UP, 3 * TURN].map(|time| time.as_secs_f64().to_string());
    let mut python = python("bench/clients.py")?;
    Err(python.args([system, address]).args(seconds).exec().into())
}

fn python(script: &str) -> Result<Command> {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no parent")?;
    let target = match env::var_os("CARGO_TARGET_DIR") {
        Some(target) => PathBuf::from(target),
        None => peers.join("../../target"),
    };
    let python = target.join("peers/venv/bin/python");
    if fs::metadata(&python).is_err() {
        return Err("no Python with its packages: `cargo test --test peers` makes it".into());
    }
    let mut command = Command::new(python);
    command.arg("-B").arg(peers.join(script)).env("PYTHONIOENCODING", "utf-8");
    Ok(command)
}
