//! What an installer would refuse in an answer, found before a machine is started with it.

mod autoinstall;
mod autoyast;
mod kickstart;
mod preseed;
mod program;

use super::{Answer, AnswerKind};

pub use kickstart::{Ksvalidator, version_name as ksvalidator_version};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Worth a look; the installation goes on.
    Warning,
    /// The installer stops, or does something else than was meant.
    Error,
}

/// Something that is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub grade: Grade,
    /// The line of the answer, from 1; 0 when it is about the whole.
    pub line: usize,
    /// What is wrong, in words; may hold what stands in the line.
    pub message: String,
    /// Who says so: `ksvalidator`, `debconf-set-selections`, or `muster`.
    pub checker: &'static str,
}

impl Finding {
    fn error(line: usize, message: impl Into<String>) -> Self {
        Self {
            grade: Grade::Error,
            line,
            message: message.into(),
            checker: "muster",
        }
    }

    fn warning(line: usize, message: impl Into<String>) -> Self {
        Self {
            grade: Grade::Warning,
            ..Self::error(line, message)
        }
    }
}

/// A program that would read an answer, and is not installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// pykickstart's validator.
    Ksvalidator,
    /// debconf's reader of preseeds.
    Debconf,
}

impl Missing {
    /// Its command.
    #[must_use]
    pub const fn command(self) -> &'static str {
        match self {
            Self::Ksvalidator => "ksvalidator",
            Self::Debconf => "debconf-set-selections",
        }
    }

    /// What is done without it, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Ksvalidator => {
                "ksvalidator is not installed (pykickstart): kickstarts are checked by Muster's own rules only"
            }
            Self::Debconf => "debconf-set-selections is not installed: preseeds are checked by Muster's own rules only",
        }
    }
}

/// Which program could not read an answer because it is not installed.
#[must_use]
pub fn not_checked(answer: &Answer, ksvalidator: Option<&Ksvalidator>) -> Option<Missing> {
    match answer.kind {
        AnswerKind::Kickstart if ksvalidator.is_none() && ksvalidator_version(&answer.platform).is_some() => {
            Some(Missing::Ksvalidator)
        }
        AnswerKind::Preseed if preseed::program().is_none() => Some(Missing::Debconf),
        _ => None,
    }
}

/// Checks `answer` by our own rules and by what is installed: ksvalidator and debconf-set-selections.
///
/// Programs are run, so this blocks for a fraction of a second.
#[must_use]
pub fn check(answer: &Answer) -> Vec<Finding> {
    check_with(answer, Ksvalidator::find().as_ref())
}

/// Like [`check`], with this ksvalidator or none.
#[must_use]
pub fn check_with(answer: &Answer, ksvalidator: Option<&Ksvalidator>) -> Vec<Finding> {
    let mut findings = by_own_rules(answer);
    findings.extend(match (answer.kind, ksvalidator) {
        (AnswerKind::Kickstart, Some(ksvalidator)) => kickstart::by_program(answer, ksvalidator),
        (AnswerKind::Preseed, _) => preseed::by_program(&answer.text),
        _ => Vec::new(),
    });
    findings.sort_by_key(|finding| (finding.line, finding.grade));
    findings
}

/// Checks `answer` without running any program.
pub(super) fn by_own_rules(answer: &Answer) -> Vec<Finding> {
    let mut findings = general(&answer.text);
    findings.extend(match answer.kind {
        AnswerKind::Kickstart => kickstart::check(answer),
        AnswerKind::Preseed => preseed::check(&answer.text),
        AnswerKind::UserData => autoinstall::user_data(&answer.text),
        AnswerKind::MetaData => autoinstall::meta_data(&answer.text),
        AnswerKind::AutoYast => autoyast::check(&answer.text),
        AnswerKind::Text => Vec::new(),
    });
    findings
}

/// What is wrong in any kind of file.
fn general(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.contains('\0') {
            findings.push(Finding::error(at + 1, "a NUL character"));
        }
        let mut parts = line.split("@@");
        parts.next();
        if let (Some(name), Some(_)) = (parts.next(), parts.next())
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            let message = format!("`@@{name}@@` is Cobbler's way of naming a value: here it is `{{{{ {name} }}}}`");
            findings.push(Finding::warning(at + 1, message));
        }
    }
    findings
}
