//! One profile: its values in force with the layer of each, and the form that changes it.

use axum::{
    Extension, Form,
    extract::{Path, Query},
    http::StatusCode,
    response::Response,
};

use super::{
    layer::{self, FaultShown, Sent},
    layer_page::{Asked, Extra, LayerPage, Sending, done, lineage, send, typed},
    view::View,
};
use crate::{
    auth::Caller,
    desired::{Draft, Effective, Fault, LayerName, Objects, Parent, Profile},
    http::{Problem, guard::Known},
    provision::CatalogFault,
};

pub(super) async fn page(view: View, Path(name): Path<String>, Query(asked): Query<Asked>) -> Response {
    match existing(&view, &name, &asked).await {
        Ok(page) => page.answer(&view),
        Err(problem) => view.problem(&problem),
    }
}

fn unknown(_: Fault) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such profile")
}

async fn existing(view: &View, name: &str, asked: &Asked) -> Result<LayerPage, Problem> {
    let objects = view.state.catalog().objects().await?;
    let profile = objects.profile(name).map_err(unknown)?;
    let mut page = LayerPage::new(view, "profile", Some(name), format!("/profiles/{name}"), asked);
    page.lineage = lineage(&objects, &profile.parent);
    let whole = objects.of_profile(name).unwrap_or_default();
    let layer = LayerName::Profile(name.to_owned());
    page.fill(&profile.values, &above(&objects, &profile.parent), &whole, &layer);
    if page.shows != "values" {
        page.extra = vec![parents(&objects, Some(name), Some(&profile.parent), None, &[])];
    }
    page.used(view, &objects, &Parent::Profile(name.to_owned())).await?;
    Ok(page)
}

/// What holds for whatever stands on `parent`.
fn above(objects: &Objects, parent: &Parent) -> Effective {
    match parent {
        Parent::Distro(name) => objects.of_distro(name),
        Parent::Profile(name) => objects.of_profile(name),
    }
    .unwrap_or_default()
}

fn word(parent: &Parent) -> String {
    match parent {
        Parent::Distro(name) => format!("distro:{name}"),
        Parent::Profile(name) => format!("profile:{name}"),
    }
}

fn parent_of(word: &str) -> Option<Parent> {
    match word.split_once(':')? {
        ("distro", name) => Some(Parent::Distro(name.to_owned())),
        ("profile", name) => Some(Parent::Profile(name.to_owned())),
        _ => None,
    }
}

/// The choice of a parent: everything but what stands on the profile itself.
fn parents(objects: &Objects, own: Option<&str>, is: Option<&Parent>, sent: Option<&Sent>, faults: &[Fault]) -> Extra {
    let below: Vec<&str> = own.map_or_else(Vec::new, |name| {
        let standing = objects.standing_on(&Parent::Profile(name.to_owned()));
        standing.iter().map(|profile| profile.name.as_str()).collect()
    });
    let choice = |parent: Parent, name: &String| (word(&parent), name.clone());
    let distros = objects
        .distros
        .keys()
        .map(|name| choice(Parent::Distro(name.clone()), name));
    let profiles = objects
        .profiles
        .keys()
        .filter(|name| !below.contains(&name.as_str()))
        .map(|name| choice(Parent::Profile(name.clone()), name));
    Extra {
        choices: vec![("distro", distros.collect()), ("profile", profiles.collect())],
        ..Extra::line("parent", &is.map(word).unwrap_or_default(), None, sent, faults)
    }
}

pub(super) async fn save(
    view: View,
    Extension(caller): Known,
    Path(name): Path<String>,
    Form(sent): Form<Sent>,
) -> Response {
    match put(&view, &caller, Some(&name), &sent).await {
        Ok(response) => response,
        Err(problem) => view.problem(&problem),
    }
}

pub(super) async fn new(view: View, Query(asked): Query<Sent>) -> Response {
    let objects = match view.state.catalog().objects().await {
        Ok(objects) => objects,
        Err(error) => return view.problem(&error.into()),
    };
    draft_page(&view, &objects, None, &asked, &[], None).answer(&view)
}

pub(super) async fn add(view: View, Extension(caller): Known, Form(sent): Form<Sent>) -> Response {
    match put(&view, &caller, None, &sent).await {
        Ok(response) => response,
        Err(problem) => view.problem(&problem),
    }
}

async fn put(view: &View, caller: &Caller, name: Option<&str>, sent: &Sent) -> Result<Response, Problem> {
    let objects = view.state.catalog().objects().await?;
    let had = match name {
        Some(name) => objects.profile(name).map_err(unknown)?.values.clone(),
        None => crate::desired::Values::default(),
    };
    let called = name
        .or_else(|| typed("name", Some(sent)).map(str::trim))
        .unwrap_or_default();
    let parent = typed("parent", Some(sent)).and_then(parent_of);
    let draft = match (layer::read(sent, &had), parent) {
        (Ok(values), Some(parent)) => Ok(Draft::Profile(Profile {
            name: called.to_owned(),
            parent,
            values,
        })),
        (values, Some(_)) => Err(values.err().unwrap_or_default()),
        (values, None) => {
            let mut faults = values.err().unwrap_or_default();
            faults.push(Fault::unshown(
                "parent",
                "a profile stands on something",
                "choose a distro or a profile",
            ));
            Err(faults)
        }
    };
    let above = typed("parent", Some(sent))
        .and_then(parent_of)
        .map(|parent| above(&objects, &parent))
        .unwrap_or_default();
    let form = |faults: &[Fault]| layer::form(&had, &above, Some(sent), faults);
    match send(view, caller, draft, name.is_none(), sent, form).await? {
        Sending::Saved => Ok(done(&format!("/profiles/{called}?saved=1"))),
        Sending::Again(faults, confirming) => {
            Ok(draft_page(view, &objects, name, sent, &faults, confirming.map(|form| *form)).answer(view))
        }
    }
}

/// The form of a profile that is not saved yet, with what was typed.
fn draft_page(
    view: &View,
    objects: &Objects,
    name: Option<&str>,
    sent: &Sent,
    faults: &[Fault],
    confirming: Option<layer::LayerForm>,
) -> LayerPage {
    let address = name.map_or_else(|| "/new/profile".to_owned(), |name| format!("/profiles/{name}"));
    let mut page = LayerPage::new(view, "profile", name, address, &Asked::default());
    page.shows = if typed("mode", Some(sent)) == Some("text") {
        "text"
    } else {
        "edit"
    };
    let parent = typed("parent", Some(sent)).and_then(parent_of);
    page.lineage = parent
        .as_ref()
        .map(|parent| lineage(objects, parent))
        .unwrap_or_default();
    let above = parent.as_ref().map(|parent| above(objects, parent)).unwrap_or_default();
    let own = name
        .and_then(|name| objects.profiles.get(name))
        .map(|profile| profile.values.clone());
    page.form = Some(confirming.unwrap_or_else(|| layer::form(&own.unwrap_or_default(), &above, Some(sent), faults)));
    if name.is_none() {
        page.extra
            .push(Extra::line("name", "", Some("web"), Some(sent), faults));
    }
    page.extra
        .push(parents(objects, name, parent.as_ref(), Some(sent), faults));
    page
}

pub(super) async fn copy(
    view: View,
    Extension(caller): Known,
    Path(name): Path<String>,
    Form(sent): Form<Sent>,
) -> Response {
    let to = typed("to", Some(&sent)).unwrap_or_default().trim();
    let which = Parent::Profile(name.clone());
    let copied = view
        .state
        .catalog()
        .copy(&which, to, &caller.actor(), view.state.now())
        .await;
    ended(&view, &name, copied, &format!("/profiles/{to}")).await
}

pub(super) async fn rename(
    view: View,
    Extension(caller): Known,
    Path(name): Path<String>,
    Form(sent): Form<Sent>,
) -> Response {
    let to = typed("to", Some(&sent)).unwrap_or_default().trim();
    let which = Parent::Profile(name.clone());
    let renamed = view
        .state
        .catalog()
        .rename(&which, to, &caller.actor(), view.state.now())
        .await;
    ended(&view, &name, renamed, &format!("/profiles/{to}")).await
}

pub(super) async fn remove(view: View, Extension(caller): Known, Path(name): Path<String>) -> Response {
    let which = Parent::Profile(name.clone());
    let removed = view
        .state
        .catalog()
        .remove(&which, &caller.actor(), view.state.now())
        .await;
    ended(&view, &name, removed, "/profiles").await
}

async fn ended(view: &View, name: &str, result: Result<(), CatalogFault>, then: &str) -> Response {
    match result {
        Ok(()) => done(then),
        Err(CatalogFault::Ledger(error)) => view.problem(&error.into()),
        Err(CatalogFault::Refused(fault)) => match existing(view, name, &Asked::default()).await {
            Ok(mut page) => {
                page.refused = Some(FaultShown::of(&fault));
                page.answer(view)
            }
            Err(problem) => view.problem(&problem),
        },
    }
}
