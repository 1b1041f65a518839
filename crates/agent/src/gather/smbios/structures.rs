//! The entry point and the walk from structure to structure (DSP0134 chapters 5 and 6).

use muster_facts::trim_text;

/// What an entry point says that a reader of the tables needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryPoint {
    /// Major version.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
    /// Number of structures, where stated (2.x only).
    pub count: Option<u16>,
}

impl EntryPoint {
    /// Reads a 64-bit (`_SM3_`), a 32-bit (`_SM_`) or a legacy (`_DMI_`) entry point; `None` for
    /// anything else. Checksums are the kernel's business: it publishes no other entry point.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"_SM3_") {
            return Some(Self {
                major: *bytes.get(7)?,
                minor: *bytes.get(8)?,
                count: None,
            });
        }
        if bytes.starts_with(b"_SM_") {
            let (major, minor) = mended(*bytes.get(6)?, *bytes.get(7)?);
            let count = word(bytes, 0x1c).filter(|count| *count != 0);
            return Some(Self { major, minor, count });
        }
        if bytes.starts_with(b"_DMI_") {
            let revision = *bytes.get(14)?;
            let count = word(bytes, 12).filter(|count| *count != 0);
            return Some(Self {
                major: revision >> 4,
                minor: revision & 0x0f,
                count,
            });
        }
        None
    }

    /// Whether the tables follow at least this version.
    #[must_use]
    pub const fn is_at_least(&self, major: u8, minor: u8) -> bool {
        self.major > major || (self.major == major && self.minor >= minor)
    }
}

/// Firmware is known to write 2.31 and 2.33 for 2.3, and 2.51 for 2.6.
const fn mended(major: u8, minor: u8) -> (u8, u8) {
    match (major, minor) {
        (2, 0x1f | 0x21) => (2, 3),
        (2, 0x33) => (2, 6),
        other => other,
    }
}

/// One structure: its formatted area and its strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Structure<'a> {
    /// Structure type.
    pub kind: u8,
    /// Handle by which other structures refer to this one.
    pub handle: u16,
    formatted: &'a [u8],
    strings: &'a [u8],
}

impl Structure<'_> {
    /// The byte at an offset of the specification; `None` where the structure is shorter, as
    /// structures of older versions are.
    #[must_use]
    pub fn byte(&self, offset: usize) -> Option<u8> {
        self.formatted.get(offset).copied()
    }

    /// The little-endian word at an offset.
    #[must_use]
    pub fn word(&self, offset: usize) -> Option<u16> {
        word(self.formatted, offset)
    }

    /// The little-endian double word at an offset.
    #[must_use]
    pub fn dword(&self, offset: usize) -> Option<u32> {
        let bytes = self.bytes::<4>(offset)?;
        Some(u32::from_le_bytes(bytes))
    }

    /// `N` bytes at an offset.
    #[must_use]
    pub fn bytes<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.formatted.get(offset..offset.checked_add(N)?)?.try_into().ok()
    }

    /// The text whose number stands at an offset. Number 0 means that there is no text; a number
    /// beyond the last text and a text of blanks are treated alike.
    #[must_use]
    pub fn text(&self, offset: usize) -> Option<String> {
        let number = usize::from(self.byte(offset)?).checked_sub(1)?;
        let raw = self.strings.split(|byte| *byte == 0).nth(number)?;
        trim_text(&String::from_utf8_lossy(raw))
    }
}

fn word(bytes: &[u8], offset: usize) -> Option<u16> {
    let pair = bytes.get(offset..offset.checked_add(2)?)?;
    Some(u16::from_le_bytes(pair.try_into().ok()?))
}

/// Walks the structures of a table until its end, the end-of-table structure (type 127), the stated
/// count, or a length that cannot be right.
#[derive(Debug)]
pub struct Walk<'a> {
    rest: &'a [u8],
    left: Option<u16>,
    problem: Option<String>,
}

impl<'a> Walk<'a> {
    /// A walk over `tables`, of at most `count` structures where that is known.
    #[must_use]
    pub const fn new(tables: &'a [u8], count: Option<u16>) -> Self {
        Self {
            rest: tables,
            left: count,
            problem: None,
        }
    }

    /// Why the walk ended before its time, when it did.
    #[must_use]
    pub fn problem(self) -> Option<String> {
        self.problem
    }

    fn stop(&mut self, why: String) {
        self.problem = Some(why);
        self.rest = &[];
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Structure<'a>;

    fn next(&mut self) -> Option<Structure<'a>> {
        if self.left == Some(0) {
            return None;
        }
        let (kind, length, handle) = match self.rest {
            [kind, length, low, high, ..] => (*kind, usize::from(*length), u16::from_le_bytes([*low, *high])),
            _ => return None,
        };
        if length < 4 {
            self.stop(format!(
                "structure {handle:#06x} (type {kind}) states {length} bytes, fewer than its header"
            ));
            return None;
        }
        let Some((formatted, tail)) = self.rest.split_at_checked(length) else {
            self.stop(format!(
                "structure {handle:#06x} (type {kind}) reaches beyond the end of the table"
            ));
            return None;
        };
        // Strings end with an empty one; a structure without strings has two zero bytes all the same.
        let strings = match tail.windows(2).position(|pair| pair == [0, 0]) {
            Some(end) => {
                self.rest = tail.get(end + 2..).unwrap_or_default();
                tail.get(..end).unwrap_or_default()
            }
            None => {
                if kind != 127 {
                    self.stop(format!(
                        "the strings of structure {handle:#06x} (type {kind}) do not end"
                    ));
                }
                tail
            }
        };
        self.left = self.left.map(|left| left - 1);
        if kind == 127 {
            self.rest = &[];
        }
        Some(Structure {
            kind,
            handle,
            formatted,
            strings,
        })
    }
}
