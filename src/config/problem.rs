use std::{fmt, path::PathBuf};

use super::Origin;

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file and line, variable or flag that holds it.
    pub origin: Origin,
    /// What is wrong and what to write instead.
    pub what: String,
}

impl Problem {
    /// Files by name and place, then variables, then flags: as a person goes through them.
    pub(super) fn order(&self) -> (u8, PathBuf, usize, usize) {
        match &self.origin {
            Origin::File { path, line, column } => (0, path.to_path_buf(), *line, *column),
            Origin::Default => (1, PathBuf::new(), 0, 0),
            Origin::Environment(_) => (2, PathBuf::new(), 0, 0),
            Origin::Flag(_) => (3, PathBuf::new(), 0, 0),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.what)
    }
}

/// Everything that is wrong with the settings, so that one run is enough to mend them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<Problem>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("one setting is wrong")?,
            count => write!(f, "{count} settings are wrong")?,
        }
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

/// The known name most like `found`, when one is like it: a slip of the finger, the beginning of a name, or the right
/// key in another section.
pub(super) fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const ALIKE: f64 = 0.75;
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let last = |text: &str| plain(text.rsplit('.').next().unwrap_or(text));
    let likeness = |name: &str| {
        let whole = strsim::normalized_damerau_levenshtein(&plain(found), &plain(name));
        let begins = last(found).len() > 3 && last(name).starts_with(&last(found));
        if begins || (last(found) == last(name) && last(name).len() > 2) {
            whole.max(ALIKE + whole / 10.0)
        } else {
            whole
        }
    };
    known
        .into_iter()
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_slips_and_other_sections() {
        let known = ["http.listen", "boot.listen", "dhcp.client_port", "log.filter"];
        assert_eq!(nearest("http.listne", known), Some("http.listen"));
        assert_eq!(nearest("dhcp.client-port", known), Some("dhcp.client_port"));
        assert_eq!(nearest("server.filter", known), Some("log.filter"));
        assert_eq!(nearest("lease", ["mode", "lease_time"]), Some("lease_time"));
        assert_eq!(nearest("colour", known), None);
    }
}
