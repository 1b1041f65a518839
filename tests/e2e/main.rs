//! Real virtual machines boot through Muster. Needs root; `cargo xtask test` builds what the tests use.

#![expect(clippy::unwrap_used, reason = "a trial that cannot be set up has failed")]

mod anaconda;
mod boot_bios;
mod boot_local;
mod boot_secure;
mod boot_uefi;
mod cable;
mod console;
mod install;
mod observe;
mod proxy;
mod relay;
mod trial;
