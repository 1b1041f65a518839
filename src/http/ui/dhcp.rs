//! Subnets with their modes, leases, and who else answers.

use std::net::Ipv4Addr;

use axum::{extract::Query, response::Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::view::{Place, View};
use crate::{
    discovery::{DhcpCounts, MalformedCounts},
    http::Problem,
    inventory::HostId,
    ipam::{Lease, LeaseState, Subnet},
    store::{LeaseQuery, StoreError},
};

/// Leases on one page.
const PAGE: u64 = 100;

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    page: String,
}

#[derive(Serialize)]
struct DhcpData {
    q: String,
    subnets: Vec<SubnetCard>,
    servers: Vec<ServerRow>,
    /// Other servers heard while Muster itself gives addresses somewhere.
    rivals: usize,
    counts: DhcpCounts,
    malformed: MalformedCounts,
    leases: Vec<LeaseRow>,
    total: u64,
    page: u64,
    pages: u64,
}

#[derive(Serialize)]
struct SubnetCard {
    network: String,
    mode: &'static str,
    gives: bool,
    ranges: Vec<String>,
    reservations: usize,
    router: Option<Ipv4Addr>,
    dns: Vec<Ipv4Addr>,
    domain: Option<String>,
    lease_unit: &'static str,
    lease_count: u64,
    used: u64,
    size: u64,
    percent: u64,
}

#[derive(Serialize)]
struct ServerRow {
    address: Ipv4Addr,
    interface: String,
    mac: Option<String>,
    offers: u64,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
    pxe: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct LeaseRow {
    address: Ipv4Addr,
    mac: String,
    host: Option<HostId>,
    host_title: Option<String>,
    client: Option<String>,
    state: &'static str,
    starts: DateTime<Utc>,
    ends: DateTime<Utc>,
}

pub(super) async fn page(view: View, Query(asked): Query<Asked>) -> Response {
    match data(&view, &asked).await {
        Ok(data) => {
            let place = Place {
                section: "dhcp",
                live: Some("dhcp".to_owned()),
            };
            view.page("dhcp.html", &place, &data)
        }
        Err(error) => view.problem(&Problem::from(error)),
    }
}

async fn data(view: &View, asked: &Asked) -> Result<DhcpData, StoreError> {
    let store = view.state.store();
    let now = view.state.now();
    let mut subnets = Vec::new();
    for subnet in view.state.subnets() {
        let mut used = 0;
        for range in &subnet.ranges {
            used += store.leases_in_use(*range, now).await?;
        }
        subnets.push(card(subnet, used));
    }
    let servers: Vec<ServerRow> = store
        .dhcp_servers()
        .await?
        .into_iter()
        .map(|server| ServerRow {
            address: server.address,
            interface: server.interface,
            mac: server.mac.map(|mac| mac.to_string()),
            offers: server.offers_seen,
            first: server.first_seen_at,
            last: server.last_seen_at,
            pxe: server.answers_pxe_since,
        })
        .collect();
    let rivals = servers
        .iter()
        .filter(|server| {
            view.state
                .subnets()
                .iter()
                .any(|subnet| subnet.mode.gives_addresses() && subnet.network.contains(&server.address))
        })
        .count();
    let page = asked.page.parse::<u64>().unwrap_or(1).max(1);
    let found = store
        .leases(&LeaseQuery {
            text: Some(asked.q.trim().to_owned()).filter(|text| !text.is_empty()),
            offset: (page - 1).saturating_mul(PAGE),
            limit: PAGE,
            ..LeaseQuery::default()
        })
        .await?;
    let macs: Vec<_> = found.leases.iter().map(|lease| lease.mac).collect();
    let hosts = store.hosts_of_macs(&macs).await?;
    let leases = found
        .leases
        .into_iter()
        .map(|lease| {
            let owner = hosts.get(&lease.mac);
            LeaseRow {
                address: lease.address,
                mac: lease.mac.to_string(),
                host: owner.map(|(id, _)| *id),
                host_title: owner.and_then(|(_, title)| title.clone()),
                state: shown_state(&lease, now),
                client: lease.hostname,
                starts: lease.starts_at,
                ends: lease.ends_at,
            }
        })
        .collect();
    let (counts, malformed) = view.state.counts();
    Ok(DhcpData {
        q: asked.q.clone(),
        subnets,
        servers,
        rivals,
        counts,
        malformed,
        leases,
        total: found.total,
        page,
        pages: found.total.div_ceil(PAGE).max(1),
    })
}

/// A lease that nobody gave back still ends.
fn shown_state(lease: &Lease, now: DateTime<Utc>) -> &'static str {
    match lease.state {
        LeaseState::Bound if lease.ends_at <= now => "ended",
        state => state.as_str(),
    }
}

fn card(subnet: &Subnet, used: u64) -> SubnetCard {
    let size: u64 = subnet.ranges.iter().map(crate::ipam::AddressRange::len).sum();
    let seconds = subnet.lease_time.as_secs();
    let (lease_unit, lease_count) = match seconds {
        172_800.. => ("dhcp.days", seconds / 86_400),
        7200.. => ("dhcp.hours", seconds / 3600),
        _ => ("dhcp.minutes", seconds / 60),
    };
    SubnetCard {
        network: subnet.network.to_string(),
        mode: subnet.mode.as_str(),
        gives: subnet.mode.gives_addresses(),
        ranges: subnet
            .ranges
            .iter()
            .map(|range| format!("{} – {}", range.first, range.last))
            .collect(),
        reservations: subnet.reservations.len(),
        router: subnet.router,
        dns: subnet.dns.clone(),
        domain: subnet.domain.clone(),
        lease_unit,
        lease_count,
        used,
        size,
        percent: (used * 100).checked_div(size).unwrap_or(0),
    }
}
