//! The crash lab: one client makes trouble, eight neighbours are connected meanwhile.
//!
//! Chapter 14. Every row is a server of its own: this program, started again.

use std::ops::ControlFlow;

use ninestep::compare::crash_lab::{CrashLab, Trouble, serve_if_server};

fn main() {
    serve_if_server();
    let lab = CrashLab { troubles: Trouble::ALL.to_vec(), ..CrashLab::default() };
    lab.run(|row| {
        println!("{row:?}");
        ControlFlow::Continue(())
    });
}
