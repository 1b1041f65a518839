//! `--dry-run`: whose answer files and boot lines would change, and how.

use std::{fmt::Write as _, sync::Arc};

use crate::{
    app,
    cli::{Failure, table::counted},
    config::Settings,
    desired::{Draft, HostPlan},
    provision::{
        Catalog,
        answers::{Answers, Changes},
    },
    render::answer::Library,
    store::Store,
};

/// What is tried instead of done.
pub(super) enum Trial {
    /// A distro or a profile as it would be.
    Of(Draft),
    /// What would be wanted of a host.
    OfHost(HostPlan),
}

/// What it would mean to save this.
pub(super) async fn of(settings: &Settings, store: &Store, catalog: &Catalog, trial: Trial) -> Result<String, Failure> {
    let library = Arc::new(Library::open(&settings.templates.dir.value)?);
    let answers = Answers::new(store.clone(), catalog.clone(), library);
    let base = app::shown_base(settings);
    let changes = match trial {
        Trial::Of(draft) => {
            let (_, after) = catalog.drafted(&draft).await?;
            answers.changes(&after, &base).await?
        }
        Trial::OfHost(plan) => {
            catalog.check_plan(&plan).await?;
            answers.changes_of_host(plan, &base).await?
        }
    };
    Ok(text(&changes))
}

fn text(changes: &Changes) -> String {
    let mut text = String::new();
    for change in &changes.hosts {
        // Writing to a String cannot fail.
        let _ = match (&change.difference, change.as_now) {
            (Ok(difference), _) => writeln!(text, "host {}\n{difference}", change.label),
            (Err(why), false) => writeln!(text, "host {}: there would be no answer file: {why}", change.label),
            (Err(why), true) => writeln!(
                text,
                "host {}: there is no answer file, now as then: {why}",
                change.label
            ),
        };
    }
    let differ = changes.hosts.iter().filter(|change| !change.as_now).count();
    let _ = writeln!(
        text,
        "{} would change; nothing was changed",
        counted(differ, "installation")
    );
    let without = changes.hosts.iter().filter(|change| change.difference.is_err()).count();
    if without > 0 {
        let _ = writeln!(text, "{} could not be installed", counted(without, "host"));
    }
    if changes.not_looked_at > 0 {
        let _ = writeln!(
            text,
            "{} more would have other values and were not looked at",
            counted(changes.not_looked_at, "host")
        );
    }
    text
}
