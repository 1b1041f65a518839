//! Settings as the plain values of the rooms below.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use chrono::TimeDelta;

use crate::{
    boot::{Architecture, LoaderTable, Policy, UnknownBoots},
    check::{DhcpPlan, Needed, Plan, Protocol},
    config::{Settings, SubnetSettings},
    discovery::{BootFiles, Setup},
    ipam::Subnet,
};

/// The subnets, by network.
pub(super) fn subnets(settings: &Settings) -> Vec<Subnet> {
    settings.subnets.iter().map(SubnetSettings::plain).collect()
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

    #[test]
    fn the_built_in_defaults_are_the_core_s_own() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("muster.toml");
        std::fs::write(&file, "").unwrap();
        let settings = load(&Sources {
            file: Some(file),
            ..Sources::default()
        })
        .unwrap();
        assert_eq!(policy(&settings), Policy::default());
        assert_eq!(plan(&settings).sockets.len(), 4);
    }
}
