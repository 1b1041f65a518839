//! What happens when a machine asks and when facts arrive.

mod files;

pub use files::{BootFile, BootFiles, FileFault};
