//! Can every socket be had? By trying.

use std::io;

use socket2::{Domain, Socket, Type};

use super::{Finding, Needed, Protocol, Weight, holder};

const ABOUT: &str = "ports";

pub(super) fn look(sockets: &[Needed]) -> Vec<Finding> {
    sockets.iter().map(one).collect()
}

fn one(needed: &Needed) -> Finding {
    let Needed {
        setting,
        protocol,
        address,
    } = needed;
    let place = format!("{address}/{} ({setting})", protocol.as_str());
    let Err(error) = bind(needed) else {
        return Finding::ok(ABOUT, format!("{place} is free"));
    };
    let fail = |what: String, advice: String| {
        Finding::new(
            Weight::Fail,
            ABOUT,
            what,
            "Muster cannot listen there, so machines are not served",
            advice,
        )
    };
    match error.kind() {
        io::ErrorKind::AddrInUse => match holder(*protocol, *address) {
            Some(holder) if holder.name == "muster" => {
                Finding::ok(ABOUT, format!("{place} is Muster's own (pid {})", holder.pid))
            }
            Some(holder) => fail(
                format!("{place} is taken by {} (pid {})", holder.name, holder.pid),
                format!("stop {}, or change {setting}", holder.name),
            ),
            None => fail(
                format!("{place} is taken by a process that cannot be seen from here"),
                format!("run the check as root to learn which, stop it, or change {setting}"),
            ),
        },
        io::ErrorKind::PermissionDenied => fail(
            format!("{place} may not be used by this user"),
            "run as root, or give the process CAP_NET_BIND_SERVICE as packaging/muster.service does".to_owned(),
        ),
        io::ErrorKind::AddrNotAvailable => fail(
            format!("{place}: this machine does not have the address {}", address.ip()),
            format!("give an interface this address, or change {setting}"),
        ),
        _ => fail(
            format!("{place} cannot be had: {error}"),
            format!("change {setting}, or mend what the system complains about"),
        ),
    }
}

/// Binds as the server does, and lets go.
fn bind(needed: &Needed) -> io::Result<()> {
    let domain = Domain::for_address(needed.address);
    let (kind, is_tcp) = match needed.protocol {
        Protocol::Tcp => (Type::STREAM, true),
        Protocol::Udp => (Type::DGRAM, false),
    };
    let socket = Socket::new(domain, kind, None)?;
    if is_tcp {
        // As tokio does: connections of an earlier run that linger are not in the way.
        socket.set_reuse_address(true)?;
    }
    socket.bind(&needed.address.into())?;
    if is_tcp {
        socket.listen(1)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_its_holder() {
        let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let finding = one(&Needed {
            setting: "tftp.port",
            protocol: Protocol::Udp,
            address: taken.local_addr().unwrap(),
        });
        assert!(
            finding.what.contains(&format!("(pid {})", std::process::id())),
            "{finding:?}"
        );
    }

    #[test]
    fn a_foreign_address_is_told() {
        let finding = one(&Needed {
            setting: "http.listen",
            protocol: Protocol::Tcp,
            address: "192.0.2.1:8080".parse().unwrap(),
        });
        assert_eq!(finding.weight, Weight::Fail);
        assert_eq!(
            finding.what,
            "192.0.2.1:8080/tcp (http.listen): this machine does not have the address 192.0.2.1"
        );
    }
}
