//! Which host is this machine? From the values its hardware carries, never from one weak value alone.

mod index;
mod judge;
mod junk;
mod key;

pub use index::KeyIndex;
pub use judge::{Identified, identify};
pub use key::{Key, KeyKind, keys_of};

#[cfg(test)]
mod tests;
