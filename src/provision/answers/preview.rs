//! Seen before it is booted: the answer file a host would get now, without secrets, and where each line comes from.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Answers, AnswersFault, render};
use crate::{
    desired::Values,
    install::redact,
    inventory::HostId,
    provision::{HostDesired, install::AnswerContext},
    render::answer::{Answer, AnswerKind, Finding, Grade, Ksvalidator, Missing, UsedValue, check_with, not_checked},
};

/// The answer file a host would get now.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The template, such as `redhat/default.ks`.
    pub template: String,
    /// Which installer reads it.
    pub kind: AnswerKind,
    /// The file, line by line, with its secrets replaced.
    pub lines: Vec<PreviewLine>,
    /// The values that its templates asked for, with the layer of each.
    pub values: Vec<UsedValue>,
    /// What an installer would refuse; empty when nobody asked for a check.
    pub findings: Vec<Finding>,
    /// Which checker could not be asked because it is not installed, when a check was asked for.
    pub not_checked: Option<Missing>,
}

/// A line of an answer file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewLine {
    /// The line, without its end.
    pub text: String,
    /// The template or snippet that wrote it, with `site/` or `built-in/` before its name.
    pub template: Arc<str>,
    /// The line there, from 1.
    pub line: usize,
}

impl Preview {
    fn of(template: &str, answer: Answer, findings: Vec<Finding>, not_checked: Option<Missing>) -> Self {
        let hidden = redact(&answer.text, answer.secrets.iter().map(String::as_str));
        let origins = answer.lines.into_iter();
        // A secret is one word of one line, so lines stay where they are.
        let lines = hidden
            .lines()
            .zip(origins)
            .map(|(text, origin)| PreviewLine {
                text: text.to_owned(),
                template: origin.template,
                line: origin.line,
            })
            .collect();
        Self {
            template: template.to_owned(),
            kind: answer.kind,
            lines,
            values: answer.used,
            findings: findings
                .into_iter()
                .map(|finding| Finding {
                    message: redact(&finding.message, answer.secrets.iter().map(String::as_str)),
                    ..finding
                })
                .collect(),
            not_checked,
        }
    }

    /// The file as one text.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{}\n", line.text)).collect()
    }
}

/// Values in force that are not well-formed: kept before their fields were looked at as they are now.
pub(super) fn wrong_values(desired: &HostDesired) -> Vec<Finding> {
    let fields = desired.effective.values.iter();
    let one = |(key, value): (&String, &Value)| Values::check(Map::from_iter([(key.clone(), value.clone())])).err();
    fields
        .filter_map(one)
        .map(|fault| Finding {
            grade: Grade::Error,
            line: 0,
            message: fault.to_string(),
            checker: "muster",
        })
        .collect()
}

impl Answers {
    /// The answer file a host would get now, from a server at `base_url` (`http://address:port`). With `check` it is read
    /// by the checkers too, which takes some tenths of a second.
    ///
    /// # Errors
    /// When there is no such host, it has no profile, what is wanted does not fit it, or its template has a mistake.
    pub async fn preview(&self, host: HostId, base_url: &str, check: bool) -> Result<Preview, AnswersFault> {
        let (desired, facts) = self.host(host).await?;
        let library = Arc::clone(&self.library);
        let context = AnswerContext::of_preview(base_url);
        let work = move || {
            let answer = render(&library, &desired, facts.as_ref(), &context)?;
            let (mut findings, mut left_out) = (Vec::new(), None);
            if check {
                let ksvalidator = Ksvalidator::find();
                findings = wrong_values(&desired);
                findings.extend(check_with(&answer, ksvalidator.as_ref()));
                left_out = not_checked(&answer, ksvalidator.as_ref());
            }
            let template = desired.effective.values.get("template").and_then(|name| name.as_str());
            Ok(Preview::of(template.unwrap_or_default(), answer, findings, left_out))
        };
        // Checkers are programs that are waited for.
        match tokio::task::spawn_blocking(work).await {
            Ok(preview) => preview,
            Err(stopped) => std::panic::resume_unwind(stopped.into_panic()),
        }
    }
}
