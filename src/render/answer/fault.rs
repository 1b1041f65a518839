//! What is wrong with a template, as a person can act on it: template, line, place, and what may have been meant.

use std::{error::Error as _, fmt};

use minijinja::{Error, ErrorKind};

use super::{Answer, Finding, bounds, context::Context, library::Shelf};

/// Why there is no answer. Shows the template's text, never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerFault {
    /// The full name of the template or snippet at fault.
    pub template: Box<str>,
    /// Its line, from 1; 0 when the fault is not in a line.
    pub line: usize,
    /// The column in characters, from 1; 0 when it is not known.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// The name that may have been meant.
    pub nearest: Option<Box<str>>,
    /// The line's text.
    pub source_line: Option<Box<str>>,
    /// How many characters the place covers.
    pub width: usize,
    /// The templates that included this one, innermost first: name and line.
    pub included_from: Vec<(String, usize)>,
}

impl fmt::Display for AnswerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.template)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean `{nearest}`?")?;
        }
        if let Some(line) = &self.source_line {
            write!(f, "\n{:>5} | {line}", self.line)?;
            if self.column > 0 {
                // Tabs stay tabs so that the caret stands under its place.
                let blank: String = line
                    .chars()
                    .take(self.column - 1)
                    .map(|c| if c == '\t' { '\t' } else { ' ' })
                    .collect();
                write!(f, "\n      | {blank}{}", "^".repeat(self.width.max(1)))?;
            }
        }
        for (name, line) in &self.included_from {
            write!(f, "\n      included from {name}:{line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for AnswerFault {}

impl AnswerFault {
    fn without_place(template: &str, message: String) -> Self {
        Self {
            template: template.into(),
            line: 0,
            column: 0,
            message,
            nearest: None,
            source_line: None,
            width: 0,
            included_from: Vec::new(),
        }
    }
}

/// The template that was asked for does not exist.
pub(super) fn unknown_template<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> AnswerFault {
    let inner = known.map(|known| known.split_once('/').map_or(known, |(_, inner)| inner));
    let nearest = nearest(name, inner);
    AnswerFault {
        nearest: nearest.map(Into::into),
        ..AnswerFault::without_place(
            name,
            "there is no such template, in the site's folder or built in".to_owned(),
        )
    }
}

/// The answer is larger than an installer's memory should bear.
pub(super) fn too_large(template: &str, bytes: usize) -> AnswerFault {
    let most = bounds::OUTPUT_BYTES >> 10;
    AnswerFault::without_place(
        template,
        format!("the answer has {bytes} bytes; more than {most} KiB is none"),
    )
}

/// What an installer would refuse in an answer, at the template's line that wrote it.
pub(super) fn of_finding(template: &str, finding: &Finding, answer: &Answer) -> AnswerFault {
    let origin = finding.line.checked_sub(1).and_then(|at| answer.lines.get(at));
    AnswerFault {
        line: origin.map_or(0, |origin| origin.line),
        ..AnswerFault::without_place(
            origin.map_or(template, |origin| &origin.template),
            finding.message.clone(),
        )
    }
}

/// Turns the engine's error into one that points at the place.
pub(super) fn explain(error: &Error, template: &str, shelf: &Shelf, context: &Context) -> AnswerFault {
    // An include wraps the error of what it included: the innermost is the cause, the others are the way to it.
    let mut chain = vec![error];
    let mut outer = error;
    while let Some(inner) = outer.source().and_then(|source| source.downcast_ref::<Error>()) {
        chain.push(inner);
        outer = inner;
    }
    let cause = chain.last().copied().unwrap_or(error);
    let included_from = chain
        .iter()
        .rev()
        .skip(1)
        .filter_map(|error| Some((error.name()?.to_owned(), error.line()?)))
        .collect();
    let name = cause.name().unwrap_or(template).to_owned();
    let source = shelf.source(&name);
    let mut line = cause.line().unwrap_or_default();
    let mut column = 0;
    let mut width = 0;
    let mut source_line = None;
    if let Some(source) = source.as_deref() {
        if let Some(range) = cause.range().filter(|range| source.get(range.clone()).is_some()) {
            let start = source[..range.start].rfind('\n').map_or(0, |at| at + 1);
            line = source[..start].matches('\n').count() + 1;
            column = source[start..range.start].chars().count() + 1;
            width = source[range]
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .count()
                .min(120);
        }
        source_line = line
            .checked_sub(1)
            .and_then(|at| source.lines().nth(at))
            .map(|text| text.chars().take(400).collect::<String>().into());
    }
    let (message, nearest) = words(cause, shelf, context);
    AnswerFault {
        template: name.into(),
        line,
        column,
        message: context.without_secrets(&message),
        nearest: nearest.map(Into::into),
        source_line,
        width,
        included_from,
    }
}

/// What is wrong, in words, and what may have been meant.
fn words(cause: &Error, shelf: &Shelf, context: &Context) -> (String, Option<String>) {
    let detail = cause.detail().unwrap_or_default();
    match cause.kind() {
        ErrorKind::UndefinedError => match between_ticks(detail) {
            Some(name) => (format!("`{name}` is undefined"), nearest_value(name, context)),
            None if detail.is_empty() => ("this is undefined".to_owned(), None),
            None => (detail.to_owned(), None),
        },
        ErrorKind::UnknownFilter => {
            let named = detail.split_whitespace().nth(1).unwrap_or_default();
            (detail.to_owned(), nearest(named, super::filters::NAMES.iter().copied()))
        }
        ErrorKind::UnknownFunction => {
            let named = detail.split_whitespace().next().unwrap_or_default();
            let known = ["snippet", "has_snippet", "range", "dict", "namespace", "refuse"];
            (detail.to_owned(), nearest(named, known.into_iter()))
        }
        ErrorKind::TemplateNotFound => {
            let named = between_ticks(detail)
                .or_else(|| detail.split('"').nth(1))
                .unwrap_or_default();
            let inner = shelf
                .template_names()
                .map(|name| name.split_once('/').map_or(name, |(_, inner)| inner));
            let known = shelf.snippet_names().chain(inner);
            (detail.to_owned(), nearest(named, known))
        }
        ErrorKind::OutOfFuel => (
            "the template does more than an answer file needs; is there a loop without end, or a very large text?"
                .to_owned(),
            None,
        ),
        ErrorKind::BadSerialization | ErrorKind::InvalidOperation if !detail.is_empty() => (detail.to_owned(), None),
        kind if detail.is_empty() => (kind.to_string(), None),
        kind => (format!("{kind}: {detail}"), None),
    }
}

fn between_ticks(text: &str) -> Option<&str> {
    text.split('`').nth(1).filter(|name| !name.is_empty())
}

/// The known value whose name is nearest to the dotted `name`.
fn nearest_value(name: &str, context: &Context) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    let (last, above) = parts.split_last()?;
    let names = context.names_at(above);
    let found = nearest(
        last,
        names.iter().map(String::as_str).filter(|name| !name.contains(' ')),
    )?;
    let mut whole: Vec<&str> = above.to_vec();
    whole.push(&found);
    Some(whole.join("."))
}

/// The known name nearest to `name`, when it is near enough to have been meant.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(score, known)| *score > 0.84 && *known != name)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known.to_owned())
}
