//! Which host is this machine? From the values its hardware carries, never from one weak value alone.

mod index;
mod judge;
mod junk;
mod key;

pub use index::KeyIndex;
pub use judge::{Identified, identify};
pub use key::{Key, KeyKind, keys_of};

/// True when a serial number is what firmware writes where nobody filled one in.
#[must_use]
pub fn is_junk_serial(serial: &str) -> bool {
    junk::serial(&serial.trim().to_lowercase())
}

#[cfg(test)]
mod tests;
