//! The network side of a simulated machine.

mod relay;
mod tftp;

pub use relay::{Relay, RelayError, RelayPort};
pub use tftp::{TftpClientError, fetch};
