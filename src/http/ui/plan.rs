//! What is wanted of a host, as a tab of its page: the profile, its own values, and what is in force with its layers.

use axum::{Extension, Form, extract::Path, http::StatusCode, response::Response};
use serde::Serialize;

use super::{
    answer, host,
    in_force::{self, Tag},
    layer::{self, FaultShown, LayerForm, Sent},
    layer_page::{done, form_view, lineage, may_edit, typed},
    view::View,
};
use crate::{
    auth::Caller,
    desired::{Effective, Fault, HostPlan, LayerName, Parent, Values, rules::Giver},
    http::{Problem, guard::Known},
    inventory::HostId,
    provision::{CatalogFault, HostDesired},
};

/// The views of the tab, in their order.
const VIEWS: [&str; 4] = ["values", "edit", "text", "answer"];
/// Those for who may not edit.
const READ_ONLY: [&str; 2] = ["values", "answer"];

/// What the tab shows.
#[derive(Serialize)]
pub(super) struct PlanTab {
    view: &'static str,
    views: &'static [&'static str],
    may_edit: bool,
    saved: bool,
    profile: Option<String>,
    /// Every profile there is.
    profiles: Vec<String>,
    lineage: Vec<Tag>,
    rows: Vec<in_force::Row>,
    form: Option<LayerForm>,
    answer: Option<answer::Shown>,
    /// Why the profile was not given.
    refused: Option<FaultShown>,
}

/// The tab as the ledger has it.
pub(super) async fn tab(view: &View, id: HostId, wanted: &str, saved: bool) -> Result<PlanTab, Problem> {
    let desired = known(view, id).await?;
    let shown = views(view).iter().copied().find(|view| *view == wanted);
    let mut tab = outline(view, &desired, shown.unwrap_or("values")).await?;
    tab.saved = saved;
    match tab.view {
        "values" => {
            let own = LayerName::Host(desired.host.name.clone().unwrap_or_else(|| id.to_string()));
            tab.rows = in_force::rows(&desired.effective, &own);
        }
        "answer" => tab.answer = Some(answer::shown(view, id).await?),
        _ => {
            let above = above(view, &desired.plan).await?;
            tab.form = Some(layer::form(&desired.plan.values, &above, None, &[]));
        }
    }
    Ok(tab)
}

fn views(view: &View) -> &'static [&'static str] {
    if may_edit(view.caller.as_ref()) {
        &VIEWS
    } else {
        &READ_ONLY
    }
}

async fn known(view: &View, id: HostId) -> Result<HostDesired, Problem> {
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "host_unknown", "there is no such host");
    view.state.catalog().host(id).await?.ok_or_else(unknown)
}

async fn outline(view: &View, desired: &HostDesired, shown: &'static str) -> Result<PlanTab, Problem> {
    let objects = view.state.catalog().objects().await?;
    let profile = desired.plan.profile.clone();
    Ok(PlanTab {
        view: shown,
        views: views(view),
        may_edit: may_edit(view.caller.as_ref()),
        saved: false,
        lineage: match &profile {
            Some(name) => lineage(&objects, &Parent::Profile(name.clone())),
            None => vec![Tag::of(&LayerName::Settings)],
        },
        profile,
        profiles: objects.profiles.keys().cloned().collect(),
        rows: Vec::new(),
        form: None,
        answer: None,
        refused: None,
    })
}

/// What holds for the host without its own values.
async fn above(view: &View, plan: &HostPlan) -> Result<Effective, Problem> {
    let objects = view.state.catalog().objects().await?;
    let bare = HostPlan {
        values: Values::default(),
        ..plan.clone()
    };
    Ok(objects.of_host(&bare, "").unwrap_or_default())
}

/// The host that an address names.
fn known_id(word: &str) -> Result<HostId, Problem> {
    word.parse().map_err(|_| host::unknown())
}

/// Saves the host's own values.
pub(super) async fn save(
    view: View,
    Extension(caller): Known,
    Path(id): Path<String>,
    Form(sent): Form<Sent>,
) -> Response {
    let answer = match known_id(&id) {
        Ok(id) => put(&view, &caller, id, &sent).await,
        Err(problem) => Err(problem),
    };
    answer.unwrap_or_else(|problem| view.problem(&problem))
}

async fn put(view: &View, caller: &Caller, id: HostId, sent: &Sent) -> Result<Response, Problem> {
    let desired = known(view, id).await?;
    let faults = match layer::read(sent, &desired.plan.values) {
        Err(faults) => faults,
        Ok(values) => {
            let plan = HostPlan {
                values,
                ..desired.plan.clone()
            };
            match set(view, caller, plan).await? {
                None => return Ok(done(&format!("/hosts/{id}?tab=plan&saved=1"))),
                Some(fault) => vec![fault],
            }
        }
    };
    let mut tab = outline(view, &desired, form_view(sent)).await?;
    let above = above(view, &desired.plan).await?;
    tab.form = Some(layer::form(&desired.plan.values, &above, Some(sent), &faults));
    Ok(refused(view, id, tab).await)
}

/// Gives the host another profile, or none.
pub(super) async fn choose(
    view: View,
    Extension(caller): Known,
    Path(id): Path<String>,
    Form(sent): Form<Sent>,
) -> Response {
    let answer = match known_id(&id) {
        Ok(id) => give(&view, &caller, id, &sent).await,
        Err(problem) => Err(problem),
    };
    answer.unwrap_or_else(|problem| view.problem(&problem))
}

async fn give(view: &View, caller: &Caller, id: HostId, sent: &Sent) -> Result<Response, Problem> {
    let desired = known(view, id).await?;
    let plan = HostPlan {
        profile: typed("profile", Some(sent))
            .filter(|name| !name.is_empty())
            .map(str::to_owned),
        // Also when a rule gave the same: from now on a person has.
        profile_by: Some(Giver::Person),
        ..desired.plan.clone()
    };
    match set(view, caller, plan).await? {
        None => Ok(done(&format!("/hosts/{id}?tab=plan&saved=1"))),
        Some(fault) => {
            let mut tab = tab(view, id, "values", false).await?;
            tab.refused = Some(FaultShown::of(&fault));
            Ok(refused(view, id, tab).await)
        }
    }
}

/// Sets a plan and tells open pages; what cannot be is given back.
async fn set(view: &View, caller: &Caller, plan: HostPlan) -> Result<Option<Fault>, Problem> {
    let id = plan.host;
    match view
        .state
        .catalog()
        .set_plan(plan, &caller.actor(), view.state.now())
        .await
    {
        Ok(()) => {
            view.state.plan_changed(id).await;
            Ok(None)
        }
        Err(CatalogFault::Refused(fault)) => Ok(Some(fault)),
        Err(CatalogFault::Ledger(error)) => Err(error.into()),
    }
}

async fn refused(view: &View, id: HostId, tab: PlanTab) -> Response {
    let mut response = host::with_plan(view, id, tab).await;
    if response.status().is_success() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    response
}
