#![expect(
    unused_qualifications,
    reason = "utoipa writes the types of queries with their paths"
)]

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    asked::Query,
    shape::{DhcpServer, Lease, LeaseList, Range, Reservation, Subnet},
};
use crate::{
    http::{PageState, Problem},
    ipam::AddressRange,
    store::LeaseQuery,
};

/// The subnets of the settings, with their modes and how full they are.
#[utoipa::path(get, path = "/api/v1/subnets", tag = "network", responses(
    (status = 200, body = Vec<Subnet>), (status = "default", body = Problem)))]
pub(super) async fn subnets(State(state): State<PageState>) -> Result<Json<Vec<Subnet>>, Problem> {
    let now = state.now();
    let mut out = Vec::new();
    for subnet in state.subnets() {
        let mut used = 0;
        for range in &subnet.ranges {
            used += state.store().leases_in_use(*range, now).await?;
        }
        out.push(Subnet {
            network: subnet.network.to_string(),
            mode: subnet.mode.as_str(),
            ranges: subnet
                .ranges
                .iter()
                .map(|range| Range {
                    first: range.first.to_string(),
                    last: range.last.to_string(),
                })
                .collect(),
            reservations: subnet
                .reservations
                .iter()
                .map(|kept| Reservation {
                    mac: kept.mac.to_string(),
                    address: kept.address.to_string(),
                })
                .collect(),
            router: subnet.router.map(|router| router.to_string()),
            dns: subnet.dns.iter().map(ToString::to_string).collect(),
            domain: subnet.domain.clone(),
            lease_seconds: subnet.lease_time.as_secs(),
            size: subnet.ranges.iter().map(AddressRange::len).sum(),
            used,
        });
    }
    Ok(Json(out))
}

/// Which leases.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Text that must occur in address, MAC or host name.
    q: Option<String>,
    /// Leases to skip.
    #[serde(default)]
    offset: u64,
    /// Leases to give, at most 1000.
    limit: Option<u64>,
}

/// Addresses given out, by address.
#[utoipa::path(get, path = "/api/v1/leases", tag = "network", params(Asked), responses(
    (status = 200, body = LeaseList), (status = "default", body = Problem)))]
pub(super) async fn leases(
    State(state): State<PageState>,
    Query(asked): Query<Asked>,
) -> Result<Json<LeaseList>, Problem> {
    let query = LeaseQuery {
        text: asked.q,
        offset: asked.offset,
        limit: asked.limit.unwrap_or(100).clamp(1, 1000),
        ..LeaseQuery::default()
    };
    let found = state.store().leases(&query).await?;
    Ok(Json(LeaseList {
        leases: found.leases.into_iter().map(Lease::from).collect(),
        total: found.total,
    }))
}

/// Other DHCP servers that were heard.
#[utoipa::path(get, path = "/api/v1/dhcp-servers", tag = "network", responses(
    (status = 200, body = Vec<DhcpServer>), (status = "default", body = Problem)))]
pub(super) async fn dhcp_servers(State(state): State<PageState>) -> Result<Json<Vec<DhcpServer>>, Problem> {
    let found = state.store().dhcp_servers().await?;
    Ok(Json(found.into_iter().map(DhcpServer::from).collect()))
}
