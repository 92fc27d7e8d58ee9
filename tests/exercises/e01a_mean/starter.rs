//! Exercise 1a. `mean` divides 0 by 0 when it is given nothing. Let it refuse with the fault 1,
//! `no numbers`: a procedure that can refuse returns `Result<f64, Fault>`.

use ninestep::Procedures;

pub(crate) fn procedures() -> Procedures {
    Procedures::new()
        .on("mean", |numbers: Vec<f64>| numbers.iter().sum::<f64>() / numbers.len() as f64)
}
