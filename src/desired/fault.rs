use std::fmt;

/// Why a desired value or object is refused: which field, what was written, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field as a path, e.g. `network.interfaces.eth0.mac`.
    pub field: String,
    /// What was written, cut short; nothing for a secret.
    pub value: Option<String>,
    /// Why it cannot be.
    pub why: String,
    /// What to write instead.
    pub advice: String,
}

impl Fault {
    /// A fault of a value that may be shown.
    #[must_use]
    pub fn new(field: &str, value: &str, why: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            value: Some(value.chars().take(80).collect()),
            why: why.into(),
            advice: advice.into(),
        }
    }

    /// A fault of a secret, or of nothing written.
    #[must_use]
    pub fn unshown(field: &str, why: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            value: None,
            ..Self::new(field, "", why, advice)
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.field)?;
        if let Some(value) = &self.value {
            write!(f, " = `{value}`")?;
        }
        write!(f, ": {}; {}", self.why, self.advice)
    }
}

impl std::error::Error for Fault {}
