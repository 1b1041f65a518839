//! What people plan for their hosts, and how it is carried out.

mod catalog;
pub mod install;
pub mod rules;
pub mod trees;

pub use catalog::{Affected, Catalog, CatalogFault, HostDesired};
