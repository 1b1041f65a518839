//! `muster template check`: every template with made-up machines, before a real one is started with it.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use clap::Subcommand;

use super::Failure;
use crate::render::answer::{
    Grade, Ksvalidator, Library, check_with, render_answer,
    sample::{Sample, samples},
};

#[derive(Debug, Subcommand)]
pub(super) enum TemplateCommand {
    /// Render the templates for made-up machines of every kind and say what an installer would refuse.
    Check {
        /// One machine of each kind instead of all.
        #[arg(long)]
        quick: bool,
    },
}

/// What was found, and whether it is more than warnings.
pub(super) fn check(folder: &Path, quick: bool) -> Result<(String, bool), Failure> {
    let library = Library::open(folder)?;
    let ksvalidator = Ksvalidator::find();
    let mut text = String::new();
    let mut wrong = 0_usize;
    for skipped in library.skipped() {
        let _ = writeln!(text, "{}: not used: {}", skipped.path.display(), skipped.why);
    }
    if ksvalidator.is_none() {
        text.push_str(
            "ksvalidator is not installed (pykickstart): kickstarts are checked by Muster's own rules only\n",
        );
    }
    let all = chosen(quick);
    for sample in &all {
        match render_answer(&library, sample.template, &sample.input) {
            Ok(answer) => {
                for finding in check_with(&answer, ksvalidator.as_ref()) {
                    wrong += usize::from(finding.grade == Grade::Error);
                    let origin = finding
                        .line
                        .checked_sub(1)
                        .and_then(|at| answer.lines.get(at))
                        .map(|origin| format!(" ({}:{})", origin.template, origin.line))
                        .unwrap_or_default();
                    let _ = writeln!(
                        text,
                        "{}: line {}{origin}: {} ({})",
                        sample.name, finding.line, finding.message, finding.checker
                    );
                }
            }
            Err(fault) => {
                wrong += 1;
                let _ = writeln!(text, "{}: {fault}", sample.name);
            }
        }
    }
    let _ = writeln!(text, "{} answer files, {wrong} errors", all.len());
    Ok((text, wrong > 0))
}

/// All machines, or the last one for each template and distribution.
fn chosen(quick: bool) -> Vec<Sample> {
    let all = samples();
    if !quick {
        return all;
    }
    let one_each: BTreeMap<(String, &'static str), Sample> = all
        .into_iter()
        .map(|sample| ((sample.input.search.distro.clone(), sample.template), sample))
        .collect();
    one_each.into_values().collect()
}
