//! `muster template check`: every template with made-up machines, before a real one is started with it.

use std::{collections::BTreeMap, fmt::Write as _, path::Path, sync::Arc};

use clap::Subcommand;

use super::{Failure, hosts, table::counted};
use crate::{
    app,
    config::Settings,
    provision::answers::Answers,
    render::answer::{
        Grade, Ksvalidator, Library, Missing, check_with, render_answer,
        sample::{Sample, samples},
    },
};

#[derive(Debug, Subcommand)]
pub(super) enum TemplateCommand {
    /// Render the templates for made-up machines of every kind and say what an installer would refuse.
    Check {
        /// One machine of each kind instead of all.
        #[arg(long)]
        quick: bool,
        /// Every host of the ledger that has a profile as well.
        #[arg(long)]
        hosts: bool,
    },
}

/// The same for the hosts of the ledger, as they would be installed now.
pub(super) async fn check_hosts(settings: &Settings) -> Result<(String, bool), Failure> {
    let library = Arc::new(Library::open(&settings.templates.dir.value)?);
    let store = hosts::open(settings).await?;
    let answers = Answers::new(store.clone(), app::catalog(settings, store.clone()), library);
    // Files are looked at and not kept.
    let done = answers.preview_all(&app::shown_base(settings), true, |_| Ok(())).await;
    store.close().await?;
    let every = done?;
    let mut text = String::new();
    for (label, fault) in &every.faults {
        let _ = writeln!(text, "host {label}: {fault}");
    }
    let all = every.files + every.faults.len();
    let _ = writeln!(
        text,
        "{}, {}",
        counted(all as u64, "host"),
        counted(every.faults.len() as u64, "error")
    );
    Ok((text, !every.faults.is_empty()))
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
        let _ = writeln!(text, "{}", Missing::Ksvalidator.words());
    }
    for (template, line, name) in library.broken_includes() {
        wrong += 1;
        let _ = writeln!(text, "{template}:{line}: there is no snippet `{name}`");
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
    let _ = writeln!(
        text,
        "{}, {}",
        counted(all.len() as u64, "answer file"),
        counted(wrong as u64, "error")
    );
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
