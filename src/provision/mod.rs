//! What people plan for their hosts.

mod catalog;

pub use catalog::{Affected, Catalog, CatalogFault, HostDesired};
