//! Settings as the plain values of the rooms below.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use chrono::TimeDelta;
use ipnet::{IpNet, Ipv4Net};

use crate::{
    boot::{Architecture, LoaderTable, Policy, UnknownBoots},
    check::{DhcpPlan, Needed, Plan, Protocol, local_interfaces},
    config::{Settings, SubnetSettings},
    discovery::{BootFiles, Setup},
    http::HttpBounds,
    ipam::Subnet,
    net::tftp::TftpBounds,
    provision::{Catalog, ServerFiles, tree_folders::TreeFolders},
    store::Store,
};

/// Files that are open beside connections and transfers: the ledger's, sockets, boot files while they are read.
const OWN_FILES: u64 = 256;

/// The subnets, by network, whether DHCP is answered or not.
#[must_use]
fn subnets(settings: &Settings) -> Vec<Subnet> {
    settings.subnets.iter().map(SubnetSettings::plain).collect()
}

/// What is wanted of hosts, kept in `store`.
#[must_use]
pub fn catalog(settings: &Settings, store: Store) -> Catalog {
    Catalog::new(store, &subnets(settings)).with_files(ServerFiles {
        trees: tree_folders(settings),
        templates: settings.templates.dir.value.clone(),
    })
}

/// Where installation trees may lie.
#[must_use]
pub fn tree_folders(settings: &Settings) -> TreeFolders {
    TreeFolders {
        tree_dir: settings.boot.tree_dir.value.clone(),
        roots: settings.boot.tree_roots.value.clone(),
    }
}

/// The boot listener as it is written into files that are shown and not served: as configured, else by the address of
/// this machine in a configured subnet, else by its first one.
#[must_use]
pub fn shown_base(settings: &Settings) -> String {
    if let Some(url) = &settings.boot.url.value {
        return url.0.clone();
    }
    let listen = settings.boot_listen();
    let host = if listen.ip().is_unspecified() {
        let own: Vec<Ipv4Addr> = local_interfaces()
            .unwrap_or_default()
            .iter()
            .flat_map(|interface| interface.addresses.iter().map(Ipv4Net::addr))
            .collect();
        let subnets = subnets(settings);
        let booted = |address: &&Ipv4Addr| subnets.iter().any(|subnet| subnet.network.contains(*address));
        let address = own.iter().find(booted).or(own.first());
        address.map_or_else(|| "localhost".to_owned(), ToString::to_string)
    } else {
        match listen {
            SocketAddr::V4(address) => address.ip().to_string(),
            SocketAddr::V6(address) => format!("[{}]", address.ip()),
        }
    };
    match listen.port() {
        80 => format!("http://{host}"),
        port => format!("http://{host}:{port}"),
    }
}

/// What machines that boot are told.
pub(super) fn policy(settings: &Settings) -> Policy {
    let mut table = LoaderTable::default();
    for (architecture, name) in loaders(settings) {
        table.set(architecture, name);
    }
    let boot = &settings.boot;
    Policy {
        unknown: boot.unknown.value,
        after_facts: boot.after_facts.value,
        refuse: boot.refuse.value.clone(),
        loaders: table,
        // Settings hold at most 2³² seconds, which fits.
        token_lifetime: TimeDelta::from_std(boot.token_lifetime.value).unwrap_or(TimeDelta::MAX),
        kernel_options: boot.kernel_options.value.clone(),
        menu: boot
            .menu
            .value
            .map(|time| TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX)),
    }
}

/// What discovery is made of.
pub(super) fn discovery(settings: &Settings) -> Setup {
    let boot = &settings.boot;
    Setup {
        policy: policy(settings),
        subnets: subnets(settings),
        files: Arc::new(BootFiles::new(
            boot.loader_dir.value.clone(),
            boot.image_dir.value.clone(),
        )),
        boot_listen: settings.boot_listen(),
        boot_url: boot.url.value.as_ref().map(|url| url.0.clone()),
    }
}

/// Where HTTP is listened to: the page and machines, on one listener or on two.
fn http_listeners(settings: &Settings) -> u64 {
    1 + u64::from(settings.boot_listen() != settings.http.listen.value)
}

/// Files that are open beside HTTP connections when all is busy.
fn other_files(settings: &Settings) -> u64 {
    let transfers = if settings.tftp.enabled.value {
        TftpBounds::default().max_transfers as u64
    } else {
        0
    };
    OWN_FILES + transfers
}

/// Files the process may have open when all that is served is busy.
pub(super) fn open_files(settings: &Settings) -> u64 {
    other_files(settings) + http_listeners(settings) * HttpBounds::default().connections as u64
}

/// What a listener bears, for a process that may have `open_files` files: connections never take the last ones from the
/// ledger and from transfers.
pub(super) fn http_bounds(settings: &Settings, open_files: u64) -> HttpBounds {
    let bounds = HttpBounds::default();
    let left = open_files.saturating_sub(other_files(settings).min(open_files / 2));
    let each = usize::try_from(left / http_listeners(settings)).unwrap_or(usize::MAX);
    // This machine itself: whoever runs programs here needs no connections to do harm.
    let own = [
        Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8).into(),
        IpNet::from(std::net::IpAddr::from(Ipv6Addr::LOCALHOST)),
    ];
    let proxies = settings.http.proxies.value.iter().copied().map(IpNet::from);
    HttpBounds {
        connections: bounds.connections.min(each.max(1)),
        trusted: own.into_iter().chain(proxies).collect(),
        ..bounds
    }
}

fn loaders(settings: &Settings) -> [(Architecture, &str); 6] {
    let loaders = &settings.loaders;
    [
        (Architecture::X86Bios, &loaders.x86_bios.value),
        (Architecture::X86Uefi, &loaders.x86_uefi.value),
        (Architecture::X64Uefi, &loaders.x64_uefi.value),
        (Architecture::Arm64Uefi, &loaders.arm64_uefi.value),
        (Architecture::X64Http, &loaders.x64_http.value),
        (Architecture::Arm64Http, &loaders.arm64_http.value),
    ]
}

/// What `muster check` looks at.
#[must_use]
pub fn plan(settings: &Settings) -> Plan {
    let any = |port: u16| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let needed = |setting, protocol, address| Needed {
        setting,
        protocol,
        address,
    };
    let mut sockets = vec![needed("http.listen", Protocol::Tcp, settings.http.listen.value)];
    if settings.boot_listen() != settings.http.listen.value {
        sockets.push(needed("boot.listen", Protocol::Tcp, settings.boot_listen()));
    }
    let dhcp = &settings.dhcp;
    if dhcp.enabled.value {
        sockets.push(needed("dhcp.port", Protocol::Udp, any(dhcp.port.value.0)));
        sockets.push(needed("dhcp.proxy_port", Protocol::Udp, any(dhcp.proxy_port.value.0)));
    }
    if settings.syslog.enabled.value {
        sockets.push(needed("syslog.port", Protocol::Udp, any(settings.syslog.port.value.0)));
        sockets.push(needed("syslog.port", Protocol::Tcp, any(settings.syslog.port.value.0)));
    }
    if settings.tftp.enabled.value {
        sockets.push(needed("tftp.port", Protocol::Udp, any(settings.tftp.port.value.0)));
    }
    Plan {
        database_url: settings.database_url().expose().to_owned(),
        database_shown: settings.database_url().masked(),
        sockets,
        loader_dir: settings.boot.loader_dir.value.clone(),
        loaders: policy(settings)
            .loaders
            .iter()
            .map(|(architecture, name)| (architecture.to_string(), name.to_owned()))
            .collect(),
        image_dir: settings.boot.image_dir.value.clone(),
        trees: tree_folders(settings),
        open_files: open_files(settings),
        collects: settings.boot.unknown.value == UnknownBoots::Collect,
        dhcp: dhcp.enabled.value.then(|| DhcpPlan {
            port: dhcp.port.value.0,
            client_port: dhcp.client_port.value.0,
            interfaces: dhcp.interfaces.value.clone(),
            subnets: subnets(settings),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    fn settings(text: &str) -> Settings {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("muster.toml");
        std::fs::write(&file, text).unwrap();
        load(&Sources {
            file: Some(file),
            ..Sources::default()
        })
        .unwrap()
    }

    #[test]
    fn connections_leave_files_for_the_rest() {
        let one = settings("http.proxies = [\"10.0.0.5\"]");
        assert_eq!(open_files(&one), 256 + 2000 + 8192);
        assert_eq!(http_bounds(&one, 65_536).connections, 8192);
        assert_eq!(http_bounds(&one, 1024).connections, 512);
        assert!(
            http_bounds(&one, 1024)
                .trusted
                .contains(&"10.0.0.5/32".parse().unwrap())
        );
        let two = settings("boot.listen = \"0.0.0.0:8081\"\ntftp.enabled = false");
        assert_eq!(open_files(&two), 256 + 2 * 8192);
        assert_eq!(http_bounds(&two, 4096).connections, 1920);
    }

    #[test]
    fn the_built_in_defaults_are_the_core_s_own() {
        let settings = settings("");
        assert_eq!(policy(&settings), Policy::default());
        assert_eq!(plan(&settings).sockets.len(), 4);
    }
}
