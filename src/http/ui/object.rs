//! Distros and profiles alike: the page of one, the form that changes or makes one, and copy, rename and remove.

use axum::{
    Extension, Form,
    extract::{Path, Query},
    http::StatusCode,
    response::Response,
};

use super::{
    in_force::Tag,
    layer::{self, FaultShown, LayerForm, Sent},
    layer_page::{Asked, Extra, LayerPage, Sending, done, form_view, lineage, send, typed},
    view::View,
};
use crate::{
    auth::Caller,
    desired::{Draft, Effective, Fault, HostPlan, LayerName, Objects, Parent, Values},
    http::{Problem, guard::Known},
    inventory::HostId,
    provision::CatalogFault,
};

/// What a layer of values stands on.
pub(super) enum Ground {
    /// Nobody has said yet.
    Unsaid,
    /// The site's defaults alone.
    Defaults,
    /// A distro or a profile.
    Object(Parent),
}

impl Ground {
    /// What holds for whatever stands on it.
    fn above(&self, objects: &Objects) -> Effective {
        match self {
            Self::Unsaid => Ok(Effective::default()),
            Self::Defaults => objects.of_host(&HostPlan::empty(HostId(uuid::Uuid::nil())), ""),
            Self::Object(Parent::Distro(name)) => objects.of_distro(name),
            Self::Object(Parent::Profile(name)) => objects.of_profile(name),
        }
        .unwrap_or_default()
    }

    /// Its layers, from the site's defaults down.
    fn lineage(&self, objects: &Objects) -> Vec<Tag> {
        match self {
            Self::Unsaid => Vec::new(),
            Self::Defaults => vec![Tag::of(&LayerName::Settings)],
            Self::Object(parent) => lineage(objects, parent),
        }
    }
}

/// A distro or a profile: what a page has to know of it beside its values.
pub(super) trait Object: Sized + Sync + 'static {
    /// Part of catalogue keys, and of the address of the form that makes one.
    const KIND: &'static str;
    /// Where the pages are, with `/NAME` after it.
    const FOLDER: &'static str;
    /// A name as one might give.
    const EXAMPLE: &'static str;

    /// How the catalogue of what is desired calls the one of this name.
    fn called(name: String) -> Parent;
    /// The one of this name.
    ///
    /// # Errors
    /// [`Fault`] when there is none.
    fn find<'a>(objects: &'a Objects, name: &str) -> Result<&'a Self, Fault>;
    /// Its own values.
    fn values(&self) -> &Values;
    /// What it stands on.
    fn ground(&self) -> Ground;
    /// What the one that a form describes stands on.
    fn ground_sent(sent: &Sent) -> Ground;
    /// The layer it is, and all that is in force for it.
    fn in_force(objects: &Objects, name: &str) -> (LayerName, Effective);
    /// What its page shows beside the values.
    fn facts(&self) -> Vec<(&'static str, String)>;
    /// What its form has beside the values. `own` names the one that is changed.
    fn inputs(objects: &Objects, own: Option<(&str, &Self)>, sent: Option<&Sent>, faults: &[Fault]) -> Vec<Extra>;
    /// Reads a form, but for its values.
    ///
    /// # Errors
    /// Every field that is missing or wrong.
    fn read(name: &str, sent: &Sent, values: Values) -> Result<Draft, Vec<Fault>>;
}

fn address<O: Object>(name: &str) -> String {
    format!("{}/{name}", O::FOLDER)
}

fn found<'a, O: Object>(objects: &'a Objects, name: &str) -> Result<&'a O, Problem> {
    O::find(objects, name).map_err(|_| {
        let detail = format!("there is no such {}", O::KIND);
        Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
    })
}

fn answered(view: &View, answer: Result<Response, Problem>) -> Response {
    answer.unwrap_or_else(|problem| view.problem(&problem))
}

/// The page of one.
pub(super) async fn page<O: Object>(view: View, Path(name): Path<String>, Query(asked): Query<Asked>) -> Response {
    let page = existing::<O>(&view, &name, &asked).await;
    answered(&view, page.map(|page| page.answer(&view)))
}

async fn existing<O: Object>(view: &View, name: &str, asked: &Asked) -> Result<LayerPage, Problem> {
    let objects = view.state.catalog().objects().await?;
    let object = found::<O>(&objects, name)?;
    let ground = object.ground();
    let mut page = LayerPage::new(view, O::KIND, Some(name), address::<O>(name), asked);
    page.lineage = ground.lineage(&objects);
    let (layer, whole) = O::in_force(&objects, name);
    page.fill(object.values(), &ground.above(&objects), &whole, &layer);
    if page.shows == "values" {
        page.facts = object.facts();
    } else {
        page.extra = O::inputs(&objects, Some((name, object)), None, &[]);
    }
    page.used(view, &objects, &O::called(name.to_owned())).await?;
    Ok(page)
}

/// The form that makes one; the address may say what it stands on.
pub(super) async fn new<O: Object>(view: View, Query(asked): Query<Sent>) -> Response {
    let page = view.state.catalog().objects().await.map_err(Problem::from);
    let page = page.map(|objects| draft_page::<O>(&view, &objects, None, &asked, &[], None));
    answered(&view, page.map(|page| page.answer(&view)))
}

/// Makes one, or shows the form again.
pub(super) async fn add<O: Object>(view: View, Extension(caller): Known, Form(sent): Form<Sent>) -> Response {
    let answer = put::<O>(&view, &caller, None, &sent).await;
    answered(&view, answer)
}

/// Saves a changed one, or shows the form again.
pub(super) async fn save<O: Object>(
    view: View,
    Extension(caller): Known,
    Path(name): Path<String>,
    Form(sent): Form<Sent>,
) -> Response {
    let answer = put::<O>(&view, &caller, Some(&name), &sent).await;
    answered(&view, answer)
}

async fn put<O: Object>(view: &View, caller: &Caller, name: Option<&str>, sent: &Sent) -> Result<Response, Problem> {
    let objects = view.state.catalog().objects().await?;
    let had = match name {
        Some(name) => found::<O>(&objects, name)?.values().clone(),
        None => Values::default(),
    };
    let called = name
        .or_else(|| typed("name", Some(sent)).map(str::trim))
        .unwrap_or_default();
    let draft = match layer::read(sent, &had) {
        Ok(values) => O::read(called, sent, values),
        // What is wrong beside the values is told at once, too.
        Err(mut wrong) => {
            let mut faults = O::read(called, sent, Values::default()).err().unwrap_or_default();
            faults.append(&mut wrong);
            Err(faults)
        }
    };
    let above = O::ground_sent(sent).above(&objects);
    let form = |faults: &[Fault]| layer::form(&had, &above, Some(sent), faults);
    match send(view, caller, draft, name.is_none(), sent, form).await? {
        Sending::Saved => Ok(done(&format!("{}?saved=1", address::<O>(called)))),
        Sending::Again(faults, confirming) => {
            Ok(draft_page::<O>(view, &objects, name, sent, &faults, confirming.map(|form| *form)).answer(view))
        }
    }
}

/// The form of one that is not saved yet, with what was typed.
fn draft_page<O: Object>(
    view: &View,
    objects: &Objects,
    name: Option<&str>,
    sent: &Sent,
    faults: &[Fault],
    confirming: Option<LayerForm>,
) -> LayerPage {
    let to = name.map_or_else(|| format!("/new/{}", O::KIND), address::<O>);
    let mut page = LayerPage::new(view, O::KIND, name, to, &Asked::default());
    page.shows = form_view(sent);
    let ground = O::ground_sent(sent);
    page.lineage = ground.lineage(objects);
    let own = name.and_then(|name| Some((name, O::find(objects, name).ok()?)));
    page.form = Some(confirming.unwrap_or_else(|| {
        let values = own.map(|(_, object)| object.values().clone()).unwrap_or_default();
        layer::form(&values, &ground.above(objects), Some(sent), faults)
    }));
    if name.is_none() {
        page.extra
            .push(Extra::line("name", "", Some(O::EXAMPLE), Some(sent), faults));
    }
    page.extra.extend(O::inputs(objects, own, Some(sent), faults));
    page
}

/// Makes another one like it.
pub(super) async fn copy<O: Object>(
    view: View,
    Extension(caller): Known,
    Path(name): Path<String>,
    Form(sent): Form<Sent>,
) -> Response {
    let to = typed("to", Some(&sent)).unwrap_or_default().trim();
    let (which, actor, now) = (O::called(name.clone()), caller.actor(), view.state.now());
    let copied = view.state.catalog().copy(&which, to, &actor, now).await;
    ended::<O>(&view, &name, copied, &address::<O>(to)).await
}

/// Gives it another name.
pub(super) async fn rename<O: Object>(
    view: View,
    Extension(caller): Known,
    Path(name): Path<String>,
    Form(sent): Form<Sent>,
) -> Response {
    let to = typed("to", Some(&sent)).unwrap_or_default().trim();
    let (which, actor, now) = (O::called(name.clone()), caller.actor(), view.state.now());
    let renamed = view.state.catalog().rename(&which, to, &actor, now).await;
    ended::<O>(&view, &name, renamed, &address::<O>(to)).await
}

/// Removes it, when nothing stands on it.
pub(super) async fn remove<O: Object>(view: View, Extension(caller): Known, Path(name): Path<String>) -> Response {
    let (which, actor, now) = (O::called(name.clone()), caller.actor(), view.state.now());
    let removed = view.state.catalog().remove(&which, &actor, now).await;
    ended::<O>(&view, &name, removed, "/profiles").await
}

async fn ended<O: Object>(view: &View, name: &str, result: Result<(), CatalogFault>, then: &str) -> Response {
    let fault = match result {
        Ok(()) => return done(then),
        Err(CatalogFault::Ledger(error)) => return view.problem(&error.into()),
        Err(CatalogFault::Refused(fault)) => fault,
    };
    let page = existing::<O>(view, name, &Asked::default()).await.map(|mut page| {
        page.refused = Some(FaultShown::of(&fault));
        page.answer(view)
    });
    answered(view, page)
}
