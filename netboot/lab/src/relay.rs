//! A DHCP relay (RFC 1542, RFC 2131 section 4.1) between the machines' network and the server's.
//!
//! It can also make a machine's first exchange look as if its firmware were not iPXE. QEMU has no other BIOS network
//! boot, so chainloading by BIOS could not be tried otherwise.

use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::{LabError, Namespace};

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// How often a relay looks whether it should end.
const TURN: Duration = Duration::from_millis(100);
/// Offsets in a BOOTP message.
const HOPS: usize = 3;
const GIADDR: std::ops::Range<usize> = 24..28;
const CHADDR: std::ops::Range<usize> = 28..34;
const OPTIONS: usize = 240;
/// Options that tell iPXE: user class, and its own encapsulated options.
const IPXE_MARKS: [u8; 2] = [77, 175];
const MESSAGE_TYPE: u8 = 53;
const ACK: u8 = 5;
const END: u8 = 255;
/// The operations of BOOTP.
const REQUEST: u8 = 1;
const REPLY: u8 = 2;
/// A request that has passed this many relays goes in a circle (RFC 1542 section 4.1.1).
const MOST_HOPS: u8 = 16;

/// A relay to be started.
#[derive(Debug, Clone)]
pub struct RelaySpec {
    /// Interface of the machines' network.
    pub machines: String,
    /// This relay's address there, by which the server knows the subnet.
    pub address: Ipv4Addr,
    /// Interface towards the server.
    pub uplink: String,
    /// The server.
    pub server: Ipv4Addr,
    /// Machines whose requests lose the marks of iPXE until their first address is acknowledged: then a loader has been
    /// named to what looked like plain firmware, and what it loads is seen as it is.
    pub disguised: BTreeSet<[u8; 6]>,
}

/// A running relay; it ends when this is dropped.
#[derive(Debug)]
pub struct Relay {
    stopped: Arc<AtomicBool>,
    running: Vec<JoinHandle<()>>,
}

impl RelaySpec {
    /// Starts the relay in `namespace`, one thread for each direction.
    ///
    /// # Errors
    /// When a socket cannot be bound.
    pub fn start(self, namespace: &Namespace) -> Result<Relay, LabError> {
        let action = format!("opening the relay's sockets in {}", namespace.name());
        let open = || {
            let (machines, uplink) = (socket_on(&self.machines)?, socket_on(&self.uplink)?);
            Ok::<_, io::Error>((machines.try_clone()?, machines, uplink.try_clone()?, uplink))
        };
        let (from_machines, to_machines, from_server, to_server) =
            namespace.enter(open)?.map_err(LabError::io(action))?;
        let stopped = Arc::new(AtomicBool::new(false));
        let disguised = Arc::new(Mutex::new(self.disguised));
        let (flag, hidden) = (Arc::clone(&stopped), Arc::clone(&disguised));
        let upwards = thread::spawn(move || {
            pass_on(&from_machines, &flag, |message| {
                let hidden = hidden.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(message) = towards_server(message, self.address, &hidden) {
                    // A packet that cannot be sent is a lost packet: the client asks again.
                    let _ = to_server.send_to(&message, (self.server, SERVER_PORT));
                }
            });
        });
        let flag = Arc::clone(&stopped);
        let downwards = thread::spawn(move || {
            pass_on(&from_server, &flag, |message| {
                let mut disguised = disguised.lock().unwrap_or_else(PoisonError::into_inner);
                if is_answer(message, &mut disguised) {
                    // Broadcast reaches a client that has no address yet, whatever it asked for.
                    let _ = to_machines.send_to(message, (Ipv4Addr::BROADCAST, CLIENT_PORT));
                }
            });
        });
        Ok(Relay {
            stopped,
            running: vec![upwards, downwards],
        })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        for running in self.running.drain(..) {
            let _ = running.join();
        }
    }
}

/// A socket on the server port of one interface; the port is shared with the relay's other socket.
fn socket_on(interface: &str) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_broadcast(true)?;
    socket.set_read_timeout(Some(TURN))?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, SERVER_PORT).into())?;
    Ok(socket.into())
}

fn pass_on(from: &UdpSocket, stopped: &AtomicBool, mut each: impl FnMut(&[u8])) {
    let mut buffer = [0_u8; 4096];
    while !stopped.load(Ordering::Acquire) {
        if let Ok(count) = from.recv(&mut buffer) {
            each(&buffer[..count]);
        }
    }
}

/// A client's request as it goes on to the server, or nothing when it must not.
fn towards_server(message: &[u8], address: Ipv4Addr, disguised: &BTreeSet<[u8; 6]>) -> Option<Vec<u8>> {
    if message.len() < OPTIONS || message[0] != REQUEST || message[HOPS] >= MOST_HOPS {
        return None;
    }
    let mut message = message.to_vec();
    message[HOPS] += 1;
    if message[GIADDR] == [0; 4] {
        message[GIADDR].copy_from_slice(&address.octets());
    }
    if disguised.iter().any(|mac| message[CHADDR] == *mac) {
        let options: Vec<u8> = options(&message)
            .filter(|(code, _)| !IPXE_MARKS.contains(code))
            .flat_map(|(code, value)| [&[code, u8::try_from(value.len()).unwrap_or(u8::MAX)], value].concat())
            .chain([END])
            .collect();
        message.truncate(OPTIONS);
        message.extend(options);
    }
    Some(message)
}

/// Whether this is an answer to pass on; a machine's disguise ends with its first acknowledgement.
fn is_answer(message: &[u8], disguised: &mut BTreeSet<[u8; 6]>) -> bool {
    if message.len() < OPTIONS || message[0] != REPLY {
        return false;
    }
    if options(message).any(|(code, value)| code == MESSAGE_TYPE && value == [ACK]) {
        disguised.retain(|mac| message[CHADDR] != *mac);
    }
    true
}

/// The options of a message of at least [`OPTIONS`] bytes: codes and values, up to the end mark or the first that does
/// not fit.
fn options(message: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = &message[OPTIONS..];
    std::iter::from_fn(move || {
        loop {
            match *rest {
                [0, ref after @ ..] => rest = after,
                [code, length, ref after @ ..] if code != END && after.len() >= usize::from(length) => {
                    let (value, after) = after.split_at(usize::from(length));
                    rest = after;
                    return Some((code, value));
                }
                _ => return None,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [0x52, 0x54, 0, 0x70, 0, 1];
    const RELAY: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 1);

    fn message(operation: u8, options: &[u8]) -> Vec<u8> {
        let mut message = vec![0; OPTIONS];
        message[0] = operation;
        message[CHADDR].copy_from_slice(&MAC);
        message.extend(options);
        message
    }

    #[test]
    fn a_request_gets_the_relays_address() {
        let passed = towards_server(&message(1, &[53, 1, 1, 255]), RELAY, &BTreeSet::new()).unwrap();
        assert_eq!((passed[HOPS], &passed[GIADDR]), (1, &RELAY.octets()[..]));
        assert_eq!(passed[OPTIONS..], [53, 1, 1, 255]);
        assert!(towards_server(&message(2, &[255]), RELAY, &BTreeSet::new()).is_none());
        assert!(towards_server(&[1; 100], RELAY, &BTreeSet::new()).is_none());
    }

    #[test]
    fn a_disguise_lasts_until_the_first_acknowledgement() {
        let mut disguised = BTreeSet::from([MAC]);
        let asked = message(
            1,
            &[
                53, 1, 1, 77, 4, b'i', b'P', b'X', b'E', 0, 175, 3, 1, 1, 1, 60, 1, b'P', 255,
            ],
        );
        let plain = towards_server(&asked, RELAY, &disguised).unwrap();
        assert_eq!(plain[OPTIONS..], [53, 1, 1, 60, 1, b'P', 255]);
        assert!(is_answer(&message(2, &[53, 1, 2, 255]), &mut disguised));
        assert!(!disguised.is_empty());
        assert!(is_answer(&message(2, &[53, 1, 5, 255]), &mut disguised));
        let seen = towards_server(&asked, RELAY, &disguised).unwrap();
        assert!(seen[OPTIONS..].windows(4).any(|window| window == b"iPXE"));
    }
}
