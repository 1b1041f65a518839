//! What is installed, and which installer reads the answer.

use serde_json::{Map, Value};

use crate::desired::Family;

/// Which installer reads an answer, by the name of its template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// Anaconda's kickstart (`.ks`), or Debian's reading of one.
    Kickstart,
    /// Debian's preseed (`.preseed`, `.cfg`).
    Preseed,
    /// cloud-init's user-data with an `autoinstall` section (`user-data`, `.yaml`).
    UserData,
    /// cloud-init's meta-data.
    MetaData,
    /// AutoYaST's profile (`.xml`).
    AutoYast,
    /// Anything else, for example a script.
    Text,
}

impl AnswerKind {
    /// The kind of what the template of this name makes.
    #[must_use]
    pub fn of_template(name: &str) -> Self {
        let file = name.rsplit('/').next().unwrap_or(name);
        match file.rsplit('.').next().unwrap_or(file) {
            "ks" => Self::Kickstart,
            "preseed" | "cfg" => Self::Preseed,
            "user-data" | "yaml" | "yml" => Self::UserData,
            "meta-data" => Self::MetaData,
            "xml" => Self::AutoYast,
            _ => Self::Text,
        }
    }

    /// The MIME type under which the answer is served.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::AutoYast => "application/xml; charset=utf-8",
            _ => "text/plain; charset=utf-8",
        }
    }

    /// The rendered text as a file: it begins with its first word (XML and cloud-init insist on that) and ends with
    /// a line end (without one the last line of a preseed file is lost).
    /// Also says how many bytes were cut from the beginning.
    pub(super) fn finish(text: String) -> (String, usize) {
        let begins = text.trim_start_matches(['\n', '\r', ' ', '\t']);
        let cut = text.len() - begins.len();
        let mut text = if cut == 0 { text } else { begins.to_owned() };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        (text, cut)
    }
}

/// What is installed: which commands an installer knows depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// The installer's family.
    pub family: Family,
    /// The distribution: `rocky`, `fedora`, `debian`.
    pub id: String,
    /// The whole version: `9.4`, `22.04`.
    pub version: String,
    /// Its first part; zero when it is not known.
    pub major: u32,
}

impl Platform {
    pub(super) fn of(context: &Map<String, Value>, family: Family) -> Self {
        let distro = context.get("distro");
        let text = |key: &str| {
            let value = distro.and_then(|distro| distro.get(key));
            match value {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Number(number)) => number.to_string(),
                _ => String::new(),
            }
        };
        let version = text("version");
        let major = [text("major"), version.clone()]
            .iter()
            .find_map(|text| text.split('.').next()?.parse().ok())
            .unwrap_or_default();
        Self {
            family,
            id: text("id"),
            version,
            major,
        }
    }
}
