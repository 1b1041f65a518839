//! HTTP edges: machines (`boot`), programs (`api`) and people (`ui`).

pub mod boot;
mod problem;

pub use problem::Problem;
