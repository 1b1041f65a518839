//! HTTP edges: machines (`boot`), programs (`api`) and people (`ui`).

mod problem;

pub use problem::Problem;
