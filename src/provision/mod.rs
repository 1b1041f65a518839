//! What people plan for their hosts, and how it is carried out.

pub mod answers;
mod catalog;
pub mod install;
pub mod trees;

pub use catalog::{Affected, Catalog, CatalogFault, HostDesired};
