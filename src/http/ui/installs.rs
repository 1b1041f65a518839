//! Installations of all hosts; the page of one; and what a person does with them.

use std::collections::HashMap;

use axum::{
    Extension, Form,
    extract::{Path, Query},
    http::StatusCode,
    response::Response,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    host, install,
    layer::Sent,
    layer_page::{done, typed},
    listing::{Pager, Pill},
    view::{Place, View},
};
use crate::{
    discovery::MoveRefused,
    http::{
        Problem,
        guard::{Known, url_text},
    },
    install::{InstallId, Outcome},
    inventory::{Host, HostId},
    provision::install::{CancelRefused, Start, StartRefused},
    store::{Install, InstallQuery, StoreError},
};

/// Installations on one page.
const PAGE: u64 = 50;

/// What the address of the list asks for. Wrong words are as if absent.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    page: String,
}

impl Asked {
    fn page(&self) -> u64 {
        self.page.parse().unwrap_or(1).max(1)
    }

    fn address(&self, outcome: &str, page: u64) -> String {
        let mut parts = Vec::new();
        if !self.q.is_empty() {
            parts.push(format!("q={}", url_text(&self.q)));
        }
        if !outcome.is_empty() {
            parts.push(format!("outcome={outcome}"));
        }
        if page > 1 {
            parts.push(format!("page={page}"));
        }
        if parts.is_empty() {
            "/installs".to_owned()
        } else {
            format!("/installs?{}", parts.join("&"))
        }
    }
}

#[derive(Serialize)]
struct ListData {
    q: String,
    outcome: String,
    pills: Vec<Pill>,
    rows: Vec<install::Row>,
    pager: Pager,
    empty: bool,
}

pub(super) async fn page(view: View, Query(asked): Query<Asked>) -> Response {
    match data(&view, &asked).await {
        Ok(data) => {
            let place = Place {
                section: "installs",
                live: Some("installs".to_owned()),
            };
            view.page("installs.html", &place, &data)
        }
        Err(error) => view.problem(&Problem::from(error)),
    }
}

async fn data(view: &View, asked: &Asked) -> Result<ListData, StoreError> {
    let store = view.state.store();
    let outcome = asked.outcome.parse::<Outcome>().ok();
    let page = asked.page();
    let query = InstallQuery {
        outcome,
        text: Some(asked.q.trim().to_owned()).filter(|text| !text.is_empty()),
        offset: (page - 1).saturating_mul(PAGE),
        limit: PAGE,
        host: None,
    };
    let (found, total) = store.installs(&query).await?;
    let counts = store.install_counts().await?;
    let ids: Vec<HostId> = found.iter().map(|install| install.host).collect();
    let hosts: HashMap<HostId, Host> = store
        .hosts_of(&ids)
        .await?
        .into_iter()
        .map(|host| (host.id, host))
        .collect();
    let row = |install: Install| {
        let host = hosts.get(&install.host);
        install::row(&view.state, install, host)
    };
    let rows: Vec<install::Row> = found.into_iter().map(row).collect();
    let all: u64 = counts.values().sum();
    let mut pills = vec![Pill {
        key: "installs.all".to_owned(),
        count: all,
        address: asked.address("", 1),
        current: outcome.is_none(),
    }];
    pills.extend(Outcome::ALL.iter().map(|one| Pill {
        key: format!("install_outcome.{}", one.as_str()),
        count: counts.get(one).copied().unwrap_or_default(),
        address: asked.address(one.as_str(), 1),
        current: outcome == Some(*one),
    }));
    let word = outcome.map_or("", Outcome::as_str);
    let pager = Pager::new(page, PAGE, rows.len(), total, |page| asked.address(word, page));
    Ok(ListData {
        q: asked.q.clone(),
        outcome: word.to_owned(),
        pills,
        rows,
        pager,
        empty: all == 0,
    })
}

#[derive(Serialize)]
struct OneData {
    shown: install::Shown,
    start: install::Start,
}

/// Which lines of the log.
#[derive(Deserialize)]
pub(super) struct LogAsked {
    before: Option<Uuid>,
}

pub(super) async fn one(view: View, Path(id): Path<String>, Query(asked): Query<LogAsked>) -> Response {
    show(&view, &id, asked.before, None).await
}

fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such installation")
}

async fn show(view: &View, id: &str, before: Option<Uuid>, refused: Option<install::Refused>) -> Response {
    let Ok(id) = id.parse::<InstallId>() else {
        return view.problem(&unknown());
    };
    let wrong = refused.is_some();
    match one_data(view, id, before, refused).await {
        Ok(Some((host, data))) => {
            let place = Place {
                section: "installs",
                live: Some(host.to_string()),
            };
            let mut response = view.page("install.html", &place, &data);
            if wrong && response.status().is_success() {
                *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            }
            response
        }
        Ok(None) => view.problem(&unknown()),
        Err(error) => view.problem(&Problem::from(error)),
    }
}

async fn one_data(
    view: &View,
    id: InstallId,
    before: Option<Uuid>,
    refused: Option<install::Refused>,
) -> Result<Option<(HostId, OneData)>, StoreError> {
    let store = view.state.store();
    let Some(found) = store.install(id).await? else {
        return Ok(None);
    };
    let id = found.host;
    let Some(host) = store.host(id).await? else {
        return Ok(None);
    };
    let newest = InstallQuery {
        host: Some(id),
        limit: 1,
        ..InstallQuery::default()
    };
    let newest = store.installs(&newest).await?.0.first().map(|install| install.outcome);
    let profile = store.plan(id).await?.profile;
    let mut start = install::start(view, &host, profile, newest).await?;
    start.refused = refused;
    let shown = install::shown(view, found, Some(&host), before).await?;
    Ok(Some((id, OneData { shown, start })))
}

/// Starts the installation of a host.
pub(super) async fn start(
    view: View,
    Extension(caller): Known,
    Path(id): Path<String>,
    Form(sent): Form<Sent>,
) -> Response {
    let Ok(host) = id.parse::<HostId>() else {
        return view.problem(&host::unknown());
    };
    let installs = match view.state.installs() {
        Ok(installs) => installs,
        Err(problem) => return view.problem(&problem),
    };
    let asked = Start {
        host,
        typed: typed("name", Some(&sent)).map(str::to_owned),
        actor: caller.actor(),
    };
    match installs.start(asked).await {
        Ok(_) => done(&format!("/hosts/{host}?tab=install")),
        Err(refused) => match words(refused) {
            Ok(refused) => host::with_refused_install(&view, host, refused).await,
            Err(problem) => view.problem(&problem),
        },
    }
}

/// Starts the installation of the same host once more.
pub(super) async fn retry(
    view: View,
    Extension(caller): Known,
    Path(id): Path<String>,
    Form(sent): Form<Sent>,
) -> Response {
    let (Ok(install), Ok(installs)) = (id.parse::<InstallId>(), view.state.installs()) else {
        return view.problem(&unknown());
    };
    let name = typed("name", Some(&sent)).map(str::to_owned);
    match installs.retry(install, name, &caller.actor()).await {
        Ok(started) => done(&format!("/installs/{}", started.id)),
        Err(refused) => match words(refused) {
            Ok(refused) => show(&view, &id, None, Some(refused)).await,
            Err(problem) => view.problem(&problem),
        },
    }
}

/// Why it was not started, as a page says it.
fn words(refused: StartRefused) -> Result<install::Refused, Problem> {
    let code = match &refused {
        StartRefused::Unknown | StartRefused::Move(MoveRefused::Unknown) => return Err(host::unknown()),
        StartRefused::Move(MoveRefused::NotKept(error)) => return Err(error.clone().into()),
        StartRefused::NoPlan => "no_profile",
        StartRefused::TypeName(_) => "type_the_name",
        StartRefused::Plan(_) => "plan_unreadable",
        StartRefused::Move(MoveRefused::Lifecycle(_)) => "not_now",
        StartRefused::Running => "install_runs",
    };
    let why = match refused {
        StartRefused::Plan(fault) => Some(fault.to_string()),
        StartRefused::Move(MoveRefused::Lifecycle(refused)) => Some(refused.advice.to_owned()),
        _ => None,
    };
    Ok(install::Refused { code, why })
}

/// Gives up an installation that runs.
pub(super) async fn cancel(view: View, Extension(caller): Known, Path(id): Path<String>) -> Response {
    let (Ok(install), Ok(installs)) = (id.parse::<InstallId>(), view.state.installs()) else {
        return view.problem(&unknown());
    };
    match installs.cancel(install, &caller.actor()).await {
        // One that has ended meanwhile: its page says how.
        Ok(_) | Err(CancelRefused::NotRunning) => done(&format!("/installs/{install}")),
        Err(CancelRefused::Store(error)) => view.problem(&error.into()),
    }
}
