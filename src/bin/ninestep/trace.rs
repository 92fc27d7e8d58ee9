//! `ninestep trace`: one call between two processes, step by step, as text or as a page.

mod page;
mod picture;
mod source;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{ExitCode, exit};
use std::sync::Arc;

use clap::Args;
use ninestep::{Channel, ClientStub, Error, Recorded, Recorder, Value};
use rustix::process::{Pid, Signal, kill_process};

use crate::call::values;
use crate::json_lines;
use crate::tour::Failure;
use crate::tour::process::ServerProcess;
use crate::tour::steps::print;

/// What `ninestep trace` is told.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TraceCall {
    /// Write the steps as one page for a browser to this file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The procedure's name, one of the demo services'.
    procedure: String,
    /// The arguments: each is JSON, or else a text.
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    arguments: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  ninestep trace add 10 5
  ninestep trace --out trace.html sayHi Ada";

/// A call that was watched.
struct Trace {
    /// For instance `add(10, 5)`.
    call: String,
    /// Its result or its fault.
    outcome: String,
    is_fault: bool,
    client: u32,
    server: u32,
    /// In the order of their numbers.
    steps: Vec<Recorded>,
}

impl TraceCall {
    /// Prints the steps, or where the page is.
    pub(crate) fn run(self) -> ExitCode {
        match self.trace().and_then(|trace| self.show(&trace)) {
            Ok(()) => ExitCode::SUCCESS,
            // Nobody reads any more, as after `ninestep trace ping | head`.
            Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                ExitCode::SUCCESS
            }
            Err(failure) => crate::failed(&failure, failure.tip()),
        }
    }

    fn show(&self, trace: &Trace) -> Result<(), Failure> {
        let Some(file) = &self.out else {
            let Trace { call, outcome, steps, .. } = trace;
            let outcome = if trace.is_fault { Err(&**outcome) } else { Ok(&**outcome) };
            return print(&mut anstream::stdout(), steps, call, outcome);
        };
        let page = page::html(trace).map_err(io::Error::other)?;
        fs::write(file, page).map_err(|why| Failure::File { file: file.clone(), why })?;
        anstream::println!("{}", file.display());
        Ok(())
    }

    /// Makes the call from this process to another.
    fn trace(&self) -> Result<Trace, Failure> {
        let server = ServerProcess::start(&["--strategy", "thread", "--trace"])?;
        let server_id = server.process.id();
        end_with_us(server_id);
        let arguments = values(&self.arguments);
        let call = format!("{}({})", self.procedure, joined(&arguments));
        let doing = format!("calling {call}");
        let recorder = Arc::new(Recorder::default());
        let channel = Channel::new(&server.address).observer(recorder.clone());
        let stub = ClientStub::new(&channel).map_err(|error| server.failure(&doing, error))?;
        let result: Result<Value, Error> = stub.call(&self.procedure, arguments);
        let is_fault = result.is_err();
        let outcome = match result {
            Ok(value) => value.to_string(),
            Err(Error::Fault(fault)) => format!("fault {}: {}", fault.code, fault.message),
            Err(error) => return Err(server.failure(&doing, error.with_causes())),
        };
        drop(stub);
        let mut steps = recorder.take();
        steps.extend(server.stop()?.iter().filter_map(|line| json_lines::read(line)));
        // Not by time: the server can have the message before the client tells step 3.
        steps.sort_by_key(|step| step.step);
        let client = std::process::id();
        Ok(Trace { call, outcome, is_fault, client, server: server_id, steps })
    }
}

fn joined(arguments: &[Value]) -> String {
    arguments.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
}

/// Whoever ends this process early ends the server with it.
fn end_with_us(server: u32) {
    let server = i32::try_from(server).ok().and_then(Pid::from_raw);
    let handler = move || {
        if let Some(server) = server {
            // It may have ended by itself.
            let _ = kill_process(server, Signal::TERM);
        }
        exit(130);
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        log::warn!("Ctrl-C will leave a server behind: {error}");
    }
}
