//! The page of one layer: a profile, a distro or the site's defaults.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    hosts,
    in_force::{self, Tag},
    layer::{self, FaultShown, LayerForm, Sent},
    view::{Place, View},
};
use crate::{
    auth::{Caller, Permission},
    desired::{Draft, Effective, Fault, LayerName, Objects, Parent, Values},
    http::Problem,
    inventory::HostId,
    provision::{CatalogFault, answers::Changes},
    store::StoreError,
};

/// Hosts named as users of a profile.
const MOST_USERS: u64 = 12;

/// The views of a layer, in their order.
pub(super) const VIEWS: [&str; 3] = ["values", "edit", "text"];

/// What the address of a layer's page asks for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    view: String,
    #[serde(default)]
    saved: String,
}

impl Asked {
    /// The view that is shown: who may not edit sees the values.
    pub(super) fn view(&self, caller: Option<&Caller>) -> &'static str {
        let wanted = VIEWS.into_iter().find(|view| *view == self.view);
        wanted.filter(|_| may_edit(caller)).unwrap_or("values")
    }
}

pub(super) fn may_edit(caller: Option<&Caller>) -> bool {
    caller.is_some_and(|caller| caller.may(Permission::EditPlans))
}

/// What every layer's page shows.
#[derive(Serialize)]
pub(super) struct LayerPage {
    /// `profile`, `distro` or `defaults`.
    pub(super) kind: &'static str,
    /// Nothing for one that is to be made.
    pub(super) name: Option<String>,
    /// Where its page is, and its forms go.
    pub(super) address: String,
    /// One of [`VIEWS`].
    pub(super) shows: &'static str,
    pub(super) may_edit: bool,
    pub(super) saved: bool,
    /// What it stands on, from the site's defaults down.
    pub(super) lineage: Vec<Tag>,
    pub(super) rows: Vec<in_force::Row>,
    pub(super) form: Option<LayerForm>,
    /// What a form has beside the values: name, parent, kernel, …
    pub(super) extra: Vec<Extra>,
    /// What a page shows beside the values.
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) profiles: Vec<String>,
    pub(super) hosts: Vec<(HostId, String)>,
    pub(super) hosts_all: u64,
    /// Why it was not copied, renamed or removed.
    pub(super) refused: Option<FaultShown>,
}

/// One input beside the values.
#[derive(Serialize)]
pub(super) struct Extra {
    pub(super) key: &'static str,
    pub(super) text: String,
    /// Value and words, by group; none for a line of text.
    pub(super) choices: Vec<(&'static str, Vec<(String, String)>)>,
    pub(super) example: Option<&'static str>,
    pub(super) needed: bool,
    pub(super) fault: Option<FaultShown>,
}

impl Extra {
    /// A line of text with what was typed, else with what is.
    pub(super) fn line(
        key: &'static str,
        is: &str,
        example: Option<&'static str>,
        sent: Option<&Sent>,
        faults: &[Fault],
    ) -> Self {
        Self {
            key,
            text: typed(key, sent).unwrap_or(is).to_owned(),
            choices: Vec::new(),
            example,
            needed: true,
            fault: faults.iter().find(|fault| fault.field == key).map(FaultShown::of),
        }
    }
}

pub(super) fn typed<'a>(key: &str, sent: Option<&'a Sent>) -> Option<&'a str> {
    sent?.get(key).map(String::as_str)
}

/// The view that a form was sent from.
pub(super) fn form_view(sent: &Sent) -> &'static str {
    if typed("mode", Some(sent)) == Some("text") {
        "text"
    } else {
        "edit"
    }
}

impl LayerPage {
    pub(super) fn new(view: &View, kind: &'static str, name: Option<&str>, address: String, asked: &Asked) -> Self {
        Self {
            kind,
            name: name.map(str::to_owned),
            address,
            shows: asked.view(view.caller.as_ref()),
            may_edit: may_edit(view.caller.as_ref()),
            saved: asked.saved == "1",
            lineage: Vec::new(),
            rows: Vec::new(),
            form: None,
            extra: Vec::new(),
            facts: Vec::new(),
            profiles: Vec::new(),
            hosts: Vec::new(),
            hosts_all: 0,
            refused: None,
        }
    }

    /// Fills in what is in force, or the form.
    pub(super) fn fill(&mut self, own: &Values, above: &Effective, whole: &Effective, layer: &LayerName) {
        if self.shows == "values" {
            self.rows = in_force::rows(whole, layer);
        } else {
            self.form = Some(layer::form(own, above, None, &[]));
        }
    }

    /// Who stands on it and who has it.
    pub(super) async fn used(&mut self, view: &View, objects: &Objects, which: &Parent) -> Result<(), StoreError> {
        self.profiles = objects
            .profiles
            .values()
            .filter(|profile| profile.parent == *which)
            .map(|profile| profile.name.clone())
            .collect();
        if let Parent::Profile(name) = which {
            let store = view.state.store();
            let hosts = store.hosts_with(name, MOST_USERS).await?;
            self.hosts = hosts
                .iter()
                .map(|host| (host.id, hosts::title(host).unwrap_or_else(|| host.id.to_string())))
                .collect();
            self.hosts_all = store.profile_counts().await?.get(name).copied().unwrap_or_default();
        }
        Ok(())
    }

    /// The page; a form that is not saved yet says so by its status.
    pub(super) fn answer(&self, view: &View) -> Response {
        let place = Place {
            section: "profiles",
            live: None,
        };
        let mut response = view.page("layer.html", &place, self);
        let wrong = self.refused.is_some() || self.form.as_ref().is_some_and(LayerForm::is_wrong);
        let wrong = wrong || self.extra.iter().any(|extra| extra.fault.is_some());
        if wrong && response.status().is_success() {
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        }
        response
    }
}

/// What became of a form.
pub(super) enum Sending {
    /// It is saved.
    Saved,
    /// It is shown again, with its faults or with who would feel it.
    Again(Vec<Fault>, Option<Box<LayerForm>>),
}

/// Saves what a form says, unless hosts would feel it and nobody has looked at which.
pub(super) async fn send(
    view: &View,
    caller: &Caller,
    draft: Result<Draft, Vec<Fault>>,
    new: bool,
    sent: &Sent,
    form: impl Fn(&[Fault]) -> LayerForm,
) -> Result<Sending, Problem> {
    let draft = match draft {
        Ok(draft) => draft,
        Err(faults) => return Ok(Sending::Again(faults, None)),
    };
    let catalog = view.state.catalog();
    let affected = match catalog.preview(&draft).await {
        Ok(affected) => affected,
        Err(CatalogFault::Refused(fault)) => return Ok(Sending::Again(vec![fault], None)),
        Err(CatalogFault::Ledger(error)) => return Err(error.into()),
    };
    let looks_only = sent.get("do").is_some_and(|word| word == "preview");
    if looks_only || !layer::agreed(sent, &draft, &affected) {
        let changes = match view.state.answers() {
            Ok(answers) => {
                let after = catalog.objects().await?.with(&draft).map_err(CatalogFault::from)?;
                answers.changes(&after, &view.boot_base).await?
            }
            Err(_) => Changes::default(),
        };
        let again = form(&[]).asking(&draft, &affected, &changes);
        return Ok(Sending::Again(Vec::new(), Some(Box::new(again))));
    }
    let (actor, now) = (caller.actor(), view.state.now());
    let saved = match draft {
        Draft::Distro(distro) if new => catalog.add_distro(distro, &actor, now).await,
        Draft::Profile(profile) if new => catalog.add_profile(profile, &actor, now).await,
        draft => catalog.put(draft, &actor, now).await.map(|_| ()),
    };
    match saved {
        Ok(()) => Ok(Sending::Saved),
        Err(CatalogFault::Refused(fault)) => Ok(Sending::Again(vec![fault], None)),
        Err(CatalogFault::Ledger(error)) => Err(error.into()),
    }
}

/// To a page by GET, after something was done.
pub(super) fn done(address: &str) -> Response {
    Redirect::to(address).into_response()
}

/// The layers that something stands on, from the site's defaults down.
pub(super) fn lineage(objects: &Objects, parent: &Parent) -> Vec<Tag> {
    let mut out = vec![Tag::of(&LayerName::Settings)];
    match parent {
        Parent::Distro(name) => out.push(Tag::of(&LayerName::Distro(name.clone()))),
        Parent::Profile(name) => {
            if let Ok(lineage) = objects.lineage(name) {
                out.push(Tag::of(&LayerName::Distro(lineage.distro.name.clone())));
                let profiles = lineage.nearest_first().rev();
                out.extend(profiles.map(|profile| Tag::of(&LayerName::Profile(profile.name.clone()))));
            }
        }
    }
    out
}
