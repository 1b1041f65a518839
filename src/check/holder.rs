use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

use serde::Serialize;

/// Of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Streams.
    Tcp,
    /// Datagrams.
    Udp,
}

impl Protocol {
    /// The word in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// The process that has a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its name, as the kernel keeps it: 15 bytes at most.
    pub name: String,
    /// Its id.
    pub pid: u32,
}

/// Who listens where `address` would: `None` when nobody does, or when we may not look into that process.
#[must_use]
pub fn holder(protocol: Protocol, address: SocketAddr) -> Option<Holder> {
    holder_under(Path::new("/proc"), protocol, address)
}

fn holder_under(proc: &Path, protocol: Protocol, address: SocketAddr) -> Option<Holder> {
    let inodes: Vec<String> = ["", "6"]
        .iter()
        .filter_map(|family| fs::read_to_string(proc.join(format!("net/{}{family}", protocol.as_str()))).ok())
        .flat_map(|table| {
            table
                .lines()
                .skip(1)
                .filter_map(|line| inode_in_the_way(line, protocol, address))
                .collect::<Vec<_>>()
        })
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    fs::read_dir(proc)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| {
            fs::read_dir(proc.join(format!("{pid}/fd"))).is_ok_and(|descriptors| {
                descriptors.filter_map(Result::ok).any(|descriptor| {
                    fs::read_link(descriptor.path())
                        .is_ok_and(|target| inodes.iter().any(|inode| target.as_os_str() == inode.as_str()))
                })
            })
        })
        .map(|pid| Holder {
            name: fs::read_to_string(proc.join(format!("{pid}/comm")))
                .map_or_else(|_| "a process".to_owned(), |name| name.trim().to_owned()),
            pid,
        })
}

/// The inode of one line of `/proc/net/{tcp,udp}`, when that socket keeps others from `address`.
fn inode_in_the_way(line: &str, protocol: Protocol, address: SocketAddr) -> Option<String> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let local = socket_address(fields.get(1)?)?;
    if local.port() != address.port() || (protocol == Protocol::Tcp && *fields.get(3)? != LISTEN) {
        return None;
    }
    let meets = local.ip().is_unspecified() || address.ip().is_unspecified() || local.ip() == address.ip();
    meets.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
}

/// `0100007F:0016`: address in the processor's byte order by 32-bit words, port in hex.
fn socket_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let words: Vec<[u8; 4]> = (0..address.len() / 8)
        .filter_map(|word| address.get(word * 8..word * 8 + 8))
        .filter_map(|word| u32::from_str_radix(word, 16).ok())
        .map(u32::to_ne_bytes)
        .collect();
    let ip = match words.as_slice() {
        [word] => IpAddr::V4(Ipv4Addr::from(*word)),
        [_, _, _, _] => {
            let bytes = <[u8; 16]>::try_from(words.concat()).ok()?;
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  10: 00000000:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 0
  11: 0100007F:0045 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000000000000000 0
";

    #[test]
    fn names_the_process_behind_a_port() {
        let proc = tempfile::tempdir().unwrap();
        let root = proc.path();
        fs::create_dir_all(root.join("net")).unwrap();
        fs::write(root.join("net/udp"), TABLE).unwrap();
        fs::create_dir_all(root.join("812/fd")).unwrap();
        std::os::unix::fs::symlink("socket:[4711]", root.join("812/fd/5")).unwrap();
        fs::write(root.join("812/comm"), "dnsmasq\n").unwrap();
        let at = |text: &str| holder_under(root, Protocol::Udp, text.parse().unwrap());
        let dnsmasq = Some(Holder {
            name: "dnsmasq".to_owned(),
            pid: 812,
        });
        assert_eq!(at("0.0.0.0:67"), dnsmasq);
        assert_eq!(at("10.0.0.1:67"), dnsmasq);
        assert_eq!(at("10.0.0.1:69"), None);
        assert_eq!(at("0.0.0.0:68"), None);
    }

    #[test]
    fn odd_lines_are_passed_over() {
        for line in [
            "",
            "1:",
            "1: x y z",
            "1: 0100007F:zz 0 0A",
            "1: ä:0016 0 0A 0 0 0 0 0 0 0",
        ] {
            assert_eq!(
                inode_in_the_way(line, Protocol::Tcp, "0.0.0.0:22".parse().unwrap()),
                None
            );
        }
    }

    #[test]
    fn a_listener_of_this_process_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = holder(Protocol::Tcp, listener.local_addr().unwrap()).unwrap();
        assert_eq!(found.pid, std::process::id());
    }
}
