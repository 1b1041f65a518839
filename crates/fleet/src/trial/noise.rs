use muster_facts::MacAddr;
use muster_wire::dhcp::{Architecture, Message, MessageType, Undi, encode};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};

use crate::hardware;

/// Longest datagram of pure noise: more than a frame holds, so that fragments are put together too.
const LONGEST: usize = 2000;
/// Machines whose packets are mutated; their own numbers, far from those of a fleet.
const MACHINES: u32 = 64;
const FIRST_MACHINE: u32 = 60_000;

/// Datagrams and requests that nobody should have to answer, the same for the same seed.
#[derive(Debug)]
pub(super) struct Noise {
    random: StdRng,
    dhcp: Vec<Vec<u8>>,
    tftp: Vec<Vec<u8>>,
    http: Vec<Vec<u8>>,
}

impl Noise {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            dhcp: dhcp_messages(),
            tftp: tftp_packets(),
            http: http_requests(),
        }
    }

    /// Noise for a DHCP port: half of it is random, half begins as a message and is mutated.
    pub(super) fn dhcp(&mut self) -> Vec<u8> {
        Self::one(&mut self.random, &self.dhcp)
    }

    /// Noise for a TFTP port.
    pub(super) fn tftp(&mut self) -> Vec<u8> {
        Self::one(&mut self.random, &self.tftp)
    }

    /// Noise for an HTTP port.
    pub(super) fn http(&mut self) -> Vec<u8> {
        Self::one(&mut self.random, &self.http)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.random.random_range(0..end.max(1))
    }

    fn one(random: &mut StdRng, seeds: &[Vec<u8>]) -> Vec<u8> {
        if random.random_bool(0.5) {
            let mut bytes = vec![0; random.random_range(0..LONGEST)];
            random.fill_bytes(&mut bytes);
            return bytes;
        }
        let mut bytes = seeds
            .get(random.random_range(0..seeds.len().max(1)))
            .cloned()
            .unwrap_or_default();
        for _ in 0..random.random_range(1..6) {
            mutate(random, &mut bytes);
        }
        bytes
    }
}

fn mutate(random: &mut StdRng, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        bytes.push(random.random());
        return;
    }
    let at = random.random_range(0..bytes.len());
    match random.random_range(0..6) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes[at] = random.random(),
        2 => bytes.truncate(at),
        3 => bytes.insert(at, random.random()),
        // A stretch again: an option twice, a length that runs over the next one.
        4 => {
            let end = (at + random.random_range(1..40)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
        _ => {
            let extreme = [0x00, 0x01, 0x7f, 0x80, 0xff][random.random_range(0..5)];
            let end = (at + random.random_range(1..9)).min(bytes.len());
            bytes[at..end].fill(extreme);
        }
    }
}

fn dhcp_messages() -> Vec<Vec<u8>> {
    let kinds = [
        MessageType::Discover,
        MessageType::Request,
        MessageType::Decline,
        MessageType::Release,
        MessageType::Inform,
    ];
    let mut messages = Vec::new();
    for number in 0..MACHINES {
        let index = FIRST_MACHINE + number;
        let mac: MacAddr = hardware::mac(index, 0);
        for kind in kinds {
            let mut message = Message::request(kind, number, mac);
            message.giaddr = super::RELAY;
            message.set_uuid(hardware::uuid(0, index));
            message.parameters = vec![1, 3, 6, 12, 15, 43, 54, 60, 66, 67, 97, 175];
            message.max_size = Some(1472);
            message.vendor_class = Some(b"PXEClient:Arch:00007:UNDI:003000".to_vec());
            message.architectures = vec![Architecture(7)];
            message.undi = Some(Undi {
                kind: 1,
                major: 3,
                minor: 0,
            });
            if number % 2 == 0 {
                message.user_class = Some(b"iPXE".to_vec());
            }
            messages.push(encode(&message));
        }
    }
    messages
}

fn tftp_packets() -> Vec<Vec<u8>> {
    let request = |opcode: u8, fields: &[&str]| {
        let mut bytes = vec![0, opcode];
        for field in fields {
            bytes.extend_from_slice(field.as_bytes());
            bytes.push(0);
        }
        bytes
    };
    vec![
        request(
            1,
            &[
                "snponly.efi",
                "octet",
                "tsize",
                "0",
                "blksize",
                "1468",
                "windowsize",
                "4",
            ],
        ),
        request(1, &["undionly.kpxe", "octet", "blksize", "65464", "timeout", "255"]),
        request(1, &["../../../../etc/passwd", "octet"]),
        request(1, &["snponly.efi", "netascii"]),
        request(1, &["autoexec.ipxe", "octet", "windowsize", "65535", "blksize", "8"]),
        request(2, &["snponly.efi", "octet", "tsize", "4294967296"]),
        vec![0, 3, 0, 1, 1, 2, 3],
        vec![0, 4, 0, 0],
        vec![0, 4, 0xff, 0xff],
        request(5, &["\u{1}error"]),
        request(6, &["blksize", "1468"]),
    ]
}

fn http_requests() -> Vec<Vec<u8>> {
    [
        "GET /boot/ipxe?mac=52:54:00:00:00:01&uuid=&arch=x86_64&platform=efi HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /boot/ipxe?mac=%ff%00&uuid=%&serial=%E4%B8 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /boot/image/vmlinuz HTTP/1.1\r\nHost: a\r\nRange: bytes=5-1,18446744073709551615-\r\n\r\n",
        "GET /boot/loader/..%2f..%2fmuster.toml HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /boot/facts HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer AAAA\r\nContent-Length: 99999999999\r\n\r\n{}",
        "POST /boot/facts HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        "POST /boot/progress HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{{",
        "HEAD * HTTP/9.9\r\n\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_is_the_same_noise() {
        let some = |seed| {
            let mut noise = Noise::new(seed);
            (0..200)
                .map(|_| (noise.dhcp(), noise.tftp(), noise.http()))
                .collect::<Vec<_>>()
        };
        assert_eq!(some(7), some(7));
        assert_ne!(some(7), some(8));
    }

    #[test]
    fn some_noise_is_still_a_message() {
        let mut noise = Noise::new(1);
        let read = (0..1000)
            .filter(|_| muster_wire::dhcp::decode(&noise.dhcp()).is_ok())
            .count();
        assert!(read > 50, "{read} of 1000");
    }
}
