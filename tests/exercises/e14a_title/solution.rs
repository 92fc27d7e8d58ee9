//! Exercise 14a, solved.

use ninestep::Procedures;

// ANCHOR: answer
pub(crate) fn procedures() -> Procedures {
    Procedures::new().on("greet", |name: String, title: Option<String>| match title {
        Some(title) => format!("Hi {title} {name}!"),
        None => format!("Hi {name}!"),
    })
}
// ANCHOR_END: answer
