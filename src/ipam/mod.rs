//! Subnets, leases and the choice of an address. Pure: the caller brings time and state.

mod choice;
mod jump;
mod leases;
mod pool;
mod subnet;
#[cfg(test)]
mod tests;

pub use choice::{Chosen, NoAddress};
pub use jump::JumpWatch;
pub use leases::{Bound, ClientWords, Leases, SubnetNo, Usage};
pub use subnet::{AddressRange, Lease, LeaseState, Mode, Reservation, Subnet};
