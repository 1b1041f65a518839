//! One line of the queue's file: a CRC-32 in hexadecimal digits, a letter, and what the letter stands for.

/// No line is longer, bytes; a sample has some thousand.
pub(super) const LONGEST: u64 = 1 << 20;

/// What is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// How things stood when the file was begun.
    Head {
        /// The CRC-32 of the credential.
        owner: u32,
        /// The number of the next sample.
        next: u64,
        acknowledged: u64,
        dropped: u64,
    },
    /// A sample with its number, in JSON.
    Sample(u64, &'a str),
    /// The server has all samples up to this one; so many were thrown away since.
    Acknowledged(u64, u64),
    /// All samples up to this one are thrown away; so many were since the last acknowledgement.
    Dropped(u64, u64),
}

/// The CRC-32 of some bytes.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

impl<'a> Line<'a> {
    /// The line with its final newline. JSON has none inside.
    pub(super) fn written(&self) -> Vec<u8> {
        let body = match self {
            Self::Head {
                owner,
                next,
                acknowledged,
                dropped,
            } => format!("H {owner} {next} {acknowledged} {dropped}"),
            Self::Sample(sequence, json) => format!("S {sequence} {json}"),
            Self::Acknowledged(sequence, dropped) => format!("A {sequence} {dropped}"),
            Self::Dropped(sequence, dropped) => format!("D {sequence} {dropped}"),
        };
        format!("{:08x} {body}\n", checksum(body.as_bytes())).into_bytes()
    }

    /// What a line says; `None` for one that was not written to its end, or is not what was written.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes.strip_suffix(b"\n")?).ok()?;
        let (sum, body) = text.split_once(' ')?;
        if sum.len() != 8 || u32::from_str_radix(sum, 16).ok()? != checksum(body.as_bytes()) {
            return None;
        }
        let (letter, rest) = body.split_once(' ')?;
        if letter == "S" {
            let (sequence, json) = rest.split_once(' ')?;
            return Some(Self::Sample(sequence.parse().ok()?, json));
        }
        let numbers: Vec<u64> = rest.split(' ').map_while(|word| word.parse().ok()).collect();
        match (letter, numbers.as_slice()) {
            ("H", [owner, next, acknowledged, dropped]) => Some(Self::Head {
                owner: u32::try_from(*owner).ok()?,
                next: *next,
                acknowledged: *acknowledged,
                dropped: *dropped,
            }),
            ("A", [sequence, dropped]) => Some(Self::Acknowledged(*sequence, *dropped)),
            ("D", [sequence, dropped]) => Some(Self::Dropped(*sequence, *dropped)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_read_as_it_was_written_and_no_part_of_one_is() {
        let lines = [
            Line::Head {
                owner: u32::MAX,
                next: 7,
                acknowledged: 3,
                dropped: 0,
            },
            Line::Sample(17, r#"{"sequence":17}"#),
            Line::Acknowledged(17, 2),
            Line::Dropped(18, 3),
        ];
        for line in lines {
            let written = line.written();
            assert_eq!(Line::read(&written), Some(line));
            for cut in 0..written.len() {
                assert_eq!(Line::read(&written[..cut]), None);
                let mut changed = written.clone();
                changed[cut] ^= 1;
                assert_eq!(Line::read(&changed), None, "{cut}");
            }
        }
    }
}
