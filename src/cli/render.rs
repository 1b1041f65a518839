//! `muster render`: answer files as they would be served now, without secrets.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use serde_json::json;

use super::{
    Failure, hosts,
    table::{counted, table},
};
use crate::{
    app,
    config::{HttpUrl, Settings},
    provision::answers::{Answers, Preview, Rendered},
    render::answer::{Grade, Ksvalidator, Library, Missing},
};

#[derive(Debug, Args)]
pub(super) struct RenderArgs {
    /// The host: its name, MAC or id.
    #[arg(long, required_unless_present = "all", conflicts_with = "all")]
    host: Option<String>,
    /// Show the template and line of each line, and the layer of each value that was used.
    #[arg(long, requires = "host")]
    explain: bool,
    /// Say what an installer would refuse; exit code 1 when it would.
    #[arg(long)]
    check: bool,
    /// As JSON.
    #[arg(long, requires = "host")]
    json: bool,
    /// Every host that has a profile.
    #[arg(long, requires = "to")]
    all: bool,
    /// The folder for their files, one for each host by its name or id.
    #[arg(long, value_name = "DIR", requires = "all", conflicts_with = "host")]
    to: Option<PathBuf>,
    /// The address of the boot listener that is written into files. Not given: as configured (boot.url, boot.listen).
    #[arg(long, value_name = "URL")]
    base_url: Option<HttpUrl>,
}

/// What was made, and whether an installer would refuse some of it.
pub(super) async fn render(settings: &Settings, args: RenderArgs) -> Result<(String, bool), Failure> {
    let library = Arc::new(Library::open(&settings.templates.dir.value)?);
    let store = hosts::open(settings).await?;
    let answers = Answers::new(store.clone(), app::catalog(settings, store.clone()), library);
    let base = args
        .base_url
        .clone()
        .map_or_else(|| app::shown_base(settings), |url| url.0);
    let base = base.as_str();
    let done = match (&args.host, &args.to) {
        (Some(host), _) => one(&answers, host, base, &args).await,
        (None, Some(folder)) => all(&answers, base, args.check, folder).await,
        // clap asks for one of them.
        (None, None) => Ok((String::new(), false)),
    };
    store.close().await?;
    done
}

async fn one(answers: &Answers, host: &str, base: &str, args: &RenderArgs) -> Result<(String, bool), Failure> {
    let host = answers.catalog().host_called(host).await?;
    let preview = answers.preview(host.id, base, args.check).await?;
    let wrong = preview.findings.iter().any(|finding| finding.grade == Grade::Error);
    let text = if args.json {
        format!("{:#}\n", as_json(&preview))
    } else if args.explain || args.check {
        explained(&preview, args.explain)
    } else {
        preview.text()
    };
    Ok((text, wrong))
}

fn as_json(preview: &Preview) -> serde_json::Value {
    json!({
        "template": preview.template,
        "lines": preview.lines.iter().map(|line| json!({
            "text": line.text, "template": line.template, "line": line.line,
        })).collect::<Vec<_>>(),
        "values": preview.values.iter().map(|value| json!({
            "name": value.name, "value": value.value, "layer": value.layer,
        })).collect::<Vec<_>>(),
        "findings": preview.findings.iter().map(|finding| json!({
            "error": finding.grade == Grade::Error, "line": finding.line, "message": finding.message,
            "checker": finding.checker,
        })).collect::<Vec<_>>(),
        "not_checked": preview.not_checked.map(Missing::words),
    })
}

fn explained(preview: &Preview, origins: bool) -> String {
    let mut text = String::new();
    for (at, line) in preview.lines.iter().enumerate() {
        if origins {
            let origin = format!("{}:{}", line.template, line.line);
            let _ = writeln!(text, "{origin:<44} | {}", line.text);
        }
        for finding in preview.findings.iter().filter(|finding| finding.line == at + 1) {
            let grade = if finding.grade == Grade::Error {
                "error"
            } else {
                "warning"
            };
            let _ = writeln!(
                text,
                "line {}: {grade}: {} ({})",
                at + 1,
                finding.message,
                finding.checker
            );
        }
    }
    for finding in preview.findings.iter().filter(|finding| finding.line == 0) {
        let _ = writeln!(text, "whole file: {} ({})", finding.message, finding.checker);
    }
    if origins {
        let rows: Vec<Vec<String>> = preview
            .values
            .iter()
            .map(|value| vec![value.name.clone(), value.value.clone(), value.layer.clone()])
            .collect();
        text.push('\n');
        text.push_str(&table(&["NAME", "VALUE", "FROM"], &rows));
    } else if preview.findings.is_empty() {
        text.push_str("nothing that an installer would refuse was found\n");
    }
    if let Some(what) = preview.not_checked.map(Missing::words) {
        let _ = writeln!(text, "note: {what}");
    }
    text
}

async fn all(answers: &Answers, base: &str, check: bool, folder: &Path) -> Result<(String, bool), Failure> {
    fs::create_dir_all(folder).map_err(Failure::Output)?;
    let rendered = answers
        .preview_all(base, check, |rendered| write(folder, rendered))
        .await?;
    let mut text = String::new();
    for (label, fault) in &rendered.faults {
        let _ = writeln!(text, "{label}: {fault}");
    }
    if check && let Some(what) = Ksvalidator::find().is_none().then_some(Missing::Ksvalidator.words()) {
        let _ = writeln!(text, "note: {what}");
    }
    let _ = writeln!(
        text,
        "{}, {} without one",
        counted(rendered.files as u64, "answer file"),
        counted(rendered.faults.len() as u64, "host")
    );
    Ok((text, !rendered.faults.is_empty()))
}

/// Writes one host's file. Labels are names that were checked, or ids.
fn write(folder: &Path, rendered: &Rendered<'_>) -> io::Result<()> {
    fs::write(folder.join(rendered.label), rendered.text)
}
