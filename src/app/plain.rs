//! Settings as the plain values of the rooms below.

use std::net::{Ipv4Addr, SocketAddr};

use crate::{
    check::{DhcpPlan, Needed, Plan, Protocol},
    config::{Settings, SubnetSettings, UnknownMachine},
    ipam::Subnet,
};

/// The subnets, by network.
pub(super) fn subnets(settings: &Settings) -> Vec<Subnet> {
    settings.subnets.iter().map(SubnetSettings::plain).collect()
}

/// Architecture and its loader's file name.
pub(super) fn loaders(settings: &Settings) -> Vec<(String, String)> {
    let loaders = &settings.loaders;
    [
        ("x86-bios", &loaders.x86_bios),
        ("x86-uefi", &loaders.x86_uefi),
        ("x64-uefi", &loaders.x64_uefi),
        ("arm64-uefi", &loaders.arm64_uefi),
        ("x64-http", &loaders.x64_http),
        ("arm64-http", &loaders.arm64_http),
    ]
    .into_iter()
    .map(|(architecture, name)| (architecture.to_owned(), name.value.clone()))
    .collect()
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
    if settings.tftp.enabled.value {
        sockets.push(needed("tftp.port", Protocol::Udp, any(settings.tftp.port.value.0)));
    }
    Plan {
        database_url: settings.database_url().expose().to_owned(),
        database_shown: settings.database_url().masked(),
        sockets,
        loader_dir: settings.boot.loader_dir.value.clone(),
        loaders: loaders(settings),
        image_dir: settings.boot.image_dir.value.clone(),
        collects: settings.boot.unknown.value == UnknownMachine::Collect,
        dhcp: dhcp.enabled.value.then(|| DhcpPlan {
            port: dhcp.port.value.0,
            client_port: dhcp.client_port.value.0,
            interfaces: dhcp.interfaces.value.clone(),
            subnets: subnets(settings),
        }),
    }
}
