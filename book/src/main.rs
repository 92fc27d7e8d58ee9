//! `cargo book`: the command line of the binder.

#![deny(clippy::unwrap_used, clippy::expect_used)]

use std::env;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use ninestep_book::{check, render, serve};

const USAGE: &str = "\
cargo book                builds the book into target/book
cargo book serve [PORT]   shows it in the browser, anew after each change (port 3000)
cargo book check          looks for faults in it";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run(&arguments).unwrap_or_else(|why| {
        eprintln!("error: {why:#}");
        ExitCode::FAILURE
    })
}

fn run(arguments: &[&str]) -> Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    match arguments {
        [] => {
            let out = render::folder(&root)?;
            render::render(&root, &out)?;
            println!("{}", out.join("index.html").display());
        }
        ["serve"] => serve::serve(&root, 3000)?,
        ["serve", port] => match port.parse() {
            Ok(port) => serve::serve(&root, port)?,
            Err(_) => bail!("{port} is not a port\n{USAGE}"),
        },
        ["check"] => {
            let findings = check::check(&root)?;
            for finding in &findings {
                println!("{finding}");
            }
            if !findings.is_empty() {
                bail!("{} faults in the book", findings.len());
            }
            println!("no fault found");
        }
        ["help" | "--help" | "-h"] => println!("{USAGE}"),
        other => bail!("there is no `cargo book {}`\n{USAGE}", other.join(" ")),
    }
    Ok(ExitCode::SUCCESS)
}
