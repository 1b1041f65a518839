//! One distro: where its installer is, its values, and the form that changes it.

use axum::{
    Extension, Form,
    extract::{Path, Query},
    http::StatusCode,
    response::Response,
};

use super::{
    in_force::Tag,
    layer::{self, FaultShown, Sent},
    layer_page::{Asked, Extra, LayerPage, Sending, done, send, typed},
    view::View,
};
use crate::{
    auth::Caller,
    desired::{Distro, Draft, Effective, Family, Fault, HostPlan, LayerName, Objects, Parent, Tree, Values},
    http::{Problem, guard::Known},
    inventory::HostId,
    provision::CatalogFault,
};

/// Fields beside the values, with an example of each.
const OWN: [(&str, &str); 8] = [
    ("family", "redhat"),
    ("id", "rocky"),
    ("version", "9.6"),
    ("codename", "bookworm"),
    ("arch", "x86_64"),
    ("tree", "http://mirror/rocky9"),
    ("kernel", "images/pxeboot/vmlinuz"),
    ("initrd", "images/pxeboot/initrd.img"),
];

pub(super) async fn page(view: View, Path(name): Path<String>, Query(asked): Query<Asked>) -> Response {
    match existing(&view, &name, &asked).await {
        Ok(page) => page.answer(&view),
        Err(problem) => view.problem(&problem),
    }
}

fn unknown(_: Fault) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such distro")
}

async fn existing(view: &View, name: &str, asked: &Asked) -> Result<LayerPage, Problem> {
    let objects = view.state.catalog().objects().await?;
    let distro = objects.distro(name).map_err(unknown)?;
    let mut page = LayerPage::new(view, "distro", Some(name), format!("/distros/{name}"), asked);
    page.lineage = vec![Tag::of(&LayerName::Settings)];
    let whole = objects.of_distro(name).unwrap_or_default();
    page.fill(
        &distro.values,
        &above(&objects),
        &whole,
        &LayerName::Distro(name.to_owned()),
    );
    if page.shows == "values" {
        page.facts = OWN
            .into_iter()
            .map(|(key, _)| (key, written(distro, key)))
            .filter(|(_, text)| !text.is_empty())
            .collect();
    } else {
        page.extra = inputs(Some(distro), None, &[]);
    }
    page.used(view, &objects, &Parent::Distro(name.to_owned())).await?;
    Ok(page)
}

/// What holds for every distro.
fn above(objects: &Objects) -> Effective {
    let nothing = HostPlan::empty(HostId(uuid::Uuid::nil()));
    objects.of_host(&nothing, "").unwrap_or_default()
}

fn written(distro: &Distro, key: &str) -> String {
    match key {
        "family" => distro.family.as_str().to_owned(),
        "id" => distro.id.clone(),
        "version" => distro.version.clone(),
        "codename" => distro.codename.clone().unwrap_or_default(),
        "arch" => distro.arch.clone(),
        "tree" => distro.tree.to_string(),
        "kernel" => distro.kernel.clone(),
        _ => distro.initrd.clone(),
    }
}

fn inputs(distro: Option<&Distro>, sent: Option<&Sent>, faults: &[Fault]) -> Vec<Extra> {
    let families = || {
        Family::ALL
            .map(|family| (family.as_str().to_owned(), family.as_str().to_owned()))
            .to_vec()
    };
    OWN.into_iter()
        .map(|(key, example)| {
            let is = distro.map(|distro| written(distro, key)).unwrap_or_default();
            Extra {
                choices: if key == "family" {
                    vec![("", families())]
                } else {
                    Vec::new()
                },
                needed: key != "codename",
                ..Extra::line(key, &is, Some(example), sent, faults)
            }
        })
        .collect()
}

fn distro_of(name: &str, sent: &Sent, had: &Values) -> Result<Distro, Vec<Fault>> {
    let given = |key| typed(key, Some(sent)).unwrap_or_default().trim().to_owned();
    let mut faults = Vec::new();
    for (key, example) in OWN {
        if key != "codename" && given(key).is_empty() {
            faults.push(Fault::unshown(
                key,
                "nothing is written",
                format!("write e.g. {example}"),
            ));
        }
    }
    let values = layer::read(sent, had).unwrap_or_else(|mut wrong| {
        faults.append(&mut wrong);
        Values::default()
    });
    let family = given("family").parse::<Family>().ok();
    let tree = given("tree");
    match family {
        Some(family) if faults.is_empty() => Ok(Distro {
            name: name.to_owned(),
            family,
            id: given("id"),
            version: given("version"),
            codename: Some(given("codename")).filter(|name| !name.is_empty()),
            arch: given("arch"),
            tree: if tree.contains("://") {
                Tree::Url(tree)
            } else {
                Tree::Path(tree)
            },
            kernel: given("kernel"),
            initrd: given("initrd"),
            values,
        }),
        _ => Err(faults),
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

pub(super) async fn new(view: View) -> Response {
    let objects = match view.state.catalog().objects().await {
        Ok(objects) => objects,
        Err(error) => return view.problem(&error.into()),
    };
    draft_page(&view, &objects, None, &Sent::new(), &[], None).answer(&view)
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
        Some(name) => objects.distro(name).map_err(unknown)?.values.clone(),
        None => Values::default(),
    };
    let called = name
        .or_else(|| typed("name", Some(sent)).map(str::trim))
        .unwrap_or_default();
    let draft = distro_of(called, sent, &had).map(Draft::Distro);
    let above = above(&objects);
    let form = |faults: &[Fault]| layer::form(&had, &above, Some(sent), faults);
    match send(view, caller, draft, name.is_none(), sent, form).await? {
        Sending::Saved => Ok(done(&format!("/distros/{called}?saved=1"))),
        Sending::Again(faults, confirming) => {
            Ok(draft_page(view, &objects, name, sent, &faults, confirming.map(|form| *form)).answer(view))
        }
    }
}

/// The form of a distro that is not saved yet, with what was typed.
fn draft_page(
    view: &View,
    objects: &Objects,
    name: Option<&str>,
    sent: &Sent,
    faults: &[Fault],
    confirming: Option<layer::LayerForm>,
) -> LayerPage {
    let address = name.map_or_else(|| "/new/distro".to_owned(), |name| format!("/distros/{name}"));
    let mut page = LayerPage::new(view, "distro", name, address, &Asked::default());
    page.shows = if typed("mode", Some(sent)) == Some("text") {
        "text"
    } else {
        "edit"
    };
    page.lineage = vec![Tag::of(&LayerName::Settings)];
    let distro = name.and_then(|name| objects.distros.get(name));
    let own = distro.map(|distro| distro.values.clone()).unwrap_or_default();
    page.form = Some(confirming.unwrap_or_else(|| layer::form(&own, &above(objects), Some(sent), faults)));
    if name.is_none() {
        page.extra
            .push(Extra::line("name", "", Some("rocky9"), Some(sent), faults));
    }
    page.extra.extend(inputs(distro, Some(sent), faults));
    page
}

pub(super) async fn copy(
    view: View,
    Extension(caller): Known,
    Path(name): Path<String>,
    Form(sent): Form<Sent>,
) -> Response {
    let to = typed("to", Some(&sent)).unwrap_or_default().trim();
    let which = Parent::Distro(name.clone());
    let copied = view
        .state
        .catalog()
        .copy(&which, to, &caller.actor(), view.state.now())
        .await;
    ended(&view, &name, copied, &format!("/distros/{to}")).await
}

pub(super) async fn rename(
    view: View,
    Extension(caller): Known,
    Path(name): Path<String>,
    Form(sent): Form<Sent>,
) -> Response {
    let to = typed("to", Some(&sent)).unwrap_or_default().trim();
    let which = Parent::Distro(name.clone());
    let renamed = view
        .state
        .catalog()
        .rename(&which, to, &caller.actor(), view.state.now())
        .await;
    ended(&view, &name, renamed, &format!("/distros/{to}")).await
}

pub(super) async fn remove(view: View, Extension(caller): Known, Path(name): Path<String>) -> Response {
    let which = Parent::Distro(name.clone());
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
