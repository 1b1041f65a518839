//! Texts as people search for them: in any case, with `*` and `?`.

/// A piece of a pattern; texts are lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These letters.
    Text(String),
    /// Anything, also nothing.
    Any,
    /// One letter.
    One,
}

/// What a text has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// Not there, or empty.
    Absent,
    /// Has this in it.
    Contains(String),
    /// Is this as a whole.
    Whole(Vec<Piece>),
}

impl Pattern {
    /// The one text that it is met by, when there is only one.
    #[must_use]
    pub fn only(&self) -> Option<&str> {
        match self {
            Self::Whole(pieces) => match pieces.as_slice() {
                [Piece::Text(text)] => Some(text),
                _ => None,
            },
            Self::Absent | Self::Contains(_) => None,
        }
    }

    /// Whether a text that is there meets it.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        match self {
            Self::Absent => text.is_empty(),
            Self::Contains(part) => text.contains(part),
            Self::Whole(pieces) => whole(pieces, &text),
        }
    }
}

/// Goes on from the last `*` when what follows it does not fit: at most letters times pieces steps.
fn whole(pieces: &[Piece], text: &str) -> bool {
    let (mut pieces, mut text) = (pieces, text);
    let mut again: Option<(&[Piece], &str)> = None;
    loop {
        match pieces.split_first() {
            Some((Piece::Any, rest)) => {
                again = Some((rest, text));
                pieces = rest;
                continue;
            }
            Some((Piece::One, rest)) => {
                let mut letters = text.chars();
                if letters.next().is_some() {
                    (pieces, text) = (rest, letters.as_str());
                    continue;
                }
            }
            Some((Piece::Text(part), rest)) => {
                if let Some(after) = text.strip_prefix(part.as_str()) {
                    (pieces, text) = (rest, after);
                    continue;
                }
            }
            None if text.is_empty() => return true,
            None => {}
        }
        let Some((rest, from)) = again else { return false };
        let mut letters = from.chars();
        if letters.next().is_none() {
            return false;
        }
        again = Some((rest, letters.as_str()));
        (pieces, text) = (rest, letters.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        let mut pieces = Vec::new();
        for letter in text.chars() {
            match (letter, pieces.last_mut()) {
                ('*', _) => pieces.push(Piece::Any),
                ('?', _) => pieces.push(Piece::One),
                (letter, Some(Piece::Text(text))) => text.push(letter),
                (letter, _) => pieces.push(Piece::Text(letter.to_string())),
            }
        }
        Pattern::Whole(pieces)
    }

    #[test]
    fn stars_and_marks_stand_for_letters() {
        for (wanted, text) in [
            ("web", "WEB"),
            ("web*", "web"),
            ("*eb*", "web-1"),
            ("w?b", "wéb"),
            ("*a*b*c", "xxaxxbabxxc"),
            ("*", ""),
        ] {
            assert!(pattern(wanted).matches(text), "{wanted} {text}");
        }
        for (wanted, text) in [("web", "web1"), ("?", ""), ("*a*b", "xbxa"), ("w??b", "web")] {
            assert!(!pattern(wanted).matches(text), "{wanted} {text}");
        }
        let many = pattern(&"*a".repeat(200));
        assert!(!many.matches(&"a".repeat(199)), "and does not take for ever");
    }
}
