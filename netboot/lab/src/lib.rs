//! The lab: network namespaces, virtual machines with an identity of their own, and the server beside them.
//!
//! Used by `cargo xtask lab` and by the end-to-end tests. It knows the server by its binary, its settings file and
//! its API only. Everything made here is a guard: a namespace, a process or a capture ends when its value is dropped,
//! which an interruption (Ctrl-C, SIGTERM) reaches too, because every wait looks at [`stop`] and returns an error.
//! Needs root, `iproute2`, `util-linux` and QEMU.

#![warn(missing_docs)]

pub mod accelerator;
pub mod advertise;
pub mod capture;
pub mod compare;
pub mod console;
pub mod error;
pub mod forward;
pub mod hardware;
pub mod http;
pub mod install;
pub mod installer;
pub mod ledger;
pub mod machine;
pub mod network;
pub mod peer;
pub mod process;
pub mod qmp;
pub mod relay;
pub mod server;
pub mod site;
pub mod smbios;
pub mod stand_in;
pub mod stop;
pub mod system;
pub mod usage;

pub use accelerator::Accelerator;
pub use console::Console;
pub use error::LabError;
pub use machine::{Firmware, Machine, MachineSpec};
pub use network::Namespace;
pub use process::Process;
pub use usage::Usage;
