//! `--dry-run`: whose answer files would change, and how.

use std::{fmt::Write as _, sync::Arc};

use crate::{
    cli::Failure,
    config::Settings,
    desired::{Objects, Profile},
    provision::{
        Catalog,
        answers::{Answers, Changes},
    },
    render::answer::Library,
    store::Store,
};

/// What is written into files where no setting names the boot listener.
const BASE_URL: &str = "http://muster:8080";

/// What it would mean to save this profile.
pub(super) async fn of_profile(
    settings: &Settings,
    store: &Store,
    catalog: &Catalog,
    profile: Profile,
) -> Result<String, Failure> {
    let library = Arc::new(Library::open(&settings.templates.dir.value)?);
    let answers = Answers::new(store.clone(), catalog.clone(), library);
    let mut after = Objects::clone(&*answers.catalog().objects().await?);
    after.profiles.insert(profile.name.clone(), profile);
    let base = settings.boot.url.value.as_ref().map_or(BASE_URL, |url| url.0.as_str());
    Ok(text(&answers.changes(&after, base).await?))
}

fn text(changes: &Changes) -> String {
    let mut text = String::new();
    for change in &changes.hosts {
        match &change.difference {
            Ok(difference) => {
                let _ = writeln!(text, "host {}\n{difference}", change.label);
            }
            Err(why) => {
                let _ = writeln!(text, "host {}: there would be no answer file: {why}", change.label);
            }
        }
    }
    let _ = writeln!(
        text,
        "{} answer files would change; nothing was changed",
        changes.hosts.len()
    );
    if changes.not_looked_at > 0 {
        let _ = writeln!(text, "{} further hosts have other values then", changes.not_looked_at);
    }
    text
}
