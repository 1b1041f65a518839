//! What a loader is told to do: computed when asked, from the ledger and the policy of this moment.

use std::net::{IpAddr, Ipv4Addr};

use muster_facts::MacAddr;

use super::{
    Discovery, InstallerAsked, choices,
    hosts::NotEntered,
    tokens::{NoRandomness, hash_of, new_token},
};
use crate::{
    boot::{
        Action, Available, BootId, BootRequest, BootToken, DISK_LOADERS, Decision, Event, EventKind, MenuChoice, Stage,
        choose, decide,
    },
    install::BootChoice,
    inventory::HostId,
    render::{BootScript, ScriptLanguage, render_boot_script},
    store::{StoreError, Write},
};

/// What a loader tells of itself; all of it untrusted, and empty where the machine does not know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScriptRequest {
    /// Which loader asks.
    pub language: ScriptLanguage,
    /// What was chosen from the menu.
    pub choice: String,
    /// `${netX/mac}`.
    pub mac: String,
    /// `${uuid}`.
    pub uuid: String,
    /// `${buildarch}`: `i386`, `x86_64`, `arm64`.
    pub buildarch: String,
    /// `${platform}`: `pcbios` or `efi`.
    pub platform: String,
    /// `${serial}`.
    pub serial: String,
    /// `${product}`.
    pub product: String,
    /// `${manufacturer}`.
    pub manufacturer: String,
    /// `${version}` of iPXE.
    pub version: String,
    /// Where the request came from.
    pub client: Option<IpAddr>,
    /// The `Host` header: the address by which this machine reaches us.
    pub asked_host: String,
}

/// Sent when a shipped template does not render; says all that can be said without one.
const BROKEN: &str = "#!ipxe\necho Muster: the boot script cannot be made. See the server's log.\nsleep 60\nexit 1\n";
/// The same for GRUB, which asks again by itself.
const BROKEN_GRUB: &str = "echo 'Muster: the boot script cannot be made. See the log of the server.'\nsleep 60\n";

/// Why a machine cannot be given a boot token.
#[derive(Debug, thiserror::Error)]
enum ScriptFault {
    #[error("the token cannot be kept")]
    Store(#[from] StoreError),
    #[error("the machine cannot be entered in the ledger")]
    Ledger(#[from] NotEntered),
    #[error("the token cannot be made")]
    Randomness(#[from] NoRandomness),
}

/// Whose boot a script is for.
struct Asking {
    mac: MacAddr,
    host: HostId,
    boot: BootId,
}

/// What a script needs beside what was decided.
pub(super) struct ScriptPlaces {
    /// Which loader reads it.
    pub(super) language: ScriptLanguage,
    /// `http://address:port` by which the machine reaches us.
    pub(super) base: String,
    /// Where it asks again.
    pub(super) again: String,
}

impl ScriptPlaces {
    /// For one machine; `mac` as it is written in the address.
    fn new(language: ScriptLanguage, base: String, mac: &str) -> Self {
        let path = match language {
            ScriptLanguage::Ipxe => "ipxe",
            ScriptLanguage::Grub => "grub/script",
        };
        Self {
            again: format!("{base}/boot/{path}?mac={mac}"),
            language,
            base,
        }
    }

    pub(super) fn render(&self, script: &BootScript<'_>) -> String {
        render_boot_script(script, self.language).unwrap_or_else(|error| {
            tracing::error!(%error, "a shipped boot script template does not render");
            match self.language {
                ScriptLanguage::Ipxe => BROKEN,
                ScriptLanguage::Grub => BROKEN_GRUB,
            }
            .to_owned()
        })
    }
}

impl Discovery {
    /// The script of one machine. Always a script: what cannot be done is said on the machine's screen.
    pub async fn boot_script(&self, request: &ScriptRequest) -> String {
        let base = match request.language {
            ScriptLanguage::Ipxe => self.base_for(&request.asked_host),
            ScriptLanguage::Grub => self.base_for_grub(&request.asked_host),
        };
        let Ok(mac) = request.mac.parse::<MacAddr>() else {
            tracing::warn!(
                client = ?request.client,
                mac = request.mac.chars().take(40).collect::<String>(),
                "a boot script was asked for without a MAC address"
            );
            let places = ScriptPlaces::new(request.language, base, "${netX/mac}");
            return places.render(&BootScript::Hold {
                again: &places.again,
                why: "the request does not say which interface boots",
                advice: "chain this address with mac= and the interface's MAC address",
            });
        };
        let places = ScriptPlaces::new(request.language, base, &mac.to_string());
        let asking = match self.asking(mac).await {
            Ok(asking) => asking,
            Err(error) => return not_kept(&places, &ScriptFault::from(error)),
        };
        let install = self.with_installs(|installs| installs.boot(asking.host));
        let decision = self.decide_script(mac, install);
        let chosen = MenuChoice::from_word(&request.choice);
        if chosen.is_none()
            && let Some(menu) = choices::menu_script(self, mac, &decision, &places)
        {
            self.note_script(mac, asking.host, &decision, Some("menu"), request);
            return menu;
        }
        let decided = decision.action.clone();
        let decision = choose(decision, chosen.unwrap_or(MenuChoice::Default), choices::offers(self));
        // Who chose something else takes no step of the installation.
        let install = install.filter(|_| decision.action == decided && decision.action != Action::Refuse);
        let mut decision = decision;
        if install.is_some() {
            let asked = InstallerAsked {
                host: asking.host,
                mac,
                base: places.base.clone(),
                again: places.again.clone(),
                client: request.client,
                language: places.language,
            };
            if let Some(script) = self.installing(&asked, &places).await {
                self.note_script(mac, asking.host, &decision, None, request);
                return script;
            }
            // The installation has moved by this boot, or has ended while its turn was waited for: what the machine gets
            // follows from how it stands now.
            let install = self.with_installs(|installs| installs.boot(asking.host));
            decision = choose(
                self.decide_script(mac, install),
                chosen.unwrap_or(MenuChoice::Default),
                choices::offers(self),
            );
        }
        let token = match decision.action {
            Action::Collect => match self.grant_report(&asking).await {
                Ok(token) => Some(token),
                Err(error) => return not_kept(&places, &error),
            },
            _ => None,
        };
        self.note_script(mac, asking.host, &decision, None, request);
        match (token, &decision.action) {
            (Some(token), _) => places.render(&BootScript::Collect {
                base: &places.base,
                token: &token,
                mac,
                again: &places.again,
                kernel_options: &self.policy().kernel_options,
            }),
            (None, Action::Refuse) => self.local_boot(&places, "this machine is refused by policy"),
            (None, Action::LocalBoot) => self.local_boot(&places, decision.rule.as_str()),
            (None, Action::MemoryTest) => choices::memory_test(&places),
            (None, _) => places.render(&BootScript::Hold {
                again: &places.again,
                why: decision.rule.as_str(),
                advice: "see the page of this machine in Muster, or run: muster check",
            }),
        }
    }

    /// The script of a machine that starts the system on its own disk.
    fn local_boot(&self, places: &ScriptPlaces, why: &str) -> String {
        let disk_loaders: Vec<(&str, String)> = DISK_LOADERS
            .into_iter()
            .filter(|(_, file)| self.files().has_loader(file))
            .map(|(arch, file)| (arch, format!("{}/boot/loader/{file}", places.base)))
            .collect();
        places.render(&BootScript::Local {
            why,
            disk_loaders: &disk_loaders,
        })
    }

    /// The script of a machine in the middle of its installation; none when it boots something else.
    async fn installing(&self, asked: &InstallerAsked, places: &ScriptPlaces) -> Option<String> {
        let installer = self.inner.installer.get()?;
        match installer.boots(asked).await {
            Ok(script) => script,
            Err(hold) => Some(places.render(&BootScript::Hold {
                again: &asked.again,
                why: &hold.why,
                advice: &hold.advice,
            })),
        }
    }

    fn decide_script(&self, mac: MacAddr, install: Option<BootChoice>) -> Decision {
        let host = self.host_by_mac(mac).map(|host| host.state);
        let files = self.files();
        let available = Available {
            image: files.has_image(),
            loader: &|name| files.has_loader(name),
        };
        let request = BootRequest {
            mac,
            stage: Stage::Script,
            host,
            install,
            loader: None,
        };
        decide(&request, self.policy(), &available)
    }

    /// The host and boot that a script is for; made when this machine was never heard before (its addresses come
    /// from elsewhere and nobody relays its packets here).
    async fn asking(&self, mac: MacAddr) -> Result<Asking, NotEntered> {
        let now = self.now();
        let host = self.ensure_host(mac).await?;
        let boot = self.view().boot_of(mac, Stage::Script, now);
        Ok(Asking { mac, host, boot })
    }

    /// A new token, on disk before it leaves.
    async fn grant_report(&self, asking: &Asking) -> Result<String, ScriptFault> {
        let now = self.now();
        let token = new_token()?;
        let kept = BootToken {
            hash: hash_of(&token),
            mac: asking.mac,
            host: asking.host,
            boot: asking.boot,
            created_at: now,
            expires_at: now + self.policy().token_lifetime,
        };
        self.writer().commit(vec![Write::BootToken(kept.clone())]).await?;
        self.view().tokens.insert(kept);
        Ok(token)
    }

    /// `instead`: what is given in place of what was decided.
    fn note_script(
        &self,
        mac: MacAddr,
        host: HostId,
        decision: &Decision,
        instead: Option<&str>,
        request: &ScriptRequest,
    ) {
        let action = instead.unwrap_or(match decision.action {
            Action::Collect => "collect",
            Action::Install => "install",
            Action::LocalBoot => "local",
            Action::MemoryTest => "memtest",
            Action::Refuse => "refuse",
            _ => "hold",
        });
        let mut event = Event::new(self.now(), mac, EventKind::BootScript, decision.level)
            .by(decision.rule)
            .with("action", action);
        if request.language == ScriptLanguage::Grub {
            event = event.with("loader", "grub");
        }
        event.host = Some(host);
        if let Some(pattern) = self.policy().refused_by(mac) {
            event = event.with("pattern", pattern.to_string());
        }
        for (name, value) in [
            ("platform", &request.platform),
            ("arch", &request.buildarch),
            ("ipxe", &request.version),
            ("serial", &request.serial),
            ("product", &request.product),
        ] {
            if !value.is_empty() {
                event = event.with(
                    name,
                    value.chars().filter(|c| !c.is_control()).take(80).collect::<String>(),
                );
            }
        }
        if let Some(client) = request.client {
            event = event.with("client", client.to_string());
        }
        self.note(event);
    }

    /// `http://host:port` by which this machine reaches us: the setting, else what it asked.
    pub(super) fn base_for(&self, asked_host: &str) -> String {
        self.script_base(asked_host)
            .unwrap_or_else(|| self.boot_base(Ipv4Addr::LOCALHOST))
    }

    /// `http://host:port` as a machine asked for it, when that is a host and no setting says otherwise.
    #[must_use]
    pub fn script_base(&self, asked_host: &str) -> Option<String> {
        let is_host = !asked_host.is_empty()
            && asked_host.len() <= 255
            && asked_host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'));
        (self.inner.setup.boot_url.is_none() && is_host).then(|| format!("http://{asked_host}"))
    }
}

/// The machine waits and asks again, with the reason on its screen.
fn not_kept(places: &ScriptPlaces, error: &ScriptFault) -> String {
    tracing::error!(error = error as &dyn std::error::Error, "no boot token could be given");
    let (why, advice) = match error {
        ScriptFault::Ledger(NotEntered::TooMany) => (
            "too many machines are known by a single packet, and this one is not among them",
            "find out what invents machines on this network, or wait until they are forgotten",
        ),
        ScriptFault::Randomness(_) => ("the server cannot make a boot token", "look at the log of the server"),
        ScriptFault::Store(_) | ScriptFault::Ledger(NotEntered::NotKept(_)) => (
            "the server cannot write to its database",
            "look at the log of the server, or run: muster check",
        ),
    };
    places.render(&BootScript::Hold {
        again: &places.again,
        why,
        advice,
    })
}
