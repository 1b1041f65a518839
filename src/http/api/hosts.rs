#![expect(
    unused_qualifications,
    reason = "utoipa writes the types of queries with their paths"
)]

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{
    asked::{Path, Query},
    shape::{Boot, Change, Component, Event, FactSet, Host, HostList, Interface},
};
use crate::{
    boot::BootId,
    desired::Fault,
    http::{PageState, Problem},
    inventory::HostId,
    search::{Search, parse},
    store::{EventQuery, HostQuery, HostSort},
};

/// Items of one answer when none are asked for.
const USUAL: u64 = 50;
/// Items of one answer at most.
const MOST: u64 = 500;

/// Which hosts.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// What they have to meet, e.g. `vendor:dell mem>=256 role:web state:active`; a word alone is found in any text.
    q: Option<String>,
    /// Only hosts in this state.
    state: Option<String>,
    /// Only hosts that need attention.
    #[serde(default)]
    trouble: bool,
    /// Only hosts of this health: `ok`, `late` or `lost`.
    health: Option<String>,
    /// `seen` (default), `created`, `name`, `state`, `vendor`, `product`, `serial`, `memory`, `cores` or `disk`.
    sort: Option<String>,
    /// Largest first.
    descending: Option<bool>,
    /// Hosts to skip.
    #[serde(default)]
    offset: u64,
    /// Hosts to give, at most 500.
    limit: Option<u64>,
}

/// A word of a query that is none of those known.
pub(super) fn wrong(field: &str, value: &str, known: &str) -> Problem {
    let fault = Fault::new(field, value, "the word is not known", format!("write {known}"));
    Problem::refused(StatusCode::UNPROCESSABLE_ENTITY, "malformed", &fault)
}

/// Reads `q`.
pub(super) fn search(q: Option<&str>, now: DateTime<Utc>) -> Result<Option<Search>, Problem> {
    let expression = q.map(parse).transpose().map_err(|fault| Problem::of_search(&fault))?;
    Ok(expression.map(|expression| expression.at(now)))
}

fn limit(asked: Option<u64>) -> u64 {
    asked.unwrap_or(USUAL).clamp(1, MOST)
}

impl Asked {
    fn query(&self, now: DateTime<Utc>) -> Result<HostQuery, Problem> {
        const SORTS: [(&str, HostSort); 10] = [
            ("seen", HostSort::LastSeen),
            ("created", HostSort::Created),
            ("name", HostSort::Name),
            ("state", HostSort::State),
            ("vendor", HostSort::Vendor),
            ("product", HostSort::Product),
            ("serial", HostSort::Serial),
            ("memory", HostSort::Memory),
            ("cores", HostSort::Cores),
            ("disk", HostSort::Disk),
        ];
        let sort = match self.sort.as_deref() {
            None => HostSort::LastSeen,
            Some(word) => SORTS
                .iter()
                .find(|(known, _)| *known == word)
                .map(|(_, sort)| *sort)
                .ok_or_else(|| wrong("sort", word, &SORTS.map(|(known, _)| known).join(", ")))?,
        };
        let state = match self.state.as_deref() {
            None | Some("") => None,
            Some(word) => Some(word.parse().map_err(|_| {
                let known: Vec<_> = crate::inventory::State::ALL
                    .iter()
                    .map(|state| state.as_str())
                    .collect();
                wrong("state", word, &known.join(", "))
            })?),
        };
        let health = match self.health.as_deref() {
            None | Some("") => None,
            Some(word) => {
                let health = word.parse().map_err(|_| wrong("health", word, "ok, late or lost"))?;
                Some((health, now))
            }
        };
        Ok(HostQuery {
            search: search(self.q.as_deref(), now)?,
            state,
            trouble: self.trouble,
            health,
            sort,
            descending: self
                .descending
                .unwrap_or(matches!(sort, HostSort::LastSeen | HostSort::Created)),
            offset: self.offset,
            limit: limit(self.limit),
        })
    }
}

/// Lists, searches and sorts hosts.
#[utoipa::path(get, path = "/api/v1/hosts", tag = "hosts", params(Asked), responses(
    (status = 200, body = HostList), (status = "default", body = Problem)))]
pub(super) async fn hosts(
    State(state): State<PageState>,
    Query(asked): Query<Asked>,
) -> Result<Json<HostList>, Problem> {
    let now = state.now();
    let found = state.store().hosts(&asked.query(now)?).await?;
    Ok(Json(HostList {
        hosts: found.hosts.into_iter().map(|host| Host::at(host, now)).collect(),
        total: found.total,
    }))
}

pub(super) async fn known(state: &PageState, id: Uuid) -> Result<crate::inventory::Host, Problem> {
    state.store().host(HostId(id)).await?.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "host_unknown",
            "there is no such host; it may have turned out to be another one: search for its serial or MAC",
        )
    })
}

/// One host.
#[utoipa::path(get, path = "/api/v1/hosts/{id}", tag = "hosts", params(("id" = Uuid, Path)), responses(
    (status = 200, body = Host), (status = "default", body = Problem)))]
pub(super) async fn host(State(state): State<PageState>, Path(id): Path<Uuid>) -> Result<Json<Host>, Problem> {
    Ok(Json(Host::at(known(&state, id).await?, state.now())))
}

/// The network interfaces of a host.
#[utoipa::path(get, path = "/api/v1/hosts/{id}/interfaces", tag = "hosts", params(("id" = Uuid, Path)), responses(
    (status = 200, body = Vec<Interface>), (status = "default", body = Problem)))]
pub(super) async fn interfaces(
    State(state): State<PageState>,
    Path(id): Path<Uuid>,
) -> Result<Json<Vec<Interface>>, Problem> {
    let host = known(&state, id).await?;
    let found = state.store().interfaces(host.id).await?;
    Ok(Json(found.into_iter().map(Interface::from).collect()))
}

/// Disks, memory modules, processors and cards of a host.
#[utoipa::path(get, path = "/api/v1/hosts/{id}/components", tag = "hosts", params(("id" = Uuid, Path)), responses(
    (status = 200, body = Vec<Component>), (status = "default", body = Problem)))]
pub(super) async fn components(
    State(state): State<PageState>,
    Path(id): Path<Uuid>,
) -> Result<Json<Vec<Component>>, Problem> {
    let host = known(&state, id).await?;
    let found = state.store().components(host.id).await?;
    Ok(Json(found.into_iter().map(Component::from).collect()))
}

/// The newest facts of a host from each source.
#[utoipa::path(get, path = "/api/v1/hosts/{id}/facts", tag = "hosts", params(("id" = Uuid, Path)), responses(
    (status = 200, body = Vec<FactSet>), (status = "default", body = Problem)))]
pub(super) async fn facts(State(state): State<PageState>, Path(id): Path<Uuid>) -> Result<Json<Vec<FactSet>>, Problem> {
    let host = known(&state, id).await?;
    let found = state.store().facts(host.id).await?;
    Ok(Json(
        found
            .into_iter()
            .map(|set| FactSet {
                source: set.source.as_str(),
                at: set.at,
                facts: set.facts,
            })
            .collect(),
    ))
}

/// How far back, and how many.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Back {
    /// Id of the last one seen: older ones are given.
    before: Option<Uuid>,
    /// How many to give, at most 500.
    limit: Option<u64>,
}

/// What changed of a host, newest first.
#[utoipa::path(get, path = "/api/v1/hosts/{id}/changes", tag = "hosts", params(("id" = Uuid, Path), Back), responses(
    (status = 200, body = Vec<Change>), (status = "default", body = Problem)))]
pub(super) async fn changes(
    State(state): State<PageState>,
    Path(id): Path<Uuid>,
    Query(back): Query<Back>,
) -> Result<Json<Vec<Change>>, Problem> {
    let host = known(&state, id).await?;
    let found = state.store().changes(host.id, back.before, limit(back.limit)).await?;
    Ok(Json(found.into_iter().map(Change::from).collect()))
}

/// The boots of a host that events are still kept of, newest first.
#[utoipa::path(get, path = "/api/v1/hosts/{id}/boots", tag = "boots", params(("id" = Uuid, Path)), responses(
    (status = 200, body = Vec<Boot>), (status = "default", body = Problem)))]
pub(super) async fn boots(State(state): State<PageState>, Path(id): Path<Uuid>) -> Result<Json<Vec<Boot>>, Problem> {
    let host = known(&state, id).await?;
    let found = state.store().boots(host.id, MOST).await?;
    Ok(Json(found.into_iter().map(Boot::from).collect()))
}

/// The transcript of one boot, in the order of time.
#[utoipa::path(get, path = "/api/v1/boots/{id}", tag = "boots", params(("id" = Uuid, Path)), responses(
    (status = 200, body = Vec<Event>), (status = "default", body = Problem)))]
pub(super) async fn transcript(
    State(state): State<PageState>,
    Path(id): Path<Uuid>,
) -> Result<Json<Vec<Event>>, Problem> {
    let query = EventQuery {
        boot: Some(BootId(id)),
        limit: MOST,
        ..EventQuery::default()
    };
    let mut found = state.store().events(&query).await?;
    if found.is_empty() {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "boot_unknown",
            "no events of this boot are kept",
        ));
    }
    found.reverse();
    Ok(Json(found.into_iter().map(Event::from).collect()))
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsAsked {
    /// Of this host.
    host: Option<Uuid>,
    /// Of this MAC address.
    mac: Option<String>,
    /// Of this boot.
    boot: Option<Uuid>,
    /// Id of the last one seen: older ones are given.
    before: Option<Uuid>,
    /// How many to give, at most 500.
    limit: Option<u64>,
}

/// What happened, newest first.
#[utoipa::path(get, path = "/api/v1/events", tag = "boots", params(EventsAsked), responses(
    (status = 200, body = Vec<Event>), (status = "default", body = Problem)))]
pub(super) async fn events(
    State(state): State<PageState>,
    Query(asked): Query<EventsAsked>,
) -> Result<Json<Vec<Event>>, Problem> {
    let mac = match asked.mac.as_deref() {
        None => None,
        Some(text) => Some(
            text.parse()
                .map_err(|_| wrong("mac", text, "six hex pairs such as 52:54:00:77:00:01"))?,
        ),
    };
    let query = EventQuery {
        host: asked.host.map(HostId),
        mac,
        boot: asked.boot.map(BootId),
        before: asked.before,
        limit: limit(asked.limit),
    };
    let found = state.store().events(&query).await?;
    Ok(Json(found.into_iter().map(Event::from).collect()))
}
