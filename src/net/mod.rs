//! Sockets. Thin: what to answer is decided in `discovery`.

pub mod tftp;
