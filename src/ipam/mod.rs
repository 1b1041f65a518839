//! Subnets, leases and the choice of an address. Pure: the caller brings time and state.

mod jump;
mod leases;
mod pool;
mod subnet;
#[cfg(test)]
mod tests;

pub use jump::JumpWatch;
pub use leases::{Bound, Chosen, ClientWords, Leases, NoAddress, SubnetNo, Usage};
pub use subnet::{AddressRange, Lease, LeaseState, Mode, Reservation, Subnet};
