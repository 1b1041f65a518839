//! What a host is: identity, merge, changes, lifecycle. Pure: no async, no database, no clock.

pub mod identity;
pub mod lifecycle;
pub mod merge;

mod change;
mod component;
mod health;
mod host;
mod ids;
mod source;

pub use change::Change;
pub use component::{Component, ComponentKind, Interface};
pub use health::Health;
pub use host::{Host, HostId, State, Summary, UnknownWord};
pub use identity::{Key, KeyIndex, KeyKind};
pub use ids::new_id;
pub use source::Source;
