//! What a host is: identity, merge, changes, lifecycle. Pure: no async, no database, no clock.

mod change;
mod component;
mod host;
mod source;

pub use change::Change;
pub use component::{Component, ComponentKind, Interface};
pub use host::{Host, HostId, State, Summary, UnknownWord};
pub use source::Source;
