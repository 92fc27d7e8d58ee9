//! The tour.

use std::process::ExitCode;

/// Runs the tour.
pub(crate) fn run() -> ExitCode {
    ExitCode::SUCCESS
}
