//! `ninestep idl`: the demo services' description for other systems.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use ninestep::{Procedures, demo, idl};

/// What `ninestep idl` is told.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Idl {
    /// For which system the description is.
    #[arg(long)]
    format: Format,
    /// The name of the service.
    #[arg(long, default_value = "Demo")]
    service: String,
    /// Describe `panic`, `abort`, `overflow`, `leak` and `spin` too.
    #[arg(long)]
    with_trouble: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A Thrift file.
    Thrift,
    /// A Protocol Buffers file, for gRPC.
    Proto,
    /// An OpenRPC document, for JSON-RPC.
    Openrpc,
}

const EXAMPLES: &str = "\
Examples:
  ninestep idl --format thrift > demo.thrift
  ninestep serve --protocol thrift --idl demo.thrift";

impl Idl {
    /// Prints the description.
    pub(crate) fn run(self) -> ExitCode {
        // An OpenRPC document has a title, which is any text.
        if !matches!(self.format, Format::Openrpc) && !is_identifier(&self.service) {
            return crate::failed(
                format!("--service {:?} cannot be the name of a service there", self.service),
                "a name is made of the letters a to z and A to Z, digits and underscores, and does \
                 not begin with a digit",
            );
        }
        let trouble = if self.with_trouble { demo::trouble() } else { Procedures::new() };
        let procedures = demo::procedures().and(trouble);
        let text = match self.format {
            Format::Thrift => idl::thrift(&procedures, &self.service),
            Format::Proto => idl::proto(&procedures, &self.service),
            Format::Openrpc => idl::openrpc(&procedures, &self.service),
        };
        // Nobody may be left who wants to know.
        let _ = io::stdout().write_all(text.as_bytes());
        ExitCode::SUCCESS
    }
}

fn is_identifier(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(is_part)
}
