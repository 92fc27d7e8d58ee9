//! Threads or processes? The comparison, measured on the reader's own machine.

pub mod crash_lab;
mod results;

pub use results::{
    Axis, CannotRun, Experiment, Machine, Measured, Point, Remnant, Results, Series, Spread,
    Survival, Survived,
};
