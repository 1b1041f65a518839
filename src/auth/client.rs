use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// Where a caller comes from, as far as it cannot change that at will: an IPv4 address, or the /64 of an IPv6 address,
/// all of which belongs to one network (RFC 4291, section 2.5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// Of the address that a connection comes from. An IPv4 address in IPv6 notation is the IPv4 address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(IpAddr::V4(address)),
            IpAddr::V6(address) => {
                let network = address.to_bits() & !(u64::MAX as u128);
                Self(IpAddr::V6(Ipv6Addr::from_bits(network)))
            }
        }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_is_one_client() {
        let shown = |text: &str| ClientAddress::of(text.parse().unwrap()).to_string();
        assert_eq!(shown("10.77.0.1"), "10.77.0.1");
        assert_eq!(shown("::ffff:10.77.0.1"), "10.77.0.1");
        assert_eq!(shown("2001:db8:1:2:aaaa::1"), "2001:db8:1:2::/64");
        assert_eq!(shown("2001:db8:1:2:bbbb::9"), shown("2001:db8:1:2::"));
        assert_ne!(shown("2001:db8:1:3::1"), shown("2001:db8:1:2::1"));
    }
}
