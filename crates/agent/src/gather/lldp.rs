//! Listens for the switches that a machine's ports hang on.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use muster_facts::{LldpNeighbour, Nic};
use muster_wire::lldp::{self, Neighbour};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv};

use super::nic;
use super::tree::{Tree, reason};
use crate::sys;

/// The largest frame without jumbo frames, VLAN tags included; LLDP has no fragments.
const FRAME: usize = 1522;
/// A port that sends nonsense without end is left alone after so many frames.
const BAD_FRAMES: u32 = 16;

/// A port that is listened on.
struct Port {
    /// Its place in the list of interfaces.
    nic: usize,
    socket: OwnedFd,
    bad: u32,
}

/// Hears the neighbour of each interface with a link, for at most `wait` in all: its place in `nics`, and what it
/// says. Silence is no fault: a switch sends every 30 s, and many send nothing.
pub(super) fn listen(tree: &Tree, nics: &[Nic], wait: Duration) -> Vec<(usize, LldpNeighbour)> {
    let mut heard = Vec::new();
    if wait.is_zero() || !tree.is_live() {
        return heard;
    }
    let mut ports = Vec::new();
    for (index, found) in nics.iter().enumerate().filter(|(_, nic)| nic.link == Some(true)) {
        let what = format!("nics.{}.lldp", found.name);
        let number = tree.number(&what, &format!("{}/{}/ifindex", nic::FOLDER, found.name));
        match number.map(sys::lldp_socket) {
            Some(Ok(socket)) => ports.push(Port {
                nic: index,
                socket,
                bad: 0,
            }),
            Some(Err(error)) => tree.note(&what, format!("packet socket: {}", reason(&error))),
            None => {}
        }
    }
    let end = Instant::now() + wait;
    while !ports.is_empty() {
        let left = end.saturating_duration_since(Instant::now());
        let mut waiting: Vec<PollFd<'_>> = ports
            .iter()
            .map(|port| PollFd::new(port.socket.as_fd(), PollFlags::POLLIN))
            .collect();
        // A fraction of a millisecond left is none.
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut waiting, timeout) {
            Ok(0) => break,
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => {
                tree.note("nics.lldp", format!("poll: {}", reason(&io::Error::from(error))));
                break;
            }
        }
        ports.retain_mut(|port| match hear(port) {
            Heard::Neighbour(neighbour) => {
                heard.push((port.nic, neighbour));
                false
            }
            Heard::Nothing => true,
            Heard::Enough => false,
        });
    }
    heard
}

enum Heard {
    Neighbour(LldpNeighbour),
    Nothing,
    /// The port is not worth listening on: its interface is gone, or it sends nonsense.
    Enough,
}

fn hear(port: &mut Port) -> Heard {
    let mut frame = [0; FRAME];
    let length = match recv(port.socket.as_raw_fd(), &mut frame, MsgFlags::empty()) {
        Ok(length) => length,
        Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => return Heard::Nothing,
        Err(_) => return Heard::Enough,
    };
    match frame.get(..length).map(lldp::parse) {
        // A time to live of zero says good-bye.
        Some(Ok(neighbour)) if neighbour.ttl > 0 => Heard::Neighbour(neighbour_facts(neighbour)),
        _ => {
            port.bad += 1;
            if port.bad < BAD_FRAMES {
                Heard::Nothing
            } else {
                Heard::Enough
            }
        }
    }
}

fn neighbour_facts(heard: Neighbour) -> LldpNeighbour {
    let text = |text: String| muster_facts::trim_text(&text);
    LldpNeighbour {
        switch: heard.system_name.and_then(text),
        chassis_id: text(heard.chassis_id),
        port: text(heard.port_id),
        port_description: heard.port_description.and_then(text),
        vlan: heard.vlan,
    }
}
