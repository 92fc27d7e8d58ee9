//! Exercise 14a. New clients send a title beside the name. Let old clients, which send the name
//! alone, still be greeted.

use ninestep::Procedures;

pub(crate) fn procedures() -> Procedures {
    Procedures::new().on("greet", |name: String, title: String| format!("Hi {title} {name}!"))
}
