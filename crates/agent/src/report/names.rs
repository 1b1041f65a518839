//! From the server's name to its addresses.
//!
//! A static program should not use the C library's resolver on a system it was not built for: that one loads the
//! system's own modules (`libnss_…`), which belong to another C library. So an address is taken as it is, and for a name
//! the system's own `getent` is asked, which knows all that this system knows: files, DNS, directories. Where there is
//! none, in the collection image, there are no such modules either, and the C library is asked.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::process::{Command, Stdio};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::aside;

/// Addresses of one name that are tried.
const MOST: usize = 8;

/// The resolver.
#[derive(Debug)]
pub(super) struct Names;

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?.to_owned();
        let port = uri
            .port_u16()
            .unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let addresses = match literal(&host) {
            Some(address) => vec![address],
            // A name server that keeps silent takes no longer than the whole request may.
            None => aside::start("getent", move || ask(&host))
                .wait(*timeout.after)
                .map_err(|_| ureq::Error::HostNotFound)?,
        };
        let mut found = self.empty();
        for address in addresses.into_iter().take(MOST) {
            found.push(SocketAddr::new(address, port));
        }
        if found.is_empty() {
            return Err(ureq::Error::HostNotFound);
        }
        Ok(found)
    }
}

/// An address as it stands in a URL: IPv6 in brackets (RFC 3986, section 3.2.2).
fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn ask(name: &str) -> Vec<IpAddr> {
    let told = Command::new("getent")
        .args(["ahosts", "--", name])
        // The token, where it was given in the environment, is no business of other programs.
        .env_remove("MUSTER_TOKEN")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    match told {
        Ok(told) => addresses(&String::from_utf8_lossy(&told.stdout)),
        Err(_) => (name, 0)
            .to_socket_addrs()
            .map_or_else(|_| Vec::new(), |found| found.map(|address| address.ip()).collect()),
    }
}

/// The addresses in what `getent ahosts` prints: a line for each address and kind of socket, the address first.
fn addresses(text: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for address in text
        .lines()
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
    {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_nobody() {
        assert_eq!(literal("10.77.0.1"), Some("10.77.0.1".parse().unwrap()));
        assert_eq!(literal("[fd00::1]"), Some("fd00::1".parse().unwrap()));
        assert_eq!(literal("muster.lab"), None);
    }

    #[test]
    fn each_address_of_a_name_is_there_once() {
        let told = "10.77.0.1       STREAM muster.lab\n10.77.0.1       DGRAM\nfd00::1         STREAM\nnonsense\n";
        let expected: Vec<IpAddr> = vec!["10.77.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
        assert_eq!(addresses(told), expected);
    }

    #[test]
    fn the_system_knows_its_own_name() {
        assert!(ask("localhost").iter().all(IpAddr::is_loopback));
    }
}
