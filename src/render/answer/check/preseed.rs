//! Preseed files: by debconf-set-selections where it is installed, and by rules of our own.

use super::{Finding, program};

const TYPES: &[&str] = &[
    "string",
    "boolean",
    "select",
    "multiselect",
    "note",
    "password",
    "text",
    "seen",
];

/// Where debconf's checker is.
pub(super) fn program() -> Option<&'static str> {
    ["/usr/bin/debconf-set-selections", "/bin/debconf-set-selections"]
        .into_iter()
        .find(|path| std::path::Path::new(path).is_file())
}

/// By debconf, where it is installed.
pub(super) fn by_program(text: &str) -> Vec<Finding> {
    program().map_or_else(Vec::new, |path| by_debconf(path, text))
}

/// By our own rules.
pub(super) fn check(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut continues = false;
    for (at, line) in text.lines().enumerate() {
        let begins = !continues;
        continues = line.ends_with('\\') && !(begins && line.starts_with('#'));
        if !begins || line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace();
        let (owner, question, kind) = (words.next(), words.next(), words.next());
        match (owner, question, kind) {
            (Some(_), Some(question), Some(kind)) => {
                if !question.contains('/') {
                    findings.push(Finding::error(at + 1, format!("`{question}` is no name of a question")));
                }
                if !TYPES.contains(&kind) {
                    findings.push(Finding::error(at + 1, format!("`{kind}` is no type of a question")));
                }
                if kind == "boolean" && !matches!(words.next(), Some("true" | "false")) {
                    findings.push(Finding::error(at + 1, "a boolean is `true` or `false`"));
                }
            }
            _ => findings.push(Finding::error(at + 1, "a line is: owner, question, type, value")),
        }
    }
    if continues {
        findings.push(Finding::error(
            text.lines().count(),
            "the last line goes on after its end",
        ));
    }
    findings
}

fn by_debconf(program: &str, text: &str) -> Vec<Finding> {
    let output = match program::run(program, &["-c"], text) {
        Ok(output) => output,
        Err(error) => {
            return vec![Finding::warning(
                0,
                format!("debconf-set-selections could not be run: {error}"),
            )];
        }
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    said.lines()
        .filter(|line| line.starts_with("error:") || line.starts_with("warning:"))
        .map(|line| {
            let number = line
                .split("line ")
                .nth(1)
                .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
            let finding = if line.starts_with("error:") {
                Finding::error(number.unwrap_or(0), line)
            } else {
                Finding::warning(number.unwrap_or(0), line)
            };
            Finding {
                checker: "debconf-set-selections",
                ..finding
            }
        })
        .collect()
}
