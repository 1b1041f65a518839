//! A value as it was written, with where it was written.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use toml::de::{DeTable, DeValue};

use super::Problem;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// A file; line and column count from 1.
    File {
        /// The file.
        path: Arc<Path>,
        /// Line.
        line: usize,
        /// Column, in characters.
        column: usize,
    },
    /// An environment variable, by name.
    Environment(String),
    /// A flag of the command line, as a person would write it.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// A value as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) content: Content,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// Text of a variable or flag, whose type the key decides.
    Plain(String),
    Text(String),
    Integer(String),
    Flag(bool),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// A float or a date: no setting is one.
    Other(String),
}

/// One key of a table with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Of the name.
    pub(super) origin: Origin,
    pub(super) value: Node,
}

/// What is wrong with one value: where, and the end of the sentence "`key` is VALUE: …".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) origin: Origin,
    pub(super) found: String,
    pub(super) why: String,
}

impl Node {
    pub(super) fn wrong(&self, why: impl Into<String>) -> Wrong {
        Wrong {
            origin: self.origin.clone(),
            found: self.found(),
            why: why.into(),
        }
    }

    /// The value as a message quotes it: short, and in TOML's notation.
    fn found(&self) -> String {
        match &self.content {
            Content::Plain(text) | Content::Text(text) => quoted(&text.chars().take(80).collect::<String>()),
            Content::Integer(text) | Content::Other(text) => text.clone(),
            Content::Flag(flag) => flag.to_string(),
            Content::List(_) => "a list".to_owned(),
            Content::Table(_) => "a table".to_owned(),
        }
    }

    pub(super) fn text(&self) -> Result<&str, Wrong> {
        match &self.content {
            Content::Plain(text) | Content::Text(text) => Ok(text.trim()),
            _ => Err(self.wrong("expected text in quotes")),
        }
    }

    pub(super) fn flag(&self) -> Result<bool, Wrong> {
        match &self.content {
            Content::Flag(flag) => Ok(*flag),
            Content::Plain(text) => match text.trim() {
                "true" | "yes" | "on" | "1" => Ok(true),
                "false" | "no" | "off" | "0" => Ok(false),
                _ => Err(self.wrong("expected true or false")),
            },
            _ => Err(self.wrong("expected true or false")),
        }
    }

    pub(super) fn integer(&self) -> Result<u64, Wrong> {
        let text = match &self.content {
            Content::Integer(text) => text,
            Content::Plain(text) => text.trim(),
            _ => return Err(self.wrong("expected a whole number without quotes")),
        };
        text.parse()
            .map_err(|_| self.wrong("expected a whole number that is not negative"))
    }

    /// A list; plain text is split at commas, or read as a TOML array when it is one.
    pub(super) fn list(&self) -> Result<Vec<Self>, Wrong> {
        match &self.content {
            Content::List(items) => Ok(items.clone()),
            Content::Plain(text) if text.trim_start().starts_with('[') => self.inline(text)?.list(),
            Content::Plain(text) => Ok(text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| Self {
                    origin: self.origin.clone(),
                    content: Content::Plain(part.to_owned()),
                })
                .collect()),
            _ => Err(self.wrong("expected a list, as in [\"one\", \"two\"]")),
        }
    }

    pub(super) fn table(&self) -> Result<Vec<Entry>, Wrong> {
        match &self.content {
            Content::Table(entries) => Ok(entries.clone()),
            Content::Plain(text) if text.trim_start().starts_with('{') => self.inline(text)?.table(),
            _ => Err(self.wrong("expected a table, as in { name = \"value\" }")),
        }
    }

    /// Plain text that is a TOML value of its own: a variable can hold `[{ network = … }]`.
    fn inline(&self, text: &str) -> Result<Self, Wrong> {
        let value = DeValue::parse(text.trim())
            .map_err(|error| self.wrong(format!("it is not TOML: {}", error.message().trim_end())))?;
        Ok(from_value(value.get_ref(), &|_| self.origin.clone(), 0))
    }
}

/// Text in quotes, as TOML writes it.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Reads one TOML file into a table, or tells everything that is wrong with its notation.
pub(super) fn read_toml(path: &Path, text: &str) -> Result<Vec<Entry>, Vec<Problem>> {
    let shared: Arc<Path> = Arc::from(PathBuf::from(path));
    let place = |offset: usize| {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Origin::File {
            path: Arc::clone(&shared),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors
            .iter()
            .map(|error| Problem {
                origin: place(error.span().map_or(0, |span| span.start)),
                what: format!("this is not TOML: {}", error.message().trim_end()),
            })
            .collect());
    }
    Ok(entries(table.get_ref(), &place, 0))
}

/// Deeper nesting than any setting has is cut off: a file cannot exhaust the stack.
const DEEPEST: usize = 16;

fn entries(table: &DeTable<'_>, place: &dyn Fn(usize) -> Origin, depth: usize) -> Vec<Entry> {
    let mut found: Vec<_> = table
        .iter()
        .map(|(name, value)| {
            let value_node = Node {
                origin: place(value.span().start),
                content: from_value(value.get_ref(), place, depth).content,
            };
            let entry = Entry {
                name: name.get_ref().to_string(),
                origin: place(name.span().start),
                value: value_node,
            };
            (name.span().start, entry)
        })
        .collect();
    found.sort_by_key(|(start, _)| *start);
    found.into_iter().map(|(_, entry)| entry).collect()
}

fn from_value(value: &DeValue<'_>, place: &dyn Fn(usize) -> Origin, depth: usize) -> Node {
    let content = match value {
        DeValue::String(text) => Content::Text(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Content::Integer(number.as_str().replace('_', "")),
        DeValue::Boolean(flag) => Content::Flag(*flag),
        DeValue::Array(_) | DeValue::Table(_) if depth >= DEEPEST => Content::Other("a deep nest".to_owned()),
        DeValue::Array(items) => Content::List(
            items
                .iter()
                .map(|item| Node {
                    origin: place(item.span().start),
                    content: from_value(item.get_ref(), place, depth + 1).content,
                })
                .collect(),
        ),
        DeValue::Table(table) => Content::Table(entries(table, place, depth + 1)),
        DeValue::Integer(number) => Content::Other(number.to_string()),
        DeValue::Float(number) => Content::Other(number.to_string()),
        DeValue::Datetime(date) => Content::Other(date.to_string()),
    };
    Node {
        origin: place(0),
        content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters() {
        let entries = read_toml(Path::new("a.toml"), "# ä\n[log]\n  filter = \"ä\" # x\n").unwrap();
        let Content::Table(inner) = &entries[0].value.content else {
            panic!("log is a table");
        };
        assert_eq!(entries[0].origin.to_string(), "a.toml:2:2");
        assert_eq!(inner[0].origin.to_string(), "a.toml:3:3");
        assert_eq!(inner[0].value.origin.to_string(), "a.toml:3:12");
    }

    #[test]
    fn bad_notation_names_the_line() {
        let problems = read_toml(Path::new("a.toml"), "[log]\nfilter = \n").unwrap_err();
        assert!(problems[0].to_string().starts_with("a.toml:2:"), "{}", problems[0]);
    }

    #[test]
    fn plain_text_is_a_list_by_commas_or_by_brackets() {
        let plain = |text: &str| Node {
            origin: Origin::Default,
            content: Content::Plain(text.to_owned()),
        };
        assert_eq!(plain("a, b,").list().unwrap().len(), 2);
        assert_eq!(plain("[\"a\", \"b\", \"c\"]").list().unwrap().len(), 3);
        assert!(plain("[\"a\"").list().is_err());
    }
}
