//! Subnets, leases and the choice of an address. Pure: the caller brings time and state.

mod subnet;

pub use subnet::{AddressRange, Lease, LeaseState, Mode, Reservation, Subnet};
