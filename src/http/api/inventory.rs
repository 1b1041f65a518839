#![expect(
    unused_qualifications,
    reason = "utoipa writes the types of queries with their paths"
)]

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::{
    http::{PageState, Problem},
    provision::inventories::{InventoryFault, TargetGroup, ZoneWanted},
    search::{Expression, parse},
};

/// Node exporter's port.
const USUAL_PORT: u16 = 9100;

/// Which hosts.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// What they have to meet, e.g. `role:web state:active`; without it all that are not only discovered or retired.
    q: Option<String>,
}

fn expression(q: Option<&str>) -> Result<Expression, Problem> {
    parse(q.unwrap_or_default()).map_err(|fault| Problem::of_search(&fault))
}

impl From<InventoryFault> for Problem {
    fn from(fault: InventoryFault) -> Self {
        match fault {
            InventoryFault::Catalog(fault) => fault.into(),
            InventoryFault::Zone(fault) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "malformed", fault.to_string()),
            fault @ InventoryFault::TooMany => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "too_many", fault.to_string())
            }
        }
    }
}

fn text(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

/// Hosts for Ansible, as an inventory script prints them for `--list`: groups, and variables of each host. No secrets.
#[utoipa::path(get, path = "/api/v1/inventory/ansible", tag = "inventory", params(Wanted), responses(
    (status = 200, body = BTreeMap<String, Value>), (status = "default", body = Problem)))]
pub(super) async fn ansible(
    State(state): State<PageState>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Problem> {
    let search = expression(wanted.q.as_deref())?;
    Ok(Json(state.inventories().ansible(search, state.now()).await?))
}

/// The variables of one host for Ansible, as an inventory script prints them for `--host`; empty for one that is not known.
#[utoipa::path(get, path = "/api/v1/inventory/ansible/{host}", tag = "inventory", params(("host" = String, Path)),
    responses((status = 200, body = BTreeMap<String, Value>), (status = "default", body = Problem)))]
pub(super) async fn ansible_host(
    State(state): State<PageState>,
    Path(host): Path<String>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(state.inventories().ansible_host(&host, state.now()).await?))
}

/// Which targets.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TargetsWanted {
    /// What they have to meet, e.g. `role:web state:active`; without it all that are not only discovered or retired.
    q: Option<String>,
    /// The port that is scraped: 9100 when none is given.
    port: Option<u16>,
}

/// Targets with their labels.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Targets {
    /// `address:port`.
    targets: Vec<String>,
    /// `__meta_muster_…`, for relabelling.
    labels: BTreeMap<String, String>,
}

impl From<TargetGroup> for Targets {
    fn from(group: TargetGroup) -> Self {
        Self {
            targets: group.targets,
            labels: group.labels,
        }
    }
}

/// Targets for Prometheus' HTTP discovery (`http_sd_configs`): hosts that have an address.
#[utoipa::path(get, path = "/api/v1/inventory/prometheus", tag = "inventory", params(TargetsWanted), responses(
    (status = 200, body = Vec<Targets>), (status = "default", body = Problem)))]
pub(super) async fn prometheus(
    State(state): State<PageState>,
    Query(wanted): Query<TargetsWanted>,
) -> Result<Json<Vec<Targets>>, Problem> {
    let search = expression(wanted.q.as_deref())?;
    let port = wanted.port.unwrap_or(USUAL_PORT);
    let groups = state.inventories().prometheus(search, port, state.now()).await?;
    Ok(Json(groups.into_iter().map(Targets::from).collect()))
}

/// Lines for `/etc/hosts`.
#[utoipa::path(get, path = "/api/v1/inventory/hosts", tag = "inventory", params(Wanted), responses(
    (status = 200, body = String, content_type = "text/plain"), (status = "default", body = Problem)))]
pub(super) async fn hosts_file(
    State(state): State<PageState>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let search = expression(wanted.q.as_deref())?;
    Ok(text(state.inventories().hosts_file(search, state.now()).await?))
}

/// Which zone.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ZoneAsked {
    /// The domain of the hosts, e.g. `lab.example.org`.
    zone: String,
    /// What they have to meet; without it all that are not only discovered or retired.
    q: Option<String>,
    /// PTR of the addresses in this network instead, e.g. `10.0.0.0/24`.
    reverse: Option<String>,
    /// The zone's name server: then SOA and NS are written too.
    ns: Option<String>,
}

/// A DNS zone: A and AAAA of hosts, or their PTR.
#[utoipa::path(get, path = "/api/v1/inventory/dns", tag = "inventory", params(ZoneAsked), responses(
    (status = 200, body = String, content_type = "text/plain"), (status = "default", body = Problem)))]
pub(super) async fn zone(State(state): State<PageState>, Query(asked): Query<ZoneAsked>) -> Result<Response, Problem> {
    let search = expression(asked.q.as_deref())?;
    let reverse = asked.reverse.map(|network| network.parse()).transpose().map_err(|_| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "malformed",
            "reverse is no network; write one such as 10.0.0.0/24",
        )
    })?;
    let wanted = ZoneWanted {
        domain: asked.zone,
        reverse,
        name_server: asked.ns,
    };
    Ok(text(state.inventories().zone(search, &wanted, state.now()).await?))
}

/// What Salt's master is told of a minion, known by its name, full name, id or MAC: an external pillar. No secrets.
#[utoipa::path(get, path = "/api/v1/inventory/salt/{minion}", tag = "inventory", params(("minion" = String, Path)),
    responses((status = 200, body = BTreeMap<String, Value>), (status = "default", body = Problem)))]
pub(super) async fn salt(State(state): State<PageState>, Path(minion): Path<String>) -> Result<Json<Value>, Problem> {
    let pillar = state.inventories().salt(&minion, state.now()).await?;
    pillar.map(Json).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "host_unknown",
            "no host has this name, full name, id or MAC",
        )
    })
}
