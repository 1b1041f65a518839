//! What happens when a machine asks and when facts arrive.

mod feed;
mod files;

pub use feed::{Feed, FeedItem};
pub use files::{BootFile, BootFiles, FileFault};
