//! One host: what its last boot came to, its hardware, its boots, its history.

use axum::{
    extract::{Path, Query},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, Utc};
use muster_facts::Facts;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    charts, hardware, hosts, install, plan, story, verdict,
    view::{Place, View},
};
use crate::{
    boot::{BootId, Event},
    http::Problem,
    inventory::{Health, Host, HostId},
    store::{EventQuery, FactSet, StoreError},
};

/// Lines of one transcript on a page.
const MOST_LINES: u64 = 300;
/// Lines of the last boot on the overview.
const GLANCE: usize = 14;
/// Changes on one page.
const CHANGES: u64 = 100;
/// Boots listed.
const BOOTS: u64 = 50;

const TABS: [&str; 8] = [
    "overview", "charts", "hardware", "plan", "install", "boots", "changes", "facts",
];

#[derive(Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    tab: String,
    /// The view of the plan.
    #[serde(default)]
    view: String,
    #[serde(default)]
    saved: String,
    boot: Option<Uuid>,
    before: Option<Uuid>,
    #[serde(default)]
    source: String,
    /// Of the charts.
    #[serde(default)]
    span: String,
}

#[derive(Serialize)]
struct HostData {
    id: HostId,
    title: Option<String>,
    machine: Option<String>,
    state: &'static str,
    name: Option<String>,
    address: Option<String>,
    created: DateTime<Utc>,
    seen: Option<DateTime<Utc>>,
    reported: Option<DateTime<Utc>>,
    heard: Option<DateTime<Utc>>,
    health: Option<&'static str>,
    booted: Option<DateTime<Utc>>,
    verdict: Option<verdict::Shown>,
    verdict_words: Option<String>,
    verdict_advice: Option<String>,
    ambiguous_with: Vec<Other>,
    tabs: [&'static str; 8],
    tab: &'static str,
    facts: Option<Facts>,
    cpu_short: Option<String>,
    facts_source: Option<&'static str>,
    facts_at: Option<DateTime<Utc>>,
    sources: Vec<SourceTab>,
    interfaces: Vec<InterfaceRow>,
    gone: Vec<GoneRow>,
    cards: Vec<hardware::Card>,
    boots: Vec<BootRow>,
    story: Vec<story::Line>,
    story_began: Option<DateTime<Utc>>,
    story_cut: Option<u64>,
    changes: Vec<ChangeRow>,
    older: Option<Uuid>,
    raw: Option<String>,
    plan: Option<plan::PlanTab>,
    install: Option<install::InstallTab>,
    charts: Option<charts::ChartsTab>,
    glance: Option<charts::Glance>,
}

#[derive(Serialize)]
struct Other {
    id: HostId,
    title: String,
}

#[derive(Serialize)]
struct SourceTab {
    source: &'static str,
    current: bool,
}

#[derive(Serialize)]
struct InterfaceRow {
    mac: String,
    name: Option<String>,
    driver: Option<String>,
    speed_mbps: Option<u32>,
    link: Option<bool>,
    neighbour: Option<String>,
    vlan: Option<u16>,
    model: Option<String>,
    bus_address: Option<String>,
    firmware: Option<String>,
    addresses: Vec<String>,
    present: bool,
}

/// A component that the last report no longer lists.
#[derive(Serialize)]
struct GoneRow {
    kind: &'static str,
    slot: Option<String>,
    model: Option<String>,
    serial: Option<String>,
    size_bytes: Option<u64>,
}

#[derive(Serialize)]
struct BootRow {
    id: Uuid,
    began: DateTime<Utc>,
    events: u64,
    current: bool,
}

#[derive(Serialize)]
struct ChangeRow {
    at: DateTime<Utc>,
    field: String,
    before: Option<String>,
    after: Option<String>,
    source: &'static str,
    actor: Option<String>,
}

pub(super) fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "host_unknown", "there is no such host")
}

pub(super) async fn page(view: View, Path(id): Path<String>, Query(asked): Query<Asked>) -> Response {
    let Ok(id) = id.parse::<HostId>() else {
        return view.problem(&unknown());
    };
    match data(&view, id, &asked).await {
        Ok(Some(data)) => {
            let place = Place {
                section: "hosts",
                live: Some(id.to_string()),
            };
            view.page("host.html", &place, &data)
        }
        Ok(None) => view.problem(&unknown()),
        Err(problem) => view.problem(&problem),
    }
}

/// The page with a plan that was not saved.
pub(super) async fn with_plan(view: &View, id: HostId, tab: plan::PlanTab) -> Response {
    with(view, id, "plan", |data| data.plan = Some(tab)).await
}

/// The page with an installation that was not started.
pub(super) async fn with_refused_install(view: &View, id: HostId, refused: install::Refused) -> Response {
    let mut response = with(view, id, "install", |data| {
        data.install = data.install.take().map(|tab| tab.refused(refused));
    })
    .await;
    if response.status().is_success() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    response
}

/// The answer to a form: it is not kept fresh, as a fresh one would lose what was typed.
async fn with(view: &View, id: HostId, tab: &str, change: impl FnOnce(&mut HostData)) -> Response {
    let asked = Asked {
        tab: tab.to_owned(),
        ..Asked::default()
    };
    match data(view, id, &asked).await {
        Ok(Some(mut data)) => {
            change(&mut data);
            let place = Place {
                section: "hosts",
                live: None,
            };
            view.page("host.html", &place, &data)
        }
        Ok(None) => view.problem(&unknown()),
        Err(problem) => view.problem(&problem),
    }
}

async fn data(view: &View, id: HostId, asked: &Asked) -> Result<Option<HostData>, Problem> {
    let store = view.state.store();
    let Some(host) = store.host(id).await? else {
        return Ok(None);
    };
    let tab = TABS.into_iter().find(|tab| *tab == asked.tab).unwrap_or("overview");
    let sets = store.facts(id).await?;
    let chosen = newest(&sets, &asked.source);
    let mut data = outline(&host, tab, chosen, view.state.now());
    data.sources = sets
        .iter()
        .map(|set| SourceTab {
            source: set.source.as_str(),
            current: chosen.is_some_and(|chosen| chosen.source == set.source),
        })
        .collect();
    for other in &host.ambiguous_with {
        if let Some(other) = store.host(*other).await? {
            data.ambiguous_with.push(Other {
                id: other.id,
                title: hosts::title(&other).unwrap_or_else(|| other.id.to_string()),
            });
        }
    }
    if matches!(tab, "overview" | "hardware" | "boots") {
        boots(view, id, asked, &mut data).await?;
    }
    match tab {
        "overview" => {
            data.interfaces = interfaces(view, id, chosen).await?;
            data.glance = charts::glance(view, id).await?;
        }
        "hardware" => {
            data.interfaces = interfaces(view, id, chosen).await?;
            data.cards = chosen.map(|set| hardware::cards(&set.facts)).unwrap_or_default();
            data.gone = gone(view, id).await?;
        }
        "changes" => {
            let changes = store.changes(id, asked.before, CHANGES).await?;
            data.older = changes
                .last()
                .filter(|_| changes.len() as u64 == CHANGES)
                .map(|change| change.id);
            data.changes = changes
                .into_iter()
                .map(|change| ChangeRow {
                    at: change.at,
                    field: change.field,
                    before: change.before,
                    after: change.after,
                    source: change.source.as_str(),
                    actor: change.actor,
                })
                .collect();
        }
        "plan" => data.plan = Some(plan::tab(view, id, &asked.view, asked.saved == "1").await?),
        "install" => data.install = Some(install::tab(view, &host, asked.before).await?),
        "charts" => data.charts = Some(charts::tab(view, &host, &asked.span).await?),
        "facts" => data.raw = chosen.and_then(|set| serde_json::to_string_pretty(&set.facts).ok()),
        _ => {}
    }
    Ok(Some(data))
}

/// The set of the source asked for, else the newest.
fn newest<'a>(sets: &'a [FactSet], source: &str) -> Option<&'a FactSet> {
    sets.iter()
        .find(|set| set.source.as_str() == source)
        .or_else(|| sets.iter().max_by_key(|set| set.at))
}

fn outline(host: &Host, tab: &'static str, chosen: Option<&FactSet>, now: DateTime<Utc>) -> HostData {
    HostData {
        id: host.id,
        title: hosts::title(host),
        machine: hosts::machine(host),
        state: host.state.as_str(),
        name: host.name.clone(),
        address: host.address.map(|address| address.to_string()),
        created: host.created_at,
        seen: host.seen_at(),
        reported: host.reported_at,
        heard: host.heard_at,
        health: host.health(now).map(Health::as_str),
        booted: host.booted_at,
        verdict: host.boot_verdict.as_deref().map(verdict::shown),
        verdict_words: None,
        verdict_advice: None,
        ambiguous_with: Vec::new(),
        tabs: TABS,
        tab,
        facts: chosen.map(|set| set.facts.clone()),
        cpu_short: host.summary.cpu_model.as_deref().map(hosts::short_cpu),
        facts_source: chosen.map(|set| set.source.as_str()),
        facts_at: chosen.map(|set| set.at),
        sources: Vec::new(),
        interfaces: Vec::new(),
        gone: Vec::new(),
        cards: Vec::new(),
        boots: Vec::new(),
        story: Vec::new(),
        story_began: None,
        story_cut: None,
        changes: Vec::new(),
        older: None,
        raw: None,
        plan: None,
        install: None,
        charts: None,
        glance: None,
    }
}

async fn boots(view: &View, id: HostId, asked: &Asked, data: &mut HostData) -> Result<(), StoreError> {
    let store = view.state.store();
    let boots = store.boots(id, BOOTS).await?;
    let shown = asked
        .boot
        .and_then(|wanted| boots.iter().find(|boot| boot.id == BootId(wanted)))
        .or_else(|| boots.first());
    if let Some(shown) = shown {
        let events = store
            .events(&EventQuery {
                boot: Some(shown.id),
                limit: MOST_LINES,
                ..EventQuery::default()
            })
            .await?;
        let in_order: Vec<Event> = events.iter().rev().cloned().collect();
        let verdict = view.state.verdict(&in_order);
        let said = |key: &str| story::filled(&format!("{key}.{}", verdict.code), &verdict.params, view.locale);
        let is_last = boots.first().is_some_and(|last| last.id == shown.id);
        if is_last || data.tab == "boots" {
            data.verdict = Some(verdict::shown(verdict.code.as_str()));
            data.verdict_words = said("verdict");
            data.verdict_advice = said("verdict_advice");
            data.booted = Some(shown.began_at);
        }
        let mut lines = story::lines(&events, view.locale);
        data.story_began = events.last().map(|event| event.at);
        if data.tab == "overview" && lines.len() > GLANCE {
            lines.drain(..lines.len() - GLANCE);
        } else if shown.events > MOST_LINES {
            data.story_cut = Some(MOST_LINES);
        }
        data.story = lines;
    }
    data.boots = boots
        .iter()
        .map(|boot| BootRow {
            id: boot.id.0,
            began: boot.began_at,
            events: boot.events,
            current: shown.is_some_and(|shown| shown.id == boot.id),
        })
        .collect();
    Ok(())
}

/// The ledger's interfaces with what the last report says of them.
async fn interfaces(view: &View, id: HostId, chosen: Option<&FactSet>) -> Result<Vec<InterfaceRow>, StoreError> {
    let mut rows: Vec<InterfaceRow> = view
        .state
        .store()
        .interfaces(id)
        .await?
        .into_iter()
        .map(|interface| {
            let nic = chosen.and_then(|set| set.facts.nics.iter().find(|nic| nic.mac == Some(interface.mac)));
            InterfaceRow {
                mac: interface.mac.to_string(),
                name: interface.name,
                driver: interface.driver,
                speed_mbps: interface.speed_mbps,
                link: nic.and_then(|nic| nic.link),
                neighbour: interface.neighbour,
                vlan: nic.and_then(|nic| nic.lldp.as_ref()?.vlan),
                model: nic.and_then(|nic| hardware::pci_name(nic.pci_id.as_deref()?)),
                bus_address: nic.and_then(|nic| nic.bus_address.clone()),
                firmware: nic.and_then(|nic| nic.firmware.clone()),
                addresses: nic.map(|nic| nic.addresses.clone()).unwrap_or_default(),
                present: interface.present,
            }
        })
        .collect();
    rows.sort_by(|a, b| (!a.present, &a.name, &a.mac).cmp(&(!b.present, &b.name, &b.mac)));
    Ok(rows)
}

async fn gone(view: &View, id: HostId) -> Result<Vec<GoneRow>, StoreError> {
    let components = view.state.store().components(id).await?;
    Ok(components
        .into_iter()
        .filter(|component| !component.present)
        .map(|component| GoneRow {
            kind: component.kind.as_str(),
            slot: component.slot,
            model: component.model,
            serial: component.serial,
            size_bytes: component.size_bytes,
        })
        .collect())
}
