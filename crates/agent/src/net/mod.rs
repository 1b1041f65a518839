//! The network of the collection image: interfaces, addresses by DHCP, routes.

pub mod dhcp;
pub mod link;
pub mod netlink;
pub mod port;
