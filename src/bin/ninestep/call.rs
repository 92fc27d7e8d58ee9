//! `ninestep call`: one call, its result as JSON.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ninestep::{Channel, ClientStub, Error, Result, Value};

use crate::trace::JsonLines;

/// What `ninestep call` is told.
#[derive(Args)]
pub(crate) struct Call {
    /// Give up after this many seconds; the default is to wait for ever.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// Print steps 1 to 3, 8 and 9 as JSON lines on standard error.
    #[arg(long)]
    trace: bool,
    /// Where the server listens, for instance 127.0.0.1:9000.
    #[arg(value_name = "ADDR")]
    address: String,
    /// The procedure's name.
    method: String,
    /// The arguments: JSON, or else a text.
    #[arg(value_name = "ARG", allow_hyphen_values = true, trailing_var_arg = true)]
    arguments: Vec<String>,
}

impl Call {
    /// Prints the result and succeeds; or prints a fault and exits with 1, any other error with 2.
    pub(crate) fn run(self) -> ExitCode {
        match self.call() {
            Ok(result) => {
                // Every value of the wire has a JSON form: bytes become numbers.
                println!(
                    "{}",
                    serde_json::to_string(&result).unwrap_or_else(|_| result.to_string())
                );
                ExitCode::SUCCESS
            }
            Err(Error::Fault(fault)) => {
                anstream::eprintln!("fault {}: {}", fault.code, fault.message);
                ExitCode::from(1)
            }
            Err(error) => crate::failed(&error),
        }
    }

    fn call(&self) -> Result<Value> {
        let mut channel = Channel::new(&self.address);
        // A time that is no duration (negative, or beyond measure) is for ever.
        if let Some(timeout) = self.timeout.and_then(|s| Duration::try_from_secs_f64(s).ok()) {
            channel = channel.call_timeout(timeout);
        }
        if self.trace {
            channel = channel.observer(Arc::new(JsonLines));
        }
        let arguments: Vec<Value> = self.arguments.iter().map(|text| json_or_text(text)).collect();
        ClientStub::new(&channel)?.call(&self.method, arguments)
    }
}

fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}
