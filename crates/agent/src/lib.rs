//! The parts of `muster-agent` that tests and fuzz targets reach, and the lab's stand-in for another installer.

pub mod aside;
pub mod gather;
pub mod init;
pub mod measure;
pub mod net;
pub mod report;
pub mod serve;
pub mod sys;
