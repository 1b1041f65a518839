//! Distros with the profiles that stand on them, as a tree; and the site's defaults at its root.

use axum::{Extension, Form, extract::Query, response::Response};
use serde::Serialize;

use super::{
    layer::{self, Sent},
    layer_page::{Asked, LayerPage, Sending, done, form_view, may_edit, send},
    view::{Place, View},
};
use crate::{
    auth::Caller,
    desired::{Draft, Effective, Fault, LayerName, Objects, Parent},
    http::{Problem, guard::Known},
};

#[derive(Serialize)]
struct TreeData {
    may_edit: bool,
    /// Fields the site's defaults say something of.
    defaults: usize,
    distros: Vec<DistroNode>,
    profiles_all: usize,
}

#[derive(Serialize)]
struct DistroNode {
    name: String,
    family: &'static str,
    system: String,
    arch: String,
    own: usize,
    profiles: Vec<ProfileNode>,
}

/// One profile, in the order of the tree.
#[derive(Serialize)]
struct ProfileNode {
    name: String,
    /// 1 below its distro.
    depth: usize,
    own: Vec<String>,
    hosts: u64,
}

pub(super) async fn page(view: View) -> Response {
    match data(&view).await {
        Ok(data) => {
            let place = Place {
                section: "profiles",
                live: None,
            };
            view.page("profiles.html", &place, &data)
        }
        Err(problem) => view.problem(&problem),
    }
}

async fn data(view: &View) -> Result<TreeData, Problem> {
    let objects = view.state.catalog().objects().await?;
    let hosts = view.state.store().profile_counts().await?;
    let distros = objects.distros.values().map(|distro| {
        let mut profiles = Vec::new();
        below(&objects, &Parent::Distro(distro.name.clone()), 1, &mut |name, depth| {
            let own = objects.profiles.get(name).map(|profile| profile.values.as_map());
            profiles.push(ProfileNode {
                name: name.to_owned(),
                depth,
                own: own.map(|own| own.keys().cloned().collect()).unwrap_or_default(),
                hosts: hosts.get(name).copied().unwrap_or_default(),
            });
        });
        DistroNode {
            name: distro.name.clone(),
            family: distro.family.as_str(),
            system: format!("{} {}", distro.id, distro.version),
            arch: distro.arch.clone(),
            own: distro.values.as_map().len(),
            profiles,
        }
    });
    Ok(TreeData {
        may_edit: may_edit(view.caller.as_ref()),
        defaults: objects.settings.as_map().len(),
        distros: distros.collect(),
        profiles_all: objects.profiles.len(),
    })
}

/// Every profile that stands on `parent`, each before those that stand on it. A loop cannot be: it is refused where it
/// is entered.
fn below(objects: &Objects, parent: &Parent, depth: usize, each: &mut impl FnMut(&str, usize)) {
    if depth > crate::desired::MAX_NESTING {
        return;
    }
    for profile in objects.profiles.values().filter(|profile| profile.parent == *parent) {
        each(&profile.name, depth);
        below(objects, &Parent::Profile(profile.name.clone()), depth + 1, each);
    }
}

pub(super) async fn defaults(view: View, Query(asked): Query<Asked>) -> Response {
    match view.state.catalog().objects().await {
        Ok(objects) => {
            let mut page = LayerPage::new(&view, "defaults", None, "/defaults".to_owned(), &asked);
            let whole = crate::desired::blend([(LayerName::Settings, &objects.settings)]);
            page.fill(&objects.settings, &Effective::default(), &whole, &LayerName::Settings);
            page.answer(&view)
        }
        Err(error) => view.problem(&error.into()),
    }
}

pub(super) async fn save_defaults(view: View, Extension(caller): Known, Form(sent): Form<Sent>) -> Response {
    match put_defaults(&view, &caller, &sent).await {
        Ok(response) => response,
        Err(problem) => view.problem(&problem),
    }
}

async fn put_defaults(view: &View, caller: &Caller, sent: &Sent) -> Result<Response, Problem> {
    let objects = view.state.catalog().objects().await?;
    let draft = layer::read(sent, &objects.settings).map(Draft::Defaults);
    let form = |faults: &[Fault]| layer::form(&objects.settings, &Effective::default(), Some(sent), faults);
    match send(view, caller, draft, false, sent, form).await? {
        Sending::Saved => Ok(done("/defaults?saved=1")),
        Sending::Again(faults, confirming) => {
            let mut page = LayerPage::new(view, "defaults", None, "/defaults".to_owned(), &Asked::default());
            page.shows = form_view(sent);
            page.form = Some(confirming.map_or_else(|| form(&faults), |form| *form));
            Ok(page.answer(view))
        }
    }
}
