//! Texts made from the ledger for machines to read. Templates are strict and never touch a file or the network.

pub mod answer;
mod boot_script;

pub use boot_script::{BootScript, render_boot_script};
