//! What the agent gathers, from captured trees, made-up trees and made-up SMBIOS tables; and how it serves.
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod captures;
mod serve;
mod smbios;
mod trees;
