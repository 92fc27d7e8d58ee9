//! Exercise 5b. Each of these calls is sent alone, and waits for its result before the next one is
//! sent. Let all go out in one write: see `ClientStub::batch`.

use ninestep::{ClientStub, Result};
use serde::de::DeserializeOwned;

pub(crate) fn call_all<T: DeserializeOwned + Send + 'static>(
    stub: &ClientStub,
    procedure: &str,
    arguments: &[(i64, i64)],
) -> Vec<Result<T>> {
    arguments.iter().map(|pair| stub.call(procedure, pair)).collect()
}
