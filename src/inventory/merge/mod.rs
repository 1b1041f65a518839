//! What new facts mean for what the ledger knows: the host's summary, its parts, and what changed.

mod diff;
mod parts;
mod unread;

pub use diff::{Told, diff};
pub use parts::{components, interfaces, summary};
pub use unread::keep_unread;

#[cfg(test)]
mod tests;
