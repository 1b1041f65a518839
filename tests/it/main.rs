//! Tests of behaviour, one module each.

mod cli;
mod tftp;
