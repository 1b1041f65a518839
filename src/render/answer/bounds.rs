//! What a template may use up. Generous for an answer file, small for a machine.

/// Steps of the engine for one answer; bytes written and read count too, 64 to a step.
pub(super) const FUEL: u64 = 500_000;

/// Levels of includes, loops and macros together; an include counts ten.
pub(super) const DEPTH: usize = 160;

/// Bytes of one answer. Installers keep it in memory, some in a RAM disk of a few megabytes.
pub(super) const OUTPUT_BYTES: usize = 1 << 20;

/// Bytes of one file of a site.
pub(super) const FILE_BYTES: u64 = 256 << 10;

/// Bytes of all files of a site.
pub(super) const SITE_BYTES: u64 = 64 << 20;

/// Files of a site, for example one snippet for each of some thousand hosts.
pub(super) const SITE_FILES: usize = 20_000;

/// Folders within folders of a site.
pub(super) const SITE_DEPTH: usize = 6;
