//! What a machine that boots is told, and what its boot means. Pure: no async, no database, no clock.

mod event;
mod token;

pub use event::{BootId, Event, EventKind, Level};
pub use token::{BootToken, TokenHash};
