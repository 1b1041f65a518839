use std::{collections::BTreeMap, net::Ipv4Addr};

use chrono::{DateTime, TimeDelta, Utc};
use muster::{
    boot::{BootId, Event, EventKind, Level},
    inventory::{Change, Host, HostId, Source, State, Summary, identity, merge, new_id},
    ipam::{Lease, LeaseState},
    store::{FactsSaved, Role, User, Write},
};
use muster_facts::{BootMode, Disk, Facts, MacAddr, Nic};
use uuid::Uuid;

/// A time all tests count from; databases keep microseconds.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 123_456_000).expect("a time") + TimeDelta::seconds(seconds)
}

pub(crate) fn mac(n: u16) -> MacAddr {
    let [high, low] = n.to_be_bytes();
    MacAddr([0x52, 0x54, 0, 0x77, high, low])
}

pub(crate) fn host(n: u16) -> Host {
    Host {
        id: HostId(new_id(at(0))),
        name: None,
        state: State::Discovered,
        created_at: at(0),
        last_seen_at: at(i64::from(n)),
        reported_at: None,
        heard_at: None,
        address: Some(Ipv4Addr::new(10, 77, 0, n.to_be_bytes()[1]).into()),
        summary: Summary::default(),
        boot_verdict: None,
        booted_at: None,
        ambiguous_with: Vec::new(),
    }
}

/// The write that enters `host`, seen by an interface numbered like its last address byte.
pub(crate) fn created(host: &Host) -> Write {
    Write::HostCreated(Box::new(host.clone()), Vec::new())
}

pub(crate) fn created_with(host: &Host, macs: &[MacAddr]) -> Write {
    Write::HostCreated(Box::new(host.clone()), macs.to_vec())
}

pub(crate) fn event(host: Option<HostId>, boot: Option<BootId>, n: u16) -> Event {
    let when = at(i64::from(n));
    Event {
        id: new_id(when),
        at: when,
        mac: Some(mac(n)),
        host,
        boot,
        kind: EventKind::DhcpOffer,
        level: Level::Info,
        rule: Some("pool".to_owned()),
        params: BTreeMap::from([("address".to_owned(), "10.77.0.100".to_owned())]),
    }
}

pub(crate) fn lease(last: u8, mac: MacAddr, starts: i64, ends: i64) -> Lease {
    Lease {
        address: Ipv4Addr::new(10, 77, 0, last),
        mac,
        client_id: Some(vec![1, 0x52, 0x54, 0, 0, 0]),
        hostname: Some("node".to_owned()),
        state: LeaseState::Bound,
        starts_at: at(starts),
        ends_at: at(ends),
    }
}

pub(crate) fn facts(serial: &str, macs: &[MacAddr]) -> Facts {
    let mut facts = Facts::default();
    facts.system.vendor = Some("Dell Inc.".to_owned());
    facts.system.product = Some("PowerEdge R640".to_owned());
    facts.system.serial = Some(serial.to_owned());
    facts.bios = Some(muster_facts::Bios {
        mode: Some(BootMode::Uefi),
        ..muster_facts::Bios::default()
    });
    facts.cpu.model = Some("Intel(R) Xeon(R) Gold 6130".to_owned());
    facts.cpu.cores = 16;
    facts.memory.total_bytes = 64 << 30;
    facts.disks = vec![Disk {
        name: "sda".to_owned(),
        size_bytes: 960_197_124_096,
        serial: Some(format!("D-{serial}")),
        ..Disk::default()
    }];
    facts.nics = macs
        .iter()
        .map(|mac| Nic {
            name: "eno1".to_owned(),
            mac: Some(*mac),
            ..Nic::default()
        })
        .collect();
    facts
}

/// What the core makes of a first report.
pub(crate) fn saved(host: &Host, facts: Facts, when: DateTime<Utc>) -> FactsSaved {
    FactsSaved {
        host: Host {
            state: State::Inventoried,
            reported_at: Some(when),
            last_seen_at: when,
            summary: merge::summary(&facts),
            ..host.clone()
        },
        source: Source::Netboot,
        at: when,
        interfaces: merge::interfaces(host.id, &[], &facts, when),
        components: merge::components(host.id, &[], &facts),
        keys: identity::keys_of(&facts),
        changes: Vec::new(),
        events: Vec::new(),
        absorbed: Vec::new(),
        facts,
    }
}

pub(crate) fn change(host: HostId, field: &str, after: &str) -> Change {
    Change {
        id: new_id(at(0)),
        host,
        at: at(0),
        source: Source::Person,
        actor: Some("user:anna".to_owned()),
        field: field.to_owned(),
        before: None,
        after: Some(after.to_owned()),
    }
}

/// That a first report moves a host.
pub(crate) fn moved(host: &Host) -> Change {
    Change {
        before: Some("discovered".to_owned()),
        ..change(host.id, "state", "inventoried")
    }
}

pub(crate) fn user(name: &str) -> User {
    User {
        id: Uuid::now_v7(),
        name: name.to_owned(),
        password_hash: "$argon2id$v=19$m=16,t=2,p=1$c2FsdHNhbHQ$abc".to_owned(),
        role: Role::Operator,
        locale: None,
        created_at: at(0),
    }
}
