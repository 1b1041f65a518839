//! The parts of `muster-agent` that tests and fuzz targets reach.

pub mod gather;
