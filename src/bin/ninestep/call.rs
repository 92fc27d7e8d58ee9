//! `ninestep call`: one call, its result as JSON.

use std::io::{self, ErrorKind, Write};
use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ninestep::{Channel, ClientStub, Error, Fault, Result, Value};

use crate::json_lines::JsonLines;
use crate::protocol::Protocol;

/// What `ninestep call` is told.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Call {
    #[command(flatten)]
    protocol: Protocol,
    /// Give up after this many seconds; the default is to wait for ever.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Print steps 1 to 3, 8 and 9 as JSON lines on standard error.
    #[arg(long)]
    trace: bool,
    /// Where the server listens, for instance 127.0.0.1:9000; over HTTP maybe with a path.
    #[arg(value_name = "ADDR")]
    address: String,
    /// The procedure's name.
    method: String,
    /// The arguments: each is JSON, or else a text.
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    arguments: Vec<String>,
}

/// What an address looks like.
const HOST_PORT: &str = "ADDR is HOST:PORT, for instance 127.0.0.1:9000";

/// What a caller must know before calling again.
const AGAIN: &str = "the server may have executed the call all the same";

const EXAMPLES: &str = r#"Examples:
  ninestep call 127.0.0.1:9000 add 10 5
  ninestep call 127.0.0.1:9000 sayHi Ada
  ninestep call 127.0.0.1:9000 echo '{"list": [1, 2.5, null]}'
  ninestep call --protocol json-rpc http://127.0.0.1:9000/ add 10 5
  ninestep call --protocol thrift --idl demo.thrift 127.0.0.1:9000 divide 10 4
  ninestep call --protocol grpc 127.0.0.1:9000 Calculator/Add 10 5
  ninestep call --timeout 0.5 127.0.0.1:9000 sleep 1000

Exit codes:
  0  the procedure returned its result, which is on standard output
  1  the server answered with a fault
  2  no answer came, or one that JSON cannot write, or the command line is wrong"#;

impl Call {
    /// Prints the result and succeeds; or prints a fault and exits with 1, any other error with 2.
    pub(crate) fn run(self) -> ExitCode {
        if let Some(code) =
            self.protocol.mistake().or_else(|| self.protocol.mistake_in(&self.address))
        {
            return code;
        }
        match self.call() {
            Ok(result) => {
                if let Some(number) = without_json(&result) {
                    return crate::failed(
                        format!(
                            "the number {number:?} is in the result, and JSON has no form for it"
                        ),
                        "the server executed the call; a program can read such a result",
                    );
                }
                // Every other value of the wire has a JSON form: bytes become numbers.
                let json = serde_json::to_string(&result).unwrap_or_else(|_| result.to_string());
                // Nobody may be left who wants to know.
                let _ = writeln!(io::stdout(), "{json}");
                ExitCode::SUCCESS
            }
            Err(Error::Fault(fault)) => {
                anstream::eprintln!("fault {}: {}", fault.code, fault.message);
                if fault.code == Fault::NO_SUCH_PROCEDURE {
                    crate::tip(
                        "is the name right? `ninestep serve --help` lists the procedures of its \
                         servers; another's are in its description",
                    );
                }
                ExitCode::from(1)
            }
            Err(error) => crate::failed(error.with_causes(), self.tip(&error)),
        }
    }

    fn call(&self) -> Result<Value> {
        let address = self.address.strip_prefix("http://").unwrap_or(&self.address);
        let (host, path) = address.split_at(address.find('/').unwrap_or(address.len()));
        let mut channel = self.protocol.channel(Channel::new(host));
        if !path.is_empty() {
            channel = channel.path(path);
        }
        if let Some(timeout) = self.timeout {
            channel = channel.call_timeout(timeout);
        }
        if self.trace {
            channel = channel.observer(Arc::new(JsonLines));
        }
        ClientStub::new(&channel)?.call(&self.method, values(&self.arguments))
    }

    /// What a person can do about a call without an answer.
    fn tip(&self, error: &Error) -> String {
        match error {
            Error::Connect { address, source } => {
                let host = address.rsplit_once(':').map_or("", |(host, _)| host);
                match source.kind() {
                    ErrorKind::ConnectionRefused if is_this_machine(host) => format!(
                        "is a server running? `ninestep serve --listen {address}` starts one"
                    ),
                    ErrorKind::ConnectionRefused => {
                        "no server listens there: is the address right, and is the server running?"
                            .to_owned()
                    }
                    ErrorKind::InvalidInput => HOST_PORT.to_owned(),
                    _ if host.is_empty() => HOST_PORT.to_owned(),
                    // What the operating system says of a name has no number.
                    _ if source.raw_os_error().is_none() && host.parse::<IpAddr>().is_err() => {
                        format!("is the name right? This machine knows no address of {host:?}")
                    }
                    _ => {
                        "is the address right, and does the network reach that machine?".to_owned()
                    }
                }
            }
            Error::Protocol(_) => {
                "does the server speak this --protocol, and at this path?".to_owned()
            }
            Error::Pack(_) => "nothing was sent: give other arguments".to_owned(),
            Error::Timeout(_) => format!("{AGAIN}; a larger --timeout waits longer"),
            _ => AGAIN.to_owned(),
        }
    }
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.filter(|time| !time.is_zero()).ok_or("not a number of seconds above 0")
}

/// Whether a host is this machine for certain, and a server could be started there.
fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The first number that JSON cannot write: one that is infinite, or none at all.
fn without_json(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => (!number.is_finite()).then_some(*number),
        Value::List(items) => items.iter().find_map(without_json),
        Value::Map(pairs) => pairs.iter().find_map(|(_, value)| without_json(value)),
        _ => None,
    }
}

/// The arguments: each is JSON, or else a text. Of one that looks as if JSON was meant it is said.
pub(crate) fn values(arguments: &[String]) -> Vec<Value> {
    let value = |(index, text): (usize, &String)| {
        serde_json::from_str(text).unwrap_or_else(|error| {
            if text.trim_start().starts_with(['{', '[', '"']) {
                let number = index + 1;
                crate::warn(format!(
                    "argument {number} is no JSON, so it is sent as text: {error}"
                ));
            }
            Value::from(text.as_str())
        })
    };
    arguments.iter().enumerate().map(value).collect()
}
