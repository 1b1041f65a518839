//! The list of hosts: search, filter, sort, pages.

use std::collections::HashMap;

use axum::{extract::Query, response::Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    activity::Chart,
    listing::{Pager, Pill},
    verdict,
    view::{Place, View},
};
use crate::{
    http::{Problem, guard::url_text},
    inventory::{Health, Host, HostId, State},
    search::{SEARCH_FIELDS, SearchFault, SearchField, Why, parse},
    store::{HostPage, HostQuery, HostSort, StoreError},
};
use muster_facts::MacAddr;

/// Hosts on one page.
const PAGE: u64 = 50;

/// The columns that can be sorted by: word in the address, catalogue key, order of the store, largest first at once.
const COLUMNS: [(&str, &str, HostSort, bool); 5] = [
    ("name", "hosts.host", HostSort::Name, false),
    ("state", "hosts.state", HostSort::State, false),
    ("memory", "hosts.hardware", HostSort::Memory, true),
    ("seen", "hosts.seen", HostSort::LastSeen, true),
    ("created", "host.created", HostSort::Created, true),
];

/// What the address of the page asks for. Wrong words are as if absent: an old bookmark still shows hosts.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    trouble: String,
    #[serde(default)]
    health: String,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    order: String,
    #[serde(default)]
    page: String,
}

impl Asked {
    fn column(&self) -> (&'static str, HostSort, bool) {
        COLUMNS
            .iter()
            .find(|(word, ..)| *word == self.sort)
            .or(COLUMNS.get(3))
            .map_or(("seen", HostSort::LastSeen, true), |(word, _, sort, descending)| {
                (*word, *sort, *descending)
            })
    }

    fn descending(&self) -> bool {
        match self.order.as_str() {
            "up" => false,
            "down" => true,
            _ => self.column().2,
        }
    }

    fn page(&self) -> u64 {
        self.page.parse().unwrap_or(1).max(1)
    }

    fn trouble(&self) -> bool {
        self.trouble == "1"
    }

    /// What is asked for at `now`.
    fn query(&self, now: DateTime<Utc>) -> Result<HostQuery, SearchFault> {
        Ok(HostQuery {
            search: Some(parse(&self.q)?.at(now)),
            state: self.state.parse().ok(),
            trouble: self.trouble(),
            health: self.health.parse().ok().map(|health| (health, now)),
            sort: self.column().1,
            descending: self.descending(),
            offset: (self.page() - 1).saturating_mul(PAGE),
            limit: PAGE,
        })
    }

    /// The address with some of its parts replaced; what is empty is left out.
    fn address(&self, replaced: &[(&str, &str)]) -> String {
        let mut out = String::from("/hosts");
        let parts = [
            ("q", self.q.as_str()),
            ("state", self.state.as_str()),
            ("trouble", self.trouble.as_str()),
            ("health", self.health.as_str()),
            ("sort", self.sort.as_str()),
            ("order", self.order.as_str()),
            ("page", ""),
        ];
        let mut mark = '?';
        for (name, value) in parts {
            let value = replaced
                .iter()
                .find(|(other, _)| *other == name)
                .map_or(value, |(_, value)| value);
            if !value.is_empty() {
                out.push(mark);
                out.push_str(name);
                out.push('=');
                out.push_str(&url_text(value));
                mark = '&';
            }
        }
        out
    }
}

#[derive(Serialize)]
struct HostsData {
    q: String,
    state: String,
    trouble: bool,
    health: String,
    sort: &'static str,
    order: &'static str,
    pills: Vec<Pill>,
    heads: HashMap<&'static str, Head>,
    rows: Vec<Row>,
    pager: Pager,
    /// No host at all: say how to get one.
    empty: bool,
    chart: Option<Chart>,
    /// What is wrong with the search; then nothing is found.
    fault: Option<FaultShown>,
    fields: Vec<FieldShown>,
}

/// A search that cannot be read: what stands before the place, at it, and after it, and what is wrong.
#[derive(Serialize)]
struct FaultShown {
    before: String,
    at: String,
    after: String,
    words: String,
}

impl FaultShown {
    fn of(view: &View, text: &str, fault: &SearchFault) -> Self {
        let (before, at, after) = fault.parts(text);
        let wants = match &fault.why {
            Why::Value { wants, .. } => Some(*wants),
            _ => None,
        };
        let part = |name: &str| match (name, wants) {
            ("wants", Some(wants)) if fault.why.part("near").is_none() => {
                Some(view.say(&format!("search.wants.{}", wants.as_str())))
            }
            _ => fault.why.part(name),
        };
        Self {
            words: view.say_with(&format!("search.fault.{}", fault.why.code()), &part),
            before: before.to_owned(),
            at: at.to_owned(),
            after: after.to_owned(),
        }
    }
}

/// A field of the search language.
#[derive(Serialize)]
struct FieldShown {
    names: String,
    example: &'static str,
    /// In the catalogue.
    key: String,
}

fn fields() -> Vec<FieldShown> {
    SEARCH_FIELDS
        .iter()
        .map(|field| FieldShown {
            names: std::iter::once(&field.name)
                .chain(field.also)
                .copied()
                .collect::<Vec<_>>()
                .join(", "),
            example: field.example,
            key: field_key(field),
        })
        .collect()
}

/// Where the catalogue says what a field is.
pub(super) fn field_key(field: &SearchField) -> String {
    format!("search.field.{}", field.name.trim_end_matches('.'))
}

#[derive(Serialize)]
struct Head {
    key: &'static str,
    address: String,
    /// `ascending` or `descending` when the list is sorted by it.
    sorted: Option<&'static str>,
}

/// One host in the list.
#[derive(Serialize)]
pub(super) struct Row {
    id: HostId,
    title: Option<String>,
    machine: Option<String>,
    state: &'static str,
    verdict: Option<verdict::Shown>,
    booted_at: Option<DateTime<Utc>>,
    cores: Option<u32>,
    memory_bytes: Option<u64>,
    disk_bytes: Option<u64>,
    cpu: Option<String>,
    address: Option<String>,
    mac: Option<String>,
    more_macs: usize,
    seen: Option<DateTime<Utc>>,
    ambiguous: bool,
    health: Option<&'static str>,
}

/// What a host is called: its name, else its serial.
pub(super) fn title(host: &Host) -> Option<String> {
    host.name.clone().or_else(|| host.summary.serial.clone())
}

/// `Dell Inc. PowerEdge R640`, without saying the maker twice.
pub(super) fn machine(host: &Host) -> Option<String> {
    match (&host.summary.vendor, &host.summary.product) {
        (Some(vendor), Some(product)) if product.starts_with(vendor.as_str()) => Some(product.clone()),
        (Some(vendor), Some(product)) => Some(format!("{vendor} {product}")),
        (vendor, product) => vendor.clone().or_else(|| product.clone()),
    }
}

/// A processor's name without what only lawyers and data sheets need: `Intel Xeon Gold 6130`.
pub(super) fn short_cpu(model: &str) -> String {
    let plain = model.replace("(R)", "").replace("(TM)", "").replace("(tm)", "");
    let plain = plain.split('@').next().unwrap_or_default();
    plain
        .split_whitespace()
        .filter(|word| !matches!(*word, "CPU" | "Processor") && !word.ends_with("-Core"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn row(host: &Host, macs: &[MacAddr], now: DateTime<Utc>) -> Row {
    Row {
        id: host.id,
        title: title(host),
        machine: machine(host),
        state: host.state.as_str(),
        verdict: host.boot_verdict.as_deref().map(verdict::shown),
        booted_at: host.booted_at,
        cores: host.summary.cores,
        memory_bytes: host.summary.memory_bytes,
        disk_bytes: host.summary.disk_bytes,
        cpu: host.summary.cpu_model.as_deref().map(short_cpu),
        address: host.address.map(|address| address.to_string()),
        mac: macs.first().map(ToString::to_string),
        more_macs: macs.len().saturating_sub(1),
        seen: host.seen_at(),
        ambiguous: !host.ambiguous_with.is_empty(),
        health: host.health(now).map(Health::as_str),
    }
}

pub(super) async fn page(view: View, Query(asked): Query<Asked>) -> Response {
    match data(&view, &asked).await {
        Ok(data) => {
            let place = Place {
                section: "hosts",
                live: Some("hosts".to_owned()),
            };
            view.page("hosts.html", &place, &data)
        }
        Err(error) => view.problem(&Problem::from(error)),
    }
}

async fn data(view: &View, asked: &Asked) -> Result<HostsData, StoreError> {
    let store = view.state.store();
    let now = view.state.now();
    let (found, fault) = match asked.query(now) {
        Ok(query) => (store.hosts(&query).await?, None),
        Err(fault) => (HostPage::default(), Some(FaultShown::of(view, &asked.q, &fault))),
    };
    let counts = store.host_counts().await?;
    let all: u64 = counts.values().sum();
    let trouble = store
        .hosts(&HostQuery {
            trouble: true,
            limit: 1,
            ..HostQuery::default()
        })
        .await?
        .total;
    let ids: Vec<HostId> = found.hosts.iter().map(|host| host.id).collect();
    let macs = store.macs_of(&ids).await?;
    let rows: Vec<Row> = found
        .hosts
        .iter()
        .map(|host| row(host, macs.get(&host.id).map_or(&[], Vec::as_slice), now))
        .collect();
    let chart = if all == 0 {
        None
    } else {
        Some(view.state.activity().chart(store, view.state.now()).await?)
    };

    let mut pills = vec![Pill {
        key: "hosts.all".to_owned(),
        count: all,
        address: asked.address(&[("state", ""), ("trouble", ""), ("health", "")]),
        current: asked.state.is_empty() && asked.health.is_empty() && !asked.trouble(),
    }];
    if trouble > 0 || asked.trouble() {
        pills.push(Pill {
            key: "hosts.trouble".to_owned(),
            count: trouble,
            address: asked.address(&[("state", ""), ("trouble", "1"), ("health", "")]),
            current: asked.trouble(),
        });
    }
    pills.extend(
        State::ALL
            .into_iter()
            .filter(|state| counts.contains_key(state) || asked.state == state.as_str())
            .map(|state| Pill {
                key: format!("state.{}", state.as_str()),
                count: counts.get(&state).copied().unwrap_or_default(),
                address: asked.address(&[("state", state.as_str()), ("trouble", ""), ("health", "")]),
                current: asked.state == state.as_str(),
            }),
    );

    // Only what somebody should look at: that all is well is what one expects.
    let ill = store
        .health_counts(now)
        .await?
        .into_iter()
        .filter(|(health, _)| *health != Health::Ok);
    pills.extend(
        ill.filter(|(health, hosts)| *hosts > 0 || asked.health == health.as_str())
            .map(|(health, count)| Pill {
                key: format!("health.{}", health.as_str()),
                count,
                address: asked.address(&[("state", ""), ("trouble", ""), ("health", health.as_str())]),
                current: asked.health == health.as_str(),
            }),
    );

    let (sort, _, _) = asked.column();
    let descending = asked.descending();
    let heads = COLUMNS
        .iter()
        .map(|(word, key, _, largest_first)| {
            let current = *word == sort;
            let down = if current { !descending } else { *largest_first };
            let head = Head {
                key,
                address: asked.address(&[("sort", word), ("order", if down { "down" } else { "up" })]),
                sorted: current.then_some(if descending { "descending" } else { "ascending" }),
            };
            (*word, head)
        })
        .collect();

    let page = asked.page();
    let pager = Pager::new(page, PAGE, rows.len(), found.total, |page| {
        asked.address(&[("page", &page.to_string())])
    });
    Ok(HostsData {
        q: asked.q.clone(),
        state: asked.state.clone(),
        trouble: asked.trouble(),
        health: asked.health.clone(),
        sort,
        order: if descending { "down" } else { "up" },
        pills,
        heads,
        rows,
        pager,
        empty: all == 0,
        chart,
        fault,
        fields: fields(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_what_it_does_not_replace() {
        let asked = Asked {
            q: "R640 & co".into(),
            state: "failed".into(),
            ..Asked::default()
        };
        assert_eq!(
            asked.address(&[("page", "2")]),
            "/hosts?q=R640%20%26%20co&state=failed&page=2"
        );
        assert_eq!(asked.address(&[("q", ""), ("state", "")]), "/hosts");
    }

    #[test]
    fn processors_are_named_short() {
        assert_eq!(
            short_cpu("Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz"),
            "Intel Xeon Gold 6130"
        );
        assert_eq!(short_cpu("AMD EPYC 7543P 32-Core Processor"), "AMD EPYC 7543P");
    }

    #[test]
    fn wrong_words_are_as_if_absent() {
        let asked = Asked {
            state: "nonsense".into(),
            sort: "x; drop".into(),
            page: "-3".into(),
            ..Asked::default()
        };
        let query = asked.query(DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(
            (query.state, query.sort, query.descending, query.offset),
            (None, HostSort::LastSeen, true, 0)
        );
    }
}
