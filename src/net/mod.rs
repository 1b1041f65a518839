//! Sockets. Thin: what to answer is decided in `discovery`.

pub mod dhcp;
mod neighbours;
mod sys;
pub mod syslog;
pub mod tftp;
