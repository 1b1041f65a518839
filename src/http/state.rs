use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use axum::http::{HeaderMap, StatusCode, header};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    Problem,
    crowd::Crowd,
    live,
    ui::{Activity, Templates},
};
use crate::{
    auth::Auth,
    boot::{Event, Verdict},
    discovery::{DhcpCounts, Discovery, Feed, FeedItem, MalformedCounts},
    inventory::HostId,
    ipam::Subnet,
    provision::{
        Catalog, answers::Answers, install::Installs, inventories::Inventories, metrics::Metrics, rules::Rules,
    },
    store::Store,
};

/// What the pages and the API are given.
pub struct PageSetup {
    /// The ledger, the time, the subnets and what happens.
    pub discovery: Discovery,
    /// Accounts and sessions.
    pub auth: Auth,
    /// Starts and ends installations; without it they can only be looked at.
    pub installs: Option<Installs>,
    /// Answer files as they would be served; without it none is shown.
    pub answers: Option<Answers>,
    /// True when people reach the page by HTTPS: cookies are then sent by HTTPS only.
    pub https: bool,
    /// Proxies that stand in front of the page: what they say of the client is believed.
    pub proxies: Vec<IpAddr>,
}

/// State of all handlers of pages and API. Cheap to clone.
#[derive(Clone)]
pub struct PageState(Arc<Shared>);

/// What [`PageState`] shares.
struct Shared {
    /// What was given.
    setup: PageSetup,
    catalog: Catalog,
    templates: Templates,
    activity: Activity,
    streams: Crowd<Uuid>,
    rules: Rules,
    inventories: Inventories,
    metrics: Metrics,
}

impl PageState {
    /// Reads the templates and the catalogue of the binary.
    #[must_use]
    pub fn new(setup: PageSetup) -> Self {
        let catalog = setup.answers.as_ref().map_or_else(
            || Catalog::new(setup.discovery.store().clone(), setup.discovery.subnets()),
            |answers| answers.catalog().clone(),
        );
        Self(Arc::new(Shared {
            rules: Rules::new(setup.discovery.store().clone()),
            inventories: Inventories::new(catalog.clone()),
            metrics: Metrics::new(setup.discovery.store().clone()),
            catalog,
            setup,
            templates: Templates::new(),
            activity: Activity::default(),
            streams: Crowd::new(live::MOST_OF_ONE, live::MOST),
        }))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.0.setup.discovery.now()
    }

    pub(super) fn discovery(&self) -> &Discovery {
        &self.0.setup.discovery
    }

    /// Hosts as other programs want them.
    pub(super) fn inventories(&self) -> &Inventories {
        &self.0.inventories
    }

    pub(super) fn store(&self) -> &Store {
        self.0.setup.discovery.store()
    }

    pub(super) fn auth(&self) -> &Auth {
        &self.0.setup.auth
    }

    /// Who starts and ends installations.
    pub(super) fn installs(&self) -> Result<&Installs, Problem> {
        self.0.setup.installs.as_ref().ok_or_else(|| {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "no_installs",
                "this server starts no installations",
            )
        })
    }

    /// For how long nothing came of an installation that this server could have heard.
    pub(super) fn silence(&self, heard_at: DateTime<Utc>) -> TimeDelta {
        match &self.0.setup.installs {
            Some(installs) => installs.silence(heard_at),
            None => self.now() - heard_at,
        }
    }

    /// What installed machines have measured.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// The rules on facts.
    pub(super) fn rules(&self) -> &Rules {
        &self.0.rules
    }

    /// Distros, profiles and plans.
    pub(super) fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// Who renders answer files.
    pub(super) fn answers(&self) -> Result<&Answers, Problem> {
        self.0.setup.answers.as_ref().ok_or_else(|| {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "no_answers",
                "this server renders no answer files",
            )
        })
    }

    /// The address of the boot routes that is written into an answer file which is only looked at: as a machine would
    /// reach it that reaches us by the address in `headers`.
    pub(super) fn preview_base(&self, headers: &HeaderMap) -> String {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let address = host.and_then(|host| host.split(':').next()?.parse().ok());
        self.0.setup.discovery.boot_base(address.unwrap_or(Ipv4Addr::LOCALHOST))
    }

    pub(super) fn subnets(&self) -> &[Subnet] {
        self.0.setup.discovery.subnets()
    }

    /// What was counted since the start.
    pub(super) fn counts(&self) -> (DhcpCounts, MalformedCounts) {
        let discovery = &self.0.setup.discovery;
        (discovery.dhcp_counts(), discovery.malformed_counts())
    }

    /// A person has changed what is wanted of a host: decisions and open pages know it at once.
    pub(super) async fn plan_changed(&self, host: HostId) {
        if let Err(error) = self.0.setup.discovery.learn_state(host).await {
            // It is learned with the next look at what commands have changed.
            tracing::warn!(%host, %error, "where a host stands could not be read");
        }
        self.feed().tell(FeedItem::Host(host));
    }

    pub(super) fn feed(&self) -> &Feed {
        self.0.setup.discovery.feed()
    }

    /// What a boot came to; events oldest first.
    pub(super) fn verdict(&self, events: &[Event]) -> Verdict {
        self.0.setup.discovery.verdict(events)
    }

    pub(super) fn https(&self) -> bool {
        self.0.setup.https
    }

    pub(super) fn proxies(&self) -> &[IpAddr] {
        &self.0.setup.proxies
    }

    /// The event streams that are open, by user.
    pub(super) fn streams(&self) -> &Crowd<Uuid> {
        &self.0.streams
    }

    pub(super) fn templates(&self) -> &Templates {
        &self.0.templates
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.0.activity
    }
}
