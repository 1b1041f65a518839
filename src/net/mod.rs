//! Sockets. Thin: what to answer is decided in `discovery`.

mod neighbours;
pub mod tftp;
