//! Texts made from the ledger for machines to read. Templates are strict and never touch a file or the network.

pub mod answer;
mod boot_script;
mod boot_text;

pub use boot_script::{BootScript, MenuItem, ScriptLanguage, render_boot_script, render_grub_start};
