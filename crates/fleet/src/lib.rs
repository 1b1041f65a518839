//! Simulated machines that boot by real DHCP, TFTP and HTTP and report believable, distinct hardware.
//!
//! One [`Fleet`] runs from one to ten thousand [`Machine`]s in one process. They reach the server as a
//! DHCP relay agent would (RFC 2131 §4.1, giaddr set), so that all of them can share one address: on
//! loopback without root, or in a network namespace. Each machine is made from its number and the seed
//! alone, so that the same fleet can be run again and compared with the ledger.

pub mod agents;
mod boot;
pub mod clients;
pub mod hardware;
pub mod ipxe;
mod machine;
mod mix;
mod run;
pub mod trial;

pub use machine::{Firmware, Machine, Outcome, Stage};
pub use mix::{Fault, Mix, MixParseError};
pub use run::{Fleet, FleetError, FleetPlan, Summary};
