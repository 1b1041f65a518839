//! Addresses as installers want them.

use std::net::Ipv4Addr;

use minijinja::Error;

use super::refusal;

/// The mask of an IPv4 prefix length: 24 is 255.255.255.0.
pub(super) fn netmask(prefix: u32) -> Result<String, Error> {
    if prefix > 32 {
        return Err(refusal(format!("{prefix} is no length of an IPv4 prefix")));
    }
    let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
    Ok(Ipv4Addr::from(mask).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks() {
        for (prefix, mask) in [
            (0, "0.0.0.0"),
            (8, "255.0.0.0"),
            (23, "255.255.254.0"),
            (32, "255.255.255.255"),
        ] {
            assert_eq!(netmask(prefix).unwrap(), mask);
        }
        assert!(netmask(33).is_err());
    }
}
