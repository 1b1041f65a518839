use std::{fmt, ops::Range};

/// What is wrong with a search, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchFault {
    /// Bytes of the text that are meant; empty at its end where something is missing.
    pub place: Range<usize>,
    /// What is wrong there.
    pub why: Why,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The text is longer than [`super::MAX_LENGTH`].
    TooLong,
    /// More within each other than [`super::MAX_DEPTH`].
    TooDeep,
    /// More terms than [`super::MAX_TERMS`].
    TooMany,
    /// A quotation mark that is not closed.
    OpenQuote,
    /// A parenthesis that is not closed.
    OpenParenthesis,
    /// A parenthesis that closes none.
    StrayParenthesis,
    /// Nothing in parentheses.
    EmptyParentheses,
    /// Nothing follows `or`, `and`, `not` or `-`.
    NothingAfter(String),
    /// Nothing stands before `or` or `and`.
    NothingBefore(String),
    /// A sign such as `>=` without a field before it.
    NoField(String),
    /// A field that there is not.
    UnknownField {
        /// As it was written.
        name: String,
        /// The one that may have been meant.
        near: Option<&'static str>,
    },
    /// A field without anything to compare it with.
    NoValue {
        /// Which.
        field: String,
    },
    /// A sign that the field is not compared by.
    Sign {
        /// The field.
        field: String,
        /// The sign.
        sign: &'static str,
    },
    /// A value that the field cannot have.
    Value {
        /// The field.
        field: String,
        /// The value, cut short.
        value: String,
        /// What it takes.
        wants: Wants,
        /// The word that may have been meant.
        near: Option<&'static str>,
    },
}

/// What a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// A size.
    Size,
    /// A number.
    Count,
    /// A date or an age.
    Time,
    /// An age compared by `<` or `>`.
    Age,
    /// An address or network.
    Address,
    /// A MAC address.
    Mac,
    /// An id.
    Id,
    /// A state.
    State,
    /// A word of `has:`.
    Feature,
}

impl Wants {
    /// Everything a field may take.
    pub const ALL: [Self; 9] = [
        Self::Size,
        Self::Count,
        Self::Time,
        Self::Age,
        Self::Address,
        Self::Mac,
        Self::Id,
        Self::State,
        Self::Feature,
    ];

    /// The word used in catalogue keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Count => "count",
            Self::Time => "time",
            Self::Age => "age",
            Self::Address => "address",
            Self::Mac => "mac",
            Self::Id => "id",
            Self::State => "state",
            Self::Feature => "feature",
        }
    }

    /// What to write.
    const fn advice(self) -> &'static str {
        match self {
            Self::Size => "write a size such as 256, 1.5T or 512M",
            Self::Count => "write a whole number",
            Self::Time => {
                "write a date such as 2026-11-01 or 2026-11-01T08:00, in UTC, or an age such as 10m, 2h, 7d or 4w"
            }
            Self::Age => "compare an age by < (not longer ago) or > (longer ago)",
            Self::Address => "write an address such as 10.0.0.5, a network such as 10.0.0.0/24, or 10.0.*",
            Self::Mac => "write six hex pairs such as 52:54:00:77:00:01, or 52:54:*",
            Self::Id => "write the id as the host's page has it in its address",
            Self::State => {
                "write discovered, inventoried, assigned, installing, active, failed, maintenance or retired"
            }
            Self::Feature => "write gpu, disk, name, profile, address, report, agent or trouble",
        }
    }
}

impl Why {
    /// Codes of every way to write a search wrong, for catalogues.
    pub const CODES: [&'static str; 14] = [
        "too_long",
        "too_deep",
        "too_many",
        "open_quote",
        "open_parenthesis",
        "stray_parenthesis",
        "empty_parentheses",
        "nothing_after",
        "nothing_before",
        "no_field",
        "unknown_field",
        "no_value",
        "sign",
        "value",
    ];

    /// A stable word for it, as catalogues have it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::TooDeep => "too_deep",
            Self::TooMany => "too_many",
            Self::OpenQuote => "open_quote",
            Self::OpenParenthesis => "open_parenthesis",
            Self::StrayParenthesis => "stray_parenthesis",
            Self::EmptyParentheses => "empty_parentheses",
            Self::NothingAfter(_) => "nothing_after",
            Self::NothingBefore(_) => "nothing_before",
            Self::NoField(_) => "no_field",
            Self::UnknownField { .. } => "unknown_field",
            Self::NoValue { .. } => "no_value",
            Self::Sign { .. } => "sign",
            Self::Value { .. } => "value",
        }
    }

    /// What takes part in the sentence under this name: `word`, `field`, `value` or `near`.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<String> {
        match (self, name) {
            (Self::NothingAfter(word) | Self::NothingBefore(word) | Self::NoField(word), "word") => Some(word.clone()),
            (Self::UnknownField { name, .. }, "field") => Some(name.clone()),
            (Self::NoValue { field } | Self::Sign { field, .. } | Self::Value { field, .. }, "field") => {
                Some(field.clone())
            }
            (Self::Sign { sign, .. }, "word") => Some((*sign).to_owned()),
            (Self::Value { value, .. }, "value") => Some(value.clone()),
            (Self::UnknownField { near, .. } | Self::Value { near, .. }, "near") => near.map(str::to_owned),
            _ => None,
        }
    }
}

fn meant(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "a search has at most {} bytes; say less", super::MAX_LENGTH),
            Self::TooDeep => write!(
                f,
                "more than {} parentheses and negations are within each other; take some away",
                super::MAX_DEPTH
            ),
            Self::TooMany => write!(f, "a search has at most {} terms; say less", super::MAX_TERMS),
            Self::OpenQuote => f.write_str("the quotation mark is not closed; write \" at the end of the text"),
            Self::OpenParenthesis => f.write_str("the parenthesis is not closed; write )"),
            Self::StrayParenthesis => {
                f.write_str("this parenthesis closes none; take it away, or write \")\" for the letter")
            }
            Self::EmptyParentheses => f.write_str("there is nothing between the parentheses; write a condition"),
            Self::NothingAfter(word) => write!(
                f,
                "nothing follows `{word}`; write a condition after it, or \"{word}\" for the word itself"
            ),
            Self::NothingBefore(word) => write!(
                f,
                "nothing stands before `{word}`; write a condition before it, or \"{word}\" for the word itself"
            ),
            Self::NoField(sign) => write!(f, "no field stands before `{sign}`; write one such as mem{sign}64"),
            Self::UnknownField { name, near } => match near {
                Some(_) => write!(f, "no field is called `{name}`{}", meant(*near)),
                None => write!(
                    f,
                    "no field is called `{name}`; `muster host find --fields` shows all, and quotation marks make it a text"
                ),
            },
            Self::NoValue { field } => write!(
                f,
                "nothing is said that {field} should be; write it right after the sign"
            ),
            Self::Sign { field, sign } => write!(
                f,
                "{field} has no order to compare by `{sign}`; write {field}:VALUE or {field}=VALUE"
            ),
            Self::Value {
                field,
                value,
                wants,
                near,
            } => match near {
                Some(_) => write!(f, "{field} cannot be `{value}`{}", meant(*near)),
                None => write!(f, "{field} cannot be `{value}`; {}", wants.advice()),
            },
        }
    }
}

impl fmt::Display for SearchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

impl std::error::Error for SearchFault {}

impl SearchFault {
    /// The text before the place, at it, and after it.
    #[must_use]
    pub fn parts<'a>(&self, text: &'a str) -> (&'a str, &'a str, &'a str) {
        let before = text.get(..self.place.start).unwrap_or(text);
        let at = text.get(self.place.clone()).unwrap_or_default();
        let after = text.get(self.place.end..).unwrap_or_default();
        (before, at, after)
    }

    /// The text with the place marked below it, and what is wrong: three lines.
    #[must_use]
    pub fn report(&self, text: &str) -> String {
        let shown: String = text
            .chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .collect();
        let (before, at, _) = self.parts(text);
        let (indent, marks) = (before.chars().count(), at.chars().count().max(1));
        format!("{shown}\n{}{}\n{}", " ".repeat(indent), "^".repeat(marks), self.why)
    }
}
