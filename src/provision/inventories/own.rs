//! What the server tells of itself.

use super::exposition::{Exposition, Kind};
use crate::{
    discovery::Discovery,
    install::Outcome,
    inventory::State,
    store::{HostQuery, StoreError},
};
use Kind::{Counter, Gauge};

type Labels = Vec<(&'static str, String)>;

fn of(label: &'static str, value: &str) -> Labels {
    vec![(label, value.to_owned())]
}

/// Hosts and installations by state, DHCP and malformed messages, the ledger's queue, addresses in use, and the process
/// itself, in Prometheus' text format. Counters begin with the process.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn own_metrics(discovery: &Discovery) -> Result<String, StoreError> {
    let mut text = Exposition::default();
    let version = of("version", env!("CARGO_PKG_VERSION"));
    text.family("muster_build_info", Gauge, "The version that runs.", [(version, 1)]);
    ledger(&mut text, discovery).await?;
    network(&mut text, discovery);
    process(&mut text);
    Ok(text.into_text())
}

async fn ledger(text: &mut Exposition, discovery: &Discovery) -> Result<(), StoreError> {
    let store = discovery.store();
    let hosts = store.host_counts().await?;
    let by_state = State::ALL.map(|state| {
        let count = hosts.get(&state).copied().unwrap_or_default();
        (of("state", state.as_str()), count)
    });
    text.family("muster_hosts", Gauge, "Hosts by state.", by_state);
    let trouble = HostQuery {
        trouble: true,
        limit: 1,
        ..HostQuery::default()
    };
    let trouble = store.hosts(&trouble).await?.total;
    text.single(
        "muster_hosts_in_trouble",
        Gauge,
        "Hosts that a person should look at.",
        trouble,
    );
    let installs = store.install_counts().await?;
    let by_outcome = Outcome::ALL.iter().map(|outcome| {
        let count = installs.get(outcome).copied().unwrap_or_default();
        (of("outcome", outcome.as_str()), count)
    });
    text.family(
        "muster_installs",
        Gauge,
        "Installations that are kept, by what became of them; open ones run.",
        by_outcome,
    );
    let writer = discovery.writer();
    text.single(
        "muster_ledger_queue_length",
        Gauge,
        "Submissions that wait for the ledger's writer.",
        writer.waiting(),
    );
    text.single(
        "muster_ledger_queue_capacity",
        Gauge,
        "Submissions that may wait for the ledger's writer.",
        writer.capacity(),
    );
    text.single(
        "muster_ledger_lost_writes_total",
        Counter,
        "Writes that nobody waited for and that were lost.",
        writer.lost(),
    );
    Ok(())
}

fn network(text: &mut Exposition, discovery: &Discovery) {
    let dhcp = discovery.dhcp_counts();
    let received = [
        ("discover", dhcp.discovers),
        ("request", dhcp.requests),
        ("decline", dhcp.declines),
        ("release", dhcp.releases),
        ("inform", dhcp.informs),
        ("other", dhcp.others),
        ("foreign", dhcp.foreign),
    ];
    text.family(
        "muster_dhcp_received_total",
        Counter,
        "DHCP messages received; foreign are answers of other servers.",
        received.map(|(kind, count)| (of("type", kind), count)),
    );
    let sent = [("offer", dhcp.offers), ("ack", dhcp.acks), ("nak", dhcp.naks)];
    text.family(
        "muster_dhcp_sent_total",
        Counter,
        "DHCP messages sent.",
        sent.map(|(kind, count)| (of("type", kind), count)),
    );
    text.single(
        "muster_dhcp_unanswered_total",
        Counter,
        "DHCP requests that a rule left unanswered.",
        dhcp.silences,
    );
    text.single(
        "muster_dhcp_not_written_total",
        Counter,
        "Addresses that were not promised because the ledger could not be written.",
        dhcp.not_written,
    );
    let malformed = discovery.malformed_counts();
    let protocols = [
        ("dhcp", malformed.dhcp),
        ("tftp", malformed.tftp),
        ("report", malformed.reports),
    ];
    text.family(
        "muster_malformed_total",
        Counter,
        "Messages that were nothing, by what they were meant to be.",
        protocols.map(|(protocol, count)| (of("protocol", protocol), count)),
    );
    let addresses: Vec<(Labels, u64)> = discovery
        .subnet_usage()
        .into_iter()
        .flat_map(|(subnet, usage)| {
            let network = subnet.network.to_string();
            [
                ("pool", usage.total),
                ("bound", usage.bound),
                ("offered", usage.offered),
                ("declined", usage.declined),
            ]
            .map(|(kind, count)| (vec![("subnet", network.clone()), ("use", kind.to_owned())], count))
        })
        .collect();
    text.family(
        "muster_dhcp_addresses",
        Gauge,
        "Addresses of each subnet: in its pool, and bound, offered and declined of them.",
        addresses,
    );
}

/// What Linux says of this process, by the names that Prometheus' own libraries use.
fn process(text: &mut Exposition) {
    if let Ok(usage) = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF) {
        let seconds = [usage.user_time(), usage.system_time()]
            .iter()
            .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6)
            .sum::<f64>();
        text.single(
            "process_cpu_seconds_total",
            Counter,
            "Processor time of the process, user and system.",
            seconds,
        );
    }
    if let Some(bytes) = resident_bytes() {
        text.single(
            "process_resident_memory_bytes",
            Gauge,
            "Memory of the process that is in RAM.",
            bytes,
        );
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        text.single(
            "process_open_fds",
            Gauge,
            "Files that the process has open.",
            files.count(),
        );
    }
    if let Ok((soft, _)) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE) {
        text.single("process_max_fds", Gauge, "Files that the process may open.", soft);
    }
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
