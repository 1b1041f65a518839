//! The cpio archive of an initramfs: the "newc" form (magic 070701), written.
//!
//! The same entries give the same bytes: no times, no owners but root, inode numbers by order.

/// Type bits of a mode, as in `stat(2)`.
const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// Name of the last entry.
const TRAILER: &str = "TRAILER!!!";

/// GNU cpio's block: archives end on one.
const BLOCK: usize = 512;

/// Why an entry cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CpioError {
    /// Empty, absolute, with `..`, a NUL, or the trailer's name.
    #[error("`{name}` cannot be an entry's name; give a relative path without `..`")]
    Name {
        /// The name.
        name: String,
    },
    /// The size field has 32 bits.
    #[error("`{name}` has {len} bytes; a newc entry holds less than 4 GiB")]
    TooLarge {
        /// The name.
        name: String,
        /// Its length, bytes.
        len: usize,
    },
}

/// Writes an archive into memory.
///
/// Parents come before their children, as the kernel's unpacker wants them: it makes no directory
/// by itself.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    entries: u32,
}

/// What a header says beside the name.
#[derive(Default)]
struct Header {
    mode: u32,
    links: u32,
    device: (u32, u32),
}

impl Writer {
    /// An empty archive.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A directory with these permission bits, such as `0o755`.
    ///
    /// # Errors
    /// [`CpioError::Name`].
    pub fn directory(&mut self, name: &str, permissions: u32) -> Result<(), CpioError> {
        self.entry(
            name,
            &Header {
                mode: DIRECTORY | permissions & 0o7777,
                links: 2,
                ..Header::default()
            },
            &[],
        )
    }

    /// A file with these permission bits.
    ///
    /// # Errors
    /// [`CpioError`].
    pub fn file(&mut self, name: &str, permissions: u32, content: &[u8]) -> Result<(), CpioError> {
        self.entry(
            name,
            &Header {
                mode: FILE | permissions & 0o7777,
                links: 1,
                ..Header::default()
            },
            content,
        )
    }

    /// A symbolic link to `target`, which may be absolute.
    ///
    /// # Errors
    /// [`CpioError`].
    pub fn symlink(&mut self, name: &str, target: &str) -> Result<(), CpioError> {
        self.entry(
            name,
            &Header {
                mode: SYMLINK | 0o777,
                links: 1,
                ..Header::default()
            },
            target.as_bytes(),
        )
    }

    /// A character device, such as `/dev/console` with 5, 1.
    ///
    /// # Errors
    /// [`CpioError::Name`].
    pub fn character_device(&mut self, name: &str, permissions: u32, major: u32, minor: u32) -> Result<(), CpioError> {
        let mode = CHARACTER_DEVICE | permissions & 0o7777;
        self.entry(
            name,
            &Header {
                mode,
                links: 1,
                device: (major, minor),
            },
            &[],
        )
    }

    /// The whole archive, with its trailer and padded to 512 bytes.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.write(
            TRAILER,
            0,
            &Header {
                links: 1,
                ..Header::default()
            },
            0,
            &[],
        );
        self.out.resize(self.out.len().next_multiple_of(BLOCK), 0);
        self.out
    }

    fn entry(&mut self, name: &str, header: &Header, content: &[u8]) -> Result<(), CpioError> {
        let relative = name.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !relative || name.contains('\0') || name == TRAILER {
            return Err(CpioError::Name { name: name.to_owned() });
        }
        let size = u32::try_from(content.len()).map_err(|_| CpioError::TooLarge {
            name: name.to_owned(),
            len: content.len(),
        })?;
        self.entries += 1;
        self.write(name, self.entries, header, size, content);
        Ok(())
    }

    fn write(&mut self, name: &str, inode: u32, header: &Header, size: u32, content: &[u8]) {
        let (major, minor) = header.device;
        // An entry's name is a path in memory; a Linux path is far below 4 GiB.
        let name_size = u32::try_from(name.len() + 1).unwrap_or(u32::MAX);
        let fields = [
            inode,
            header.mode,
            0, // uid
            0, // gid
            header.links,
            0, // mtime
            size,
            0, // device of the archive, major
            0, // and minor
            major,
            minor,
            name_size,
            0, // checksum, only in the "crc" form
        ];
        self.out.extend(b"070701");
        for field in fields {
            self.out.extend(format!("{field:08X}").bytes());
        }
        self.out.extend(name.bytes());
        self.out.push(0);
        self.align();
        self.out.extend(content);
        self.align();
    }

    fn align(&mut self) {
        self.out.resize(self.out.len().next_multiple_of(4), 0);
    }
}
