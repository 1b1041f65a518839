//! What people plan for their hosts, and how it is carried out.

pub mod agents;
pub mod answers;
mod catalog;
pub mod import;
pub mod install;
pub mod inventories;
mod loaders;
mod long_work;
pub mod metrics;
mod repeats;
pub mod rules;
pub mod snippets;
pub mod tree_folders;
pub mod tree_looks;
pub mod trees;

pub use catalog::{Affected, Catalog, CatalogFault, FoundHost, HostDesired, NewHost, ServerFiles};
pub use loaders::Loaders;
