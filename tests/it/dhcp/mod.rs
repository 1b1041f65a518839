//! DHCP by the use case, without and with sockets: every real capture, every mode, every state of a client.

mod hosts;
mod replay;
pub(crate) mod rig;
mod socket;
mod states;
mod verdicts;
