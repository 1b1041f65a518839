//! Just enough reading of Rust to see which rooms a file names: comments and texts taken out, then paths followed.

/// A name met in a source.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mention {
    /// Line, counted from 1.
    pub(super) line: usize,
    /// The name as written.
    pub(super) name: String,
}

/// The tokens of a source: identifiers, `::`, and single marks.
pub(super) struct Source {
    tokens: Vec<(usize, String)>,
}

impl Source {
    /// Splits a source into tokens; comments, texts, characters and lifetimes are left out.
    pub(super) fn read(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut tokens = Vec::new();
        let mut line = 1;
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let rest = &bytes[at..];
            let length = match byte {
                b'/' if rest.starts_with(b"//") => rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()),
                b'/' if rest.starts_with(b"/*") => block_comment(rest),
                b'"' => quoted(rest),
                b'r' if raw_text(rest).is_some() => raw_text(rest).unwrap_or(1),
                b'b' if rest.get(1) == Some(&b'r') && raw_text(&rest[1..]).is_some() => {
                    1 + raw_text(&rest[1..]).unwrap_or(1)
                }
                b'\'' => character_or_lifetime(rest),
                b':' if rest.starts_with(b"::") => 2,
                _ if is_word(byte) => rest.iter().position(|b| !is_word(*b)).unwrap_or(rest.len()),
                _ => 1,
            };
            let piece = &rest[..length.max(1).min(rest.len())];
            let is_comment = piece.starts_with(b"//") || piece.starts_with(b"/*");
            if is_word(byte) && piece.iter().all(|b| is_word(*b)) || piece == b"::" || b"{},;()<>=".contains(&byte) {
                tokens.push((line, String::from_utf8_lossy(piece).into_owned()));
            } else if !is_comment && !byte.is_ascii_whitespace() {
                // Any other mark ends a path.
                tokens.push((line, ";".to_owned()));
            }
            line += piece.iter().filter(|b| **b == b'\n').count();
            at += piece.len();
        }
        Self { tokens }
    }

    /// The names that stand directly below the crate root, by `crate::` or by climbing out with `super::` from a
    /// module `depth` steps below the root.
    pub(super) fn rooms_named(&self, depth: usize) -> Vec<Mention> {
        let mut mentions = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let mut next = at;
            let climbs = match self.word(at) {
                "crate" if self.word(at + 1) == "::" => {
                    next += 2;
                    true
                }
                "super" => {
                    let mut climbed = 0;
                    while self.word(next) == "super" && self.word(next + 1) == "::" {
                        climbed += 1;
                        next += 2;
                    }
                    climbed == depth
                }
                _ => false,
            };
            if climbs {
                self.heads(next, &mut mentions);
            }
            at = next.max(at + 1);
        }
        mentions
    }

    /// The lines where a path such as `Utc::now`, or a single word, is named.
    pub(super) fn lines_naming(&self, path: &str) -> Vec<usize> {
        let wanted: Vec<&str> = path.split("::").collect();
        (0..self.tokens.len())
            .filter(|start| {
                wanted.iter().enumerate().all(|(index, word)| {
                    self.word(start + 2 * index) == *word && (index == 0 || self.word(start + 2 * index - 1) == "::")
                })
            })
            .filter_map(|start| self.tokens.get(start).map(|(line, _)| *line))
            .collect()
    }

    /// The first names of a path tail: one word, or each of a group in braces.
    fn heads(&self, start: usize, mentions: &mut Vec<Mention>) {
        if self.word(start) != "{" {
            self.mention(start, mentions);
            return;
        }
        let mut depth = 0_usize;
        for at in start..self.tokens.len() {
            match self.word(at) {
                "{" => {
                    depth += 1;
                    if depth == 1 {
                        self.mention(at + 1, mentions);
                    }
                }
                "}" => {
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                "," if depth == 1 => self.mention(at + 1, mentions),
                _ => {}
            }
        }
    }

    fn mention(&self, at: usize, mentions: &mut Vec<Mention>) {
        if let Some((line, name)) = self.tokens.get(at).filter(|(_, name)| name.bytes().all(is_word)) {
            mentions.push(Mention {
                line: *line,
                name: name.clone(),
            });
        }
    }

    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |(_, word)| word)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Length of a block comment, which may hold others.
fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// Length of a text in double quotes, with its escapes.
fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of a raw text such as `r#"…"#`, or nothing when this `r` begins an ordinary word.
fn raw_text(rest: &[u8]) -> Option<usize> {
    let hashes = rest.get(1..)?.iter().take_while(|byte| **byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let end = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let body = rest.get(2 + hashes..)?;
    let length = body.windows(end.len()).position(|window| window == end)?;
    Some(2 + hashes + length + end.len())
}

/// Length of `'x'`, `'\n'` or `'\u{1f600}'`; of the quote alone for a lifetime.
fn character_or_lifetime(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        return rest
            .iter()
            .skip(3)
            .position(|byte| *byte == b'\'')
            .map_or(1, |end| end + 4);
    }
    // A character may take up to four bytes.
    (2..=5)
        .find(|end| rest.get(*end) == Some(&b'\''))
        .filter(|end| *end == 2 || rest[1] >= 0x80)
        .map_or(1, |end| end + 1)
}
