//! What people plan for their hosts, and how it is carried out.

mod catalog;
pub mod install;
mod loaders;
pub mod trees;

pub use catalog::{Affected, Catalog, CatalogFault, HostDesired};
pub use loaders::Loaders;
