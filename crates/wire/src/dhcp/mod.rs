//! DHCP for IPv4 as boot clients and servers speak it.
//!
//! Message format and options of RFC 2131 and 2132, long options of RFC 3396, relay agent
//! information of RFC 3046, 3527 and 5107, user classes of RFC 3004, the PXE options 93, 94 and 97
//! of RFC 4578, PXE's own option 43 and iPXE's option 175.
//!
//! Names of message types, architectures and option codes are dhcproto's. Its option decoder is
//! not used: it stops at the first bad option and keeps one architecture of several, and firmware
//! sends both. Options are therefore walked here one by one, so that a bad one loses only itself.

mod decode;
mod encode;
mod message;
mod options;
mod tlv;
mod vendor;

pub use decode::{DecodeError, MAX_DATAGRAM, decode};
pub use dhcproto::v4::{Architecture, MessageType, Opcode};
pub use encode::{MAX_REPLY, MIN_LEN, encode, encode_within};
pub use message::{Message, OptionFault, Undi};
pub use options::{BootServer, IpxeOptions, MenuEntry, PxeVendorOptions, RelayInfo};
pub use vendor::VendorClass;
