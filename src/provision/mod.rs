//! What people plan for their hosts, and how it is carried out.

pub mod install;
pub mod trees;
