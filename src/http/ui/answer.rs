//! The answer file a host would get now, on its page: line by line, with who wrote each and what is wrong with it.

use serde::Serialize;

use super::view::View;
use crate::{
    http::Problem,
    inventory::HostId,
    provision::answers::{AnswersFault, Preview},
    render::answer::{Finding, Grade, Missing, Part, parts},
};

/// How many times a script within a script is looked into.
const DEEPEST: u8 = 3;
/// Characters of a run of base64 that are shown where the script itself stands below.
const BEGINNING: usize = 24;

/// The file, or why there is none.
#[derive(Serialize)]
pub(super) struct Shown {
    template: String,
    lines: Vec<Line>,
    /// Findings about the whole file.
    whole: Vec<Found>,
    errors: usize,
    warnings: usize,
    /// Values that the templates asked for: name, value, who says it.
    values: Vec<(String, String, String)>,
    /// A program that would have read it, and that the server does not have.
    not_read_by: Option<&'static str>,
    fault: Option<String>,
}

#[derive(Serialize)]
struct Line {
    number: usize,
    text: Written,
    /// The template; a site's own with `site/` before it.
    template: String,
    line: usize,
    findings: Vec<Found>,
}

/// A line as people read it: runs of base64 cut short, and the scripts that they hold.
#[derive(Serialize)]
pub(super) struct Written {
    /// Text, and how many characters were left out of its end.
    pieces: Vec<(String, usize)>,
    scripts: Vec<Vec<Self>>,
}

impl Written {
    fn of(line: &str, depth: u8) -> Self {
        let mut out = Self {
            pieces: Vec::new(),
            scripts: Vec::new(),
        };
        if depth == 0 {
            out.pieces.push((line.to_owned(), 0));
            return out;
        }
        for part in parts(line) {
            match part {
                Part::Plain(text) => out.pieces.push((text.to_owned(), 0)),
                Part::Script { encoded, text } => {
                    let beginning: String = encoded.chars().take(BEGINNING).collect();
                    out.pieces.push((beginning, encoded.len().saturating_sub(BEGINNING)));
                    out.scripts
                        .push(text.lines().map(|line| Self::of(line, depth - 1)).collect());
                }
            }
        }
        out
    }
}

/// A text without where its lines come from: the one that was served to a machine.
pub(super) fn written(text: &str) -> Vec<Written> {
    text.lines().map(|line| Written::of(line, DEEPEST)).collect()
}

#[derive(Serialize)]
struct Found {
    line: usize,
    tone: &'static str,
    message: String,
    checker: &'static str,
}

impl Found {
    fn of(finding: &Finding) -> Self {
        Self {
            line: finding.line,
            tone: if finding.grade == Grade::Error { "bad" } else { "warn" },
            message: finding.message.clone(),
            checker: finding.checker,
        }
    }
}

/// Renders and checks the file of a host.
pub(super) async fn shown(view: &View, host: HostId) -> Result<Shown, Problem> {
    match view.state.answers()?.preview(host, &view.boot_base, true).await {
        Ok(preview) => Ok(of(preview)),
        Err(AnswersFault::Ledger(error)) => Err(error.into()),
        Err(fault) => Ok(Shown {
            template: String::new(),
            lines: Vec::new(),
            whole: Vec::new(),
            errors: 0,
            warnings: 0,
            values: Vec::new(),
            not_read_by: None,
            fault: Some(fault.to_string()),
        }),
    }
}

fn of(preview: Preview) -> Shown {
    let count = |grade| preview.findings.iter().filter(|finding| finding.grade == grade).count();
    let errors = count(Grade::Error);
    let last = preview.lines.len();
    let at = |line: usize| {
        preview
            .findings
            .iter()
            .filter(move |finding| finding.line == line)
            .map(Found::of)
            .collect()
    };
    Shown {
        errors,
        warnings: preview.findings.len() - errors,
        whole: preview
            .findings
            .iter()
            .filter(|finding| finding.line == 0 || finding.line > last)
            .map(Found::of)
            .collect(),
        lines: preview
            .lines
            .iter()
            .enumerate()
            .map(|(place, line)| Line {
                number: place + 1,
                text: Written::of(&line.text, DEEPEST),
                template: line
                    .template
                    .strip_prefix("built-in/")
                    .unwrap_or(&line.template)
                    .to_owned(),
                line: line.line,
                findings: at(place + 1),
            })
            .collect(),
        values: preview
            .values
            .into_iter()
            .map(|value| (value.name, value.value, value.layer))
            .collect(),
        not_read_by: preview.not_checked.map(Missing::command),
        template: preview.template,
        fault: None,
    }
}
