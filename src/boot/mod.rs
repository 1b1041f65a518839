//! What a machine that boots is told, and what its boot means. Pure: no async, no database, no clock.

mod architecture;
mod decide;
mod diagnose;
mod event;
mod loader;
mod menu;
mod policy;
mod rule;
mod session;
mod token;

pub use architecture::Architecture;
pub use decide::{Action, Available, BootRequest, Decision, Stage, decide};
pub use diagnose::{Surroundings, Verdict, VerdictCode, diagnose};
pub use event::{BootId, Event, EventKind, Level, params};
pub use loader::{DISK_LOADERS, LoaderKind, is_optional_file};
pub use menu::{MenuChoice, MenuOffers, choose, menu};
pub use policy::{AfterFacts, BadMacPattern, LoaderTable, MacPattern, Policy, UnknownBoots};
pub use rule::Rule;
pub use session::{Phase, Session};
pub use token::{BootToken, TokenHash};
