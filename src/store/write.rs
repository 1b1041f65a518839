use std::{
    collections::{BTreeMap, HashSet},
    net::{IpAddr, Ipv4Addr},
};

use chrono::{DateTime, Utc};
use muster_facts::MacAddr;
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    sea_query::{Alias, Expr, ExprTrait, OnConflict},
};

use super::{
    AgentCredential, AgentHeard, DhcpServerSeen, FactsSaved, Given, Install, InstallLog, MetricsLaid, StoreError,
    absorb, agents,
    entity::{boot_token, component, dhcp_server, event, fact_change, fact_set, host, host_key, interface, lease},
    events, facts, hosts, installs,
    labels::address_key,
    leases::lease_row,
    metrics,
    row::set,
    rules,
    servers::dhcp_server_row,
    tokens::boot_token_row,
};
use crate::{
    boot::{BootToken, Event, TokenHash},
    install::InstallId,
    inventory::{Change, Host, HostId, Interface, Key, State},
    ipam::{Lease, LeaseState},
    metrics::{Block, Step},
};

/// Rows in one statement: the fastest size on both databases, and far below their limits on values.
const ROWS: usize = 200;

/// One thing to write.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// An address given, renewed, given back or declined. Refused with [`StoreError::AddressTaken`] while the address
    /// is another client's: bound or declined, and not ended when this lease starts.
    Lease(Lease),
    /// A line of a transcript.
    Event(Event),
    /// A machine seen for the first time, with the interfaces it was seen by. Refused with [`StoreError::MacTaken`]
    /// when one of them is another host's.
    HostCreated(Box<Host>, Vec<MacAddr>),
    /// An accepted report.
    Facts(Box<FactsSaved>),
    /// A host was heard of.
    HostSeen {
        /// Which.
        host: HostId,
        /// When; an older time than the one kept changes nothing.
        at: DateTime<Utc>,
        /// The address it uses; `None` leaves the one kept.
        address: Option<IpAddr>,
    },
    /// What became of the last boot.
    BootVerdict {
        /// Whose boot.
        host: HostId,
        /// Verdict code of `boot::diagnose`.
        verdict: String,
        /// When the boot began.
        booted_at: DateTime<Utc>,
    },
    /// A host moved to another state, by `inventory::lifecycle`.
    HostState {
        /// Which.
        host: HostId,
        /// Where it is now.
        state: State,
        /// For the history.
        change: Box<Change>,
    },
    /// A person or a rule named a host.
    HostNamed {
        /// Which.
        host: HostId,
        /// The desired name; `None` takes it away.
        name: Option<String>,
        /// For the history.
        change: Box<Change>,
    },
    /// Whether a host's identity is in doubt.
    HostAmbiguous {
        /// Which.
        host: HostId,
        /// Hosts it may be the same as; empty when the doubt is resolved.
        with: Vec<HostId>,
    },
    /// One host turned out to be another: what belongs to it moves, and it is deleted.
    HostAbsorbed {
        /// The host that ends.
        from: HostId,
        /// The host that stays.
        into: HostId,
    },
    /// A host that never reported is forgotten, unless it has reported meanwhile; its transcripts stay until they are
    /// old.
    HostForgotten(HostId),
    /// A right to report was given.
    BootToken(BootToken),
    /// A right to report ended.
    TokenEnded(TokenHash),
    /// Another DHCP server was heard.
    DhcpServer(DhcpServerSeen),
    /// An installation was opened, has moved or has ended. Refused with [`StoreError::InstallRuns`] when another one of
    /// its host runs.
    Install(Box<Install>),
    /// Something was heard of an installation that runs, and nothing else of it has changed.
    InstallHeard {
        /// Which.
        id: InstallId,
        /// When; an older time than the one kept changes nothing.
        at: DateTime<Utc>,
    },
    /// A line heard of an installation.
    InstallLog(InstallLog),
    /// An installed system's agent got its credential; those its host had before end.
    AgentEnrolled(AgentCredential),
    /// A host's agent is no longer known.
    AgentsRevoked {
        /// Whose.
        host: HostId,
        /// Who says so.
        by: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// An agent's credential was used.
    AgentUsed {
        /// SHA-256 of the credential.
        hash: [u8; 32],
        /// When.
        at: DateTime<Utc>,
    },
    /// An agent gave a sign of life, with what its machine measured.
    AgentHeard(Box<AgentHeard>),
    /// What has arrived of a host was laid into blocks. Refused with [`StoreError::Overtaken`] when another server has
    /// changed one of them meanwhile.
    MetricsLaid(Box<MetricsLaid>),
    /// What all hosts measured together at one step.
    FleetMetrics {
        /// Which step.
        step: Step,
        /// Its points; they replace what was kept at their times.
        block: Block,
    },
    /// What rules give a host. Refused with [`StoreError::Overtaken`] when a person has decided about its profile
    /// meanwhile, and with [`StoreError::NameTaken`] when another host was given the name.
    Given(Box<Given>),
}

impl Write {
    /// How much of a group it takes up. A report is dozens of rows: many of them in one group would keep the leases
    /// beside them waiting.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Facts(_) => 16,
            Self::AgentHeard(heard) => 1 + heard.samples.len() / 8,
            Self::MetricsLaid(_) => 8,
            _ => 1,
        }
    }
}

/// Writes a few things in a transaction of somebody else.
pub(super) async fn write_all(connection: &impl ConnectionTrait, writes: &[Write]) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    for write in writes {
        batch.add(connection, write).await?;
    }
    batch.flush(connection).await
}

/// What one transaction will write in few statements.
#[derive(Debug, Default)]
pub(super) struct Batch {
    hosts: Vec<host::ActiveModel>,
    interfaces: Vec<Interface>,
    leases: Vec<Lease>,
    tokens: Vec<boot_token::ActiveModel>,
    events: Vec<event::ActiveModel>,
    servers: BTreeMap<(Ipv4Addr, String), DhcpServerSeen>,
    seen: BTreeMap<HostId, (DateTime<Utc>, Option<IpAddr>)>,
    heard: Vec<AgentHeard>,
}

impl Batch {
    /// Takes one write. Those that come in masses wait for [`Batch::flush`]; the others are written at once, after
    /// what waits, so that the order handed in is kept where it matters.
    pub(super) async fn add(&mut self, connection: &impl ConnectionTrait, write: &Write) -> Result<(), StoreError> {
        match write {
            Write::Lease(lease) => self.leases.push(lease.clone()),
            Write::Event(event) => self.events.push(events::event_row(event)),
            Write::HostCreated(host, macs) => self.add_host(host, macs),
            Write::BootToken(token) => self.tokens.push(boot_token_row(token)),
            Write::DhcpServer(server) => {
                self.servers
                    .insert((server.address, server.interface.clone()), server.clone());
            }
            Write::HostSeen { host, at, address } => {
                let seen = self.seen.entry(*host).or_insert((*at, *address));
                if *at >= seen.0 {
                    *seen = (*at, address.or(seen.1));
                }
            }
            Write::AgentHeard(heard) => self.heard.push((**heard).clone()),
            Write::Facts(saved) => {
                self.flush(connection).await?;
                save_facts(connection, saved).await?;
                self.events.extend(saved.events.iter().map(events::event_row));
            }
            Write::HostAbsorbed { from, into } => {
                self.flush(connection).await?;
                absorb::absorb(connection, *from, *into).await?;
            }
            other => {
                self.flush(connection).await?;
                write_single(connection, other).await?;
            }
        }
        Ok(())
    }

    fn add_host(&mut self, host: &Host, macs: &[MacAddr]) {
        self.hosts
            .push(hosts::row(host, hosts::search_text(host, macs.iter().copied())));
        self.interfaces.extend(macs.iter().map(|mac| Interface {
            host: host.id,
            mac: *mac,
            name: None,
            driver: None,
            speed_mbps: None,
            neighbour: None,
            present: true,
            last_seen_at: host.last_seen_at,
        }));
    }

    /// Writes what waits: owners before what belongs to them.
    pub(super) async fn flush(&mut self, connection: &impl ConnectionTrait) -> Result<(), StoreError> {
        let nothing = || OnConflict::new().do_nothing().to_owned();
        insert(connection, std::mem::take(&mut self.hosts), Some(nothing())).await?;
        write_interfaces(connection, &std::mem::take(&mut self.interfaces)).await?;
        write_leases(connection, &std::mem::take(&mut self.leases)).await?;
        let tokens = OnConflict::column(boot_token::Column::Hash)
            .update_columns([boot_token::Column::Host, boot_token::Column::ExpiresAt])
            .to_owned();
        insert(connection, std::mem::take(&mut self.tokens), Some(tokens)).await?;
        write_servers(connection, std::mem::take(&mut self.servers)).await?;
        for (host, (at, address)) in std::mem::take(&mut self.seen) {
            let mut update = host::Entity::update_many()
                .col_expr(host::Column::LastSeenAt, Expr::value(at))
                .filter(host::Column::Id.eq(host.0))
                .filter(host::Column::LastSeenAt.lte(at));
            if let Some(address) = address {
                update = update
                    .col_expr(host::Column::Address, Expr::value(address.to_string()))
                    .col_expr(host::Column::AddressKey, Expr::value(address_key(address)));
            }
            update.exec(connection).await?;
        }
        metrics::write_heard(connection, std::mem::take(&mut self.heard)).await?;
        insert(connection, std::mem::take(&mut self.events), Some(nothing())).await?;
        Ok(())
    }
}

/// Inserts rows in statements of [`ROWS`]; gives how many were inserted or updated.
pub(super) async fn insert<A>(
    connection: &impl ConnectionTrait,
    rows: Vec<A>,
    on_conflict: Option<OnConflict>,
) -> Result<u64, StoreError>
where
    A: ActiveModelTrait + ActiveModelBehavior + Send,
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
{
    let mut written = 0;
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let mut statement = A::Entity::insert_many(rows.by_ref().take(ROWS));
        if let Some(on_conflict) = &on_conflict {
            statement = statement.on_conflict(on_conflict.clone());
        }
        written += statement.exec_without_returning(connection).await?;
    }
    Ok(written)
}

/// The row that was refused by its conflict.
fn refused(column: impl sea_orm::sea_query::IntoIden) -> Expr {
    Expr::col((Alias::new("excluded"), column))
}

async fn write_interfaces(connection: &impl ConnectionTrait, interfaces: &[Interface]) -> Result<(), StoreError> {
    let mut unique = HashSet::new();
    let interfaces: Vec<&Interface> = interfaces
        .iter()
        .filter(|interface| unique.insert((interface.mac, interface.host)))
        .collect();
    let same_host = OnConflict::column(interface::Column::Mac)
        .update_column(interface::Column::LastSeenAt)
        .action_and_where(Expr::col((interface::Entity, interface::Column::Host)).eq(refused(interface::Column::Host)))
        .to_owned();
    for interface in &interfaces {
        let row = vec![hosts::interface_row(interface)];
        if insert(connection, row, Some(same_host.clone())).await? == 0 {
            return Err(StoreError::MacTaken(interface.mac));
        }
    }
    let keys = interfaces
        .iter()
        .filter_map(|interface| Some(key_row(interface.host, &Key::mac(interface.mac)?)))
        .collect();
    insert(connection, keys, Some(OnConflict::new().do_nothing().to_owned())).await?;
    Ok(())
}

async fn write_leases(connection: &impl ConnectionTrait, leases: &[Lease]) -> Result<(), StoreError> {
    let ours = Expr::col((lease::Entity, lease::Column::Mac)).eq(refused(lease::Column::Mac));
    let released = Expr::col((lease::Entity, lease::Column::State)).eq(LeaseState::Released.as_str());
    let ended = Expr::col((lease::Entity, lease::Column::EndsAt)).lte(refused(lease::Column::StartsAt));
    let unless_taken = OnConflict::column(lease::Column::Address)
        .update_columns([
            lease::Column::Mac,
            lease::Column::ClientId,
            lease::Column::Hostname,
            lease::Column::State,
            lease::Column::StartsAt,
            lease::Column::EndsAt,
        ])
        .action_and_where(ours.or(released).or(ended))
        .to_owned();
    let mut rest = leases;
    while !rest.is_empty() {
        // One statement may touch an address once.
        let mut addresses = HashSet::new();
        let length = rest
            .iter()
            .take(ROWS)
            .take_while(|lease| addresses.insert(lease.address))
            .count();
        let (chunk, after) = rest.split_at(length);
        let rows: Vec<_> = chunk.iter().map(lease_row).collect();
        if insert(connection, rows, Some(unless_taken.clone())).await? < chunk.len() as u64 {
            return Err(StoreError::AddressTaken(taken(connection, chunk).await?));
        }
        rest = after;
    }
    Ok(())
}

/// The address of `leases` that another client holds.
async fn taken(connection: &impl ConnectionTrait, leases: &[Lease]) -> Result<Ipv4Addr, StoreError> {
    for lease in leases {
        let kept = lease::Entity::find_by_id(lease.address.to_string())
            .one(connection)
            .await?;
        if kept.is_some_and(|kept| kept.mac != lease.mac.to_string()) {
            return Ok(lease.address);
        }
    }
    leases
        .first()
        .map(|lease| lease.address)
        .ok_or_else(|| StoreError::unreadable("lease", "no row for an address just written"))
}

async fn write_servers(
    connection: &impl ConnectionTrait,
    servers: BTreeMap<(Ipv4Addr, String), DhcpServerSeen>,
) -> Result<(), StoreError> {
    let upsert = OnConflict::columns([dhcp_server::Column::Address, dhcp_server::Column::Interface])
        .update_columns([
            dhcp_server::Column::Mac,
            dhcp_server::Column::OffersSeen,
            dhcp_server::Column::LastSeenAt,
            dhcp_server::Column::AnswersPxeSince,
        ])
        .to_owned();
    insert(
        connection,
        servers.values().map(dhcp_server_row).collect(),
        Some(upsert),
    )
    .await?;
    Ok(())
}

/// Writes of one statement or two that come one at a time.
async fn write_single(connection: &impl ConnectionTrait, write: &Write) -> Result<(), StoreError> {
    let change = match write {
        Write::BootVerdict {
            host,
            verdict,
            booted_at,
        } => {
            host::Entity::update_many()
                .col_expr(host::Column::BootVerdict, Expr::value(verdict.as_str()))
                .col_expr(host::Column::BootedAt, Expr::value(*booted_at))
                .filter(host::Column::Id.eq(host.0))
                .exec(connection)
                .await?;
            None
        }
        Write::HostState { host, state, change } => {
            host::Entity::update_many()
                .col_expr(host::Column::State, Expr::value(state.as_str()))
                .filter(host::Column::Id.eq(host.0))
                .exec(connection)
                .await?;
            Some(change)
        }
        Write::HostNamed { host, name, change } => {
            host::Entity::update_many()
                .col_expr(host::Column::Name, Expr::value(name.clone()))
                .filter(host::Column::Id.eq(host.0))
                .exec(connection)
                .await?;
            absorb::refresh_search(connection, *host).await?;
            Some(change)
        }
        Write::HostAmbiguous { host, with } => {
            let with: Vec<_> = with.iter().map(|other| other.0).collect();
            host::Entity::update_many()
                .col_expr(host::Column::AmbiguousWith, Expr::value(hosts::ambiguous_column(&with)))
                .filter(host::Column::Id.eq(host.0))
                .exec(connection)
                .await?;
            None
        }
        Write::HostForgotten(id) => {
            host::Entity::delete_many()
                .filter(host::Column::Id.eq(id.0))
                .filter(host::Column::State.eq(State::Discovered.as_str()))
                .filter(host::Column::ReportedAt.is_null())
                .exec(connection)
                .await?;
            None
        }
        Write::Install(install) => {
            installs::write_install(connection, install).await?;
            None
        }
        Write::InstallHeard { id, at } => {
            installs::heard(connection, *id, *at).await?;
            None
        }
        Write::InstallLog(line) => {
            installs::write_log(connection, line).await?;
            None
        }
        Write::AgentEnrolled(credential) => {
            agents::enrol(connection, credential).await?;
            None
        }
        Write::AgentsRevoked { host, by, at } => {
            agents::revoke(connection, *host, by, *at).await?;
            None
        }
        Write::AgentUsed { hash, at } => {
            agents::used(connection, hash, *at).await?;
            None
        }
        Write::MetricsLaid(laid) => {
            metrics::write_laid(connection, laid).await?;
            None
        }
        Write::FleetMetrics { step, block } => {
            metrics::write_fleet(connection, *step, block).await?;
            None
        }
        Write::Given(given) => {
            rules::write_given(connection, given).await?;
            None
        }
        Write::TokenEnded(hash) => {
            boot_token::Entity::delete_by_id(hex::encode(hash))
                .exec(connection)
                .await?;
            None
        }
        _ => None,
    };
    if let Some(change) = change {
        insert(connection, vec![facts::change_row(change)], None).await?;
    }
    Ok(())
}

/// The row of a key.
pub(super) fn key_row(host: HostId, key: &Key) -> host_key::ActiveModel {
    host_key::ActiveModel {
        host: set(host.0),
        kind: set(key.kind.as_str().to_owned()),
        value: set(key.value.clone()),
    }
}

/// Moves a host to the state that a change says, from the one that it says; gives how many hosts that were.
pub(super) async fn move_state(connection: &impl ConnectionTrait, moved: &Change) -> Result<u64, StoreError> {
    let done = host::Entity::update_many()
        .col_expr(host::Column::State, Expr::value(moved.after.clone()))
        .filter(host::Column::Id.eq(moved.host.0))
        .filter(host::Column::State.eq(moved.before.clone()))
        .exec(connection)
        .await?;
    Ok(done.rows_affected)
}

/// Saves a report. The desired name and the day the host was made stay as they are: facts do not change them.
async fn save_facts(connection: &impl ConnectionTrait, saved: &FactsSaved) -> Result<(), StoreError> {
    let host = &saved.host;
    let search = hosts::search_text(host, saved.interfaces.iter().map(|interface| interface.mac));
    // What others tell is left alone: the name is people's, the verdict the boot's, the sign of life the heartbeat's, and
    // the state is moved only by a report that moves it, from where that found it. The collection image does not see what
    // is installed.
    let installed = saved.facts.os.is_some();
    let observed = <host::Column as sea_orm::Iterable>::iter().filter(|column| {
        use host::Column::{BootVerdict, BootedAt, CreatedAt, HeardAt, Id, Name, Os, OsVersion, State};
        let others = matches!(column, Id | Name | CreatedAt | HeardAt | BootVerdict | BootedAt | State);
        !others && (installed || !matches!(column, Os | OsVersion))
    });
    let upsert = OnConflict::column(host::Column::Id)
        .update_columns(observed.collect::<Vec<_>>())
        .to_owned();
    insert(connection, vec![hosts::row(host, search)], Some(upsert)).await?;
    // A move that found another state did not happen, and is no history.
    let mut unmoved = Vec::new();
    for moved in saved.changes.iter().filter(|change| change.field == "state") {
        if move_state(connection, moved).await? == 0 {
            unmoved.push(moved.id);
        }
    }
    for stub in saved.absorbed.iter().filter(|stub| **stub != host.id) {
        absorb::absorb(connection, *stub, host.id).await?;
    }

    let set_row = facts::fact_set_row(host.id, saved.source, saved.at, &saved.facts)?;
    let upsert = OnConflict::columns([fact_set::Column::Host, fact_set::Column::Source])
        .update_columns([fact_set::Column::At, fact_set::Column::Facts])
        .to_owned();
    insert(connection, vec![set_row], Some(upsert)).await?;

    let upsert = OnConflict::column(interface::Column::Mac)
        .update_columns([
            interface::Column::Host,
            interface::Column::Name,
            interface::Column::Driver,
            interface::Column::SpeedMbps,
            interface::Column::Neighbour,
            interface::Column::Present,
            interface::Column::LastSeenAt,
        ])
        .to_owned();
    insert(
        connection,
        saved.interfaces.iter().map(hosts::interface_row).collect(),
        Some(upsert),
    )
    .await?;

    let upsert = OnConflict::columns([component::Column::Host, component::Column::Kind, component::Column::Key])
        .update_columns([
            component::Column::Slot,
            component::Column::Vendor,
            component::Column::Model,
            component::Column::Serial,
            component::Column::SizeBytes,
            component::Column::Present,
        ])
        .to_owned();
    insert(
        connection,
        saved.components.iter().map(hosts::component_row).collect(),
        Some(upsert),
    )
    .await?;

    host_key::Entity::delete_many()
        .filter(host_key::Column::Host.eq(host.id.0))
        .exec(connection)
        .await?;
    insert(
        connection,
        saved.keys.iter().map(|key| key_row(host.id, key)).collect(),
        Some(OnConflict::new().do_nothing().to_owned()),
    )
    .await?;
    let changes: Vec<fact_change::ActiveModel> = saved
        .changes
        .iter()
        .filter(|change| !unmoved.contains(&change.id))
        .map(facts::change_row)
        .collect();
    insert(connection, changes, None).await?;
    Ok(())
}
