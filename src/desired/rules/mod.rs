//! Rules on facts: what a host is given because of its hardware. Pure.
//!
//! A rule has an expression over the names of [`NAMES`] and gives a profile, a name, a place or tags. The first rule by
//! order that gives a field wins it; tags of all rules that match are joined. What rules gave is kept with the host's
//! plan, each value with its rule ([`GivenLayer`]), and is a layer between profile and host: a person's own values win.

mod book;
mod condition;
mod engine;
mod give;
mod names;
mod pattern;
mod sample;
mod scan;

pub use book::{Answer, Judged, RuleBook};
pub use give::{By, Decision, GivenLayer, Giver, Offer, Standing, decide};
pub use names::{NAMES, Name, Sighted};

use serde::Serialize;

use super::{Fault, check_name};
use condition::Condition;
use pattern::Pattern;

/// Rules of a site at most.
pub const MAX_RULES: usize = 500;

/// Longest expression or template, bytes.
const LONGEST: usize = 2000;

/// Tags of one rule at most.
const MOST_TAGS: usize = 32;

/// The greatest order.
const LAST: u32 = 1_000_000;

/// Words that stand where the name of a rule does, in the API's addresses.
const TAKEN: &[&str] = &["apply", "dry-run"];

/// What hosts of some hardware are given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its name, unique among rules.
    pub name: String,
    /// Rules are asked by order, then by name; lower ones first.
    pub order: u32,
    /// The expression over facts; `true` for every host.
    pub when: String,
    /// A profile by name.
    pub profile: Option<String>,
    /// A name: text with `{{ fact }}` in it.
    pub hostname: Option<String>,
    /// Where hosts stand: text with `{{ fact }}` in it.
    pub place: Option<String>,
    /// Words to find hosts by: texts with `{{ fact }}` in them.
    pub tags: Vec<String>,
    /// Starts the installation of a host that was never installed.
    pub install: bool,
}

impl Rule {
    /// A rule that gives nothing yet.
    #[must_use]
    pub fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            order: 100,
            when: String::new(),
            profile: None,
            hostname: None,
            place: None,
            tags: Vec::new(),
            install: false,
        }
    }

    /// Checks all that can be told without profiles and hosts: every name that is used, and a trial on a sample.
    ///
    /// # Errors
    /// [`Fault`] naming the field, with the nearest name where one is not known.
    pub fn check(&self) -> Result<(), Fault> {
        check_name(&self.name)?;
        if TAKEN.contains(&self.name.as_str()) {
            return Err(Fault::new(
                "name",
                &self.name,
                "the word means something else where rules are named",
                "choose another name",
            ));
        }
        if self.order > LAST {
            return Err(Fault::new(
                "order",
                &self.order.to_string(),
                "it is too great",
                format!("write a number up to {LAST}"),
            ));
        }
        if self.profile.is_none() && self.hostname.is_none() && self.place.is_none() && self.tags.is_empty() {
            return Err(Fault::new(
                "rule",
                &self.name,
                "it gives nothing",
                "let it give a profile, a hostname, a place or tags",
            ));
        }
        if self.install && self.profile.is_none() {
            return Err(Fault::new(
                "install",
                "true",
                "it gives no profile to install",
                "let it give a profile too, or leave install away",
            ));
        }
        if self.tags.len() > MOST_TAGS {
            return Err(Fault::new(
                "tags",
                &self.tags.len().to_string(),
                "these are too many",
                format!("give {MOST_TAGS} at most"),
            ));
        }
        for tag in &self.tags {
            if tag.starts_with('!') {
                return Err(Fault::new(
                    "tags",
                    tag,
                    "a rule takes no tag away",
                    "write the tag itself",
                ));
            }
        }
        let sample = Sighted::new(&sample::facts());
        Condition::compile(&self.when)?.holds(&sample)?;
        for (field, text) in [("hostname", &self.hostname), ("place", &self.place)] {
            if let Some(text) = text {
                Pattern::compile(field, text)?.fill(&sample)?;
            }
        }
        for tag in &self.tags {
            Pattern::compile("tags", tag)?.fill(&sample)?;
        }
        Ok(())
    }

    /// Tags as people write them: words with blanks or commas between; what stands in `{{ }}` is one with its word.
    #[must_use]
    pub fn read_tags(text: &str) -> Vec<String> {
        let mut tags = vec![String::new()];
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            let fact = rest.starts_with("{{").then(|| rest.find("}}")).flatten();
            let taken = fact.map_or(letter.len_utf8(), |end| end + "}}".len());
            let (piece, after) = rest.split_at(taken);
            if fact.is_none() && (letter == ',' || letter.is_whitespace()) {
                tags.push(String::new());
            } else if let Some(tag) = tags.last_mut() {
                tag.push_str(piece);
            }
            rest = after;
        }
        tags.retain(|tag| !tag.is_empty());
        tags
    }
}

fn too_long(field: &str, text: &str) -> Result<(), Fault> {
    if text.len() <= LONGEST && !text.chars().any(|letter| letter.is_control() && letter != '\n') {
        return Ok(());
    }
    Err(Fault::new(
        field,
        text,
        format!("it is longer than {LONGEST} bytes, or has control characters"),
        "write a shorter one, or two rules",
    ))
}

#[cfg(test)]
mod tests;
