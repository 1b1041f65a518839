//! From what is wanted of a host, what is known of it and one installation to what a template is given. Values in, values
//! out.

use std::collections::BTreeMap;

use muster_facts::{BootMode, Facts, MacAddr};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    desired::{Distro, Fault, Tree},
    install::{
        DiskWish, InstallDisk, InstallInterface, KernelOption, OptionValue, Planned, choose_disks, resolve_interfaces,
    },
    provision::{
        HostDesired,
        catalog::label,
        install::{AnswerContext, InstallPlan},
    },
    render::answer::{AnswerInput, AnswerKind, SearchNames},
};

/// A host as it will be installed: what is common to its plan and its answer file.
pub(super) struct Installation<'a> {
    desired: &'a HostDesired,
    facts: Option<&'a Facts>,
    distro: &'a Distro,
    disks: Vec<InstallDisk>,
    interfaces: Vec<InstallInterface>,
}

impl<'a> Installation<'a> {
    /// Chooses disks and cards.
    ///
    /// # Errors
    /// [`Fault`] when the host has no profile, or what is wanted does not fit what it has.
    pub(super) fn of(desired: &'a HostDesired, facts: Option<&'a Facts>) -> Result<Self, Fault> {
        let Some(distro) = desired.distro.as_ref() else {
            return Err(Fault::unshown(
                "profile",
                "the host has no profile",
                "give it one: muster host edit NAME --profile PROFILE",
            ));
        };
        let values = &desired.effective.values;
        let known = facts.map_or(&[][..], |facts| &facts.disks);
        let raid = value(values, &["partitioning", "scheme"]).and_then(Value::as_str) == Some("raid");
        let keep: Vec<String> = read(values, "keep_disks")?;
        let wish: DiskWish = read(values, "disk")?;
        Ok(Self {
            desired,
            facts,
            distro,
            disks: choose_disks(&wish, &keep, if raid { 2 } else { 1 }, known).map_err(|fault| match facts {
                None if wish.path.is_none() => Fault::unshown(
                    "disk",
                    "the host has not reported its hardware yet, so no disk can be chosen by rule",
                    "let it boot into the collection image once, or name the disk: --disk path=/dev/vda",
                ),
                _ => fault,
            })?,
            interfaces: resolve_interfaces(
                values.get("network").unwrap_or(&Value::Null),
                facts.map_or(&[][..], |facts| &facts.nics),
            )?,
        })
    }

    /// The template of its answer file.
    ///
    /// # Errors
    /// [`Fault`] when there is none.
    pub(super) fn template(&self) -> Result<&'a str, Fault> {
        self.text("template").ok_or_else(|| {
            Fault::unshown(
                "template",
                "no answer file template is named",
                "name one such as redhat/default.ks",
            )
        })
    }

    /// How it is installed.
    ///
    /// # Errors
    /// As [`Self::template`].
    pub(super) fn plan(&self) -> Result<InstallPlan, Fault> {
        let distro = self.distro;
        let below = |path: &str| match &distro.tree {
            Tree::Path(_) => format!("/boot/tree/{}/{path}", distro.name),
            Tree::Url(url) => format!("{}/{path}", url.trim_end_matches('/')),
        };
        let hostname = self.hostname();
        let flag = |key: &str| self.desired.effective.values.get(key).and_then(Value::as_bool) != Some(false);
        Ok(InstallPlan {
            profile: self.desired.plan.profile.clone().unwrap_or_default(),
            distro: distro.name.clone(),
            family: distro.family,
            kickstart: AnswerKind::of_template(self.template()?) == AnswerKind::Kickstart,
            major: distro.major().parse().unwrap_or(0),
            codename: distro.codename.clone(),
            kernel: below(&distro.kernel),
            initrds: vec![below(&distro.initrd)],
            tree: Some(below("").trim_end_matches('/').to_owned()),
            hostname: hostname.clone(),
            domain: self.text("domain").map(str::to_owned),
            name_servers: read(&self.desired.effective.values, "name_servers")?,
            locale: self.text("locale").unwrap_or("en_US.UTF-8").to_owned(),
            keyboard: self.text("keyboard").unwrap_or("us").to_owned(),
            kernel_options: options(&self.desired.effective.values, "kernel_options"),
            once: flag("install_once"),
            agent: flag("install_agent"),
            planned: Planned {
                hostname,
                os: Some(distro.id.clone()).filter(|id| !id.is_empty()),
                os_version: Some(distro.version.clone()).filter(|version| !version.is_empty()),
                addresses: self
                    .interfaces
                    .iter()
                    .flat_map(|interface| &interface.addresses)
                    .map(|address| address.address.to_string())
                    .collect(),
                disk: self.disks.first().and_then(InstallDisk::key).map(str::to_owned),
                kernel_options: options(&self.desired.effective.values, "kernel_options_post")
                    .iter()
                    .flat_map(words)
                    .collect(),
            },
        })
    }

    /// What its template is given.
    pub(super) fn answer_input(&self, context: &AnswerContext) -> AnswerInput {
        let desired = self.desired;
        AnswerInput {
            values: with_numbers(desired.effective.values.clone()),
            origins: desired
                .effective
                .origins
                .iter()
                .map(|(path, layer)| (path.clone(), layer.to_string()))
                .collect::<BTreeMap<_, _>>(),
            context: self.context(context),
            search: SearchNames {
                host: Some(label(&desired.host)),
                profiles: desired.profiles.clone(),
                distro: self.distro.name.clone(),
                family: self.distro.family,
            },
        }
    }

    fn context(&self, context: &AnswerContext) -> Map<String, Value> {
        let (desired, distro) = (self.desired, self.distro);
        let host = &desired.host;
        let base = &context.base_url;
        let tree = match &distro.tree {
            Tree::Path(_) => format!("{base}/boot/tree/{}", distro.name),
            Tree::Url(url) => url.trim_end_matches('/').to_owned(),
        };
        let boot_mode = match self
            .facts
            .and_then(|facts| facts.bios.as_ref()?.mode)
            .or(host.summary.boot_mode)
        {
            Some(BootMode::Uefi) => "uefi",
            _ => "bios",
        };
        let raid = self.disks.len() > 1;
        let agent = context.agents.iter().find(|agent| agent.architecture == distro.arch);
        let document = json!({
            "host": {
                "id": host.id.to_string(), "name": self.hostname(), "mac": self.mac().map(|mac| mac.to_string()),
                "serial": host.summary.serial, "vendor": host.summary.vendor, "product": host.summary.product,
                "uuid": host.summary.uuid,
            },
            "profile": { "name": desired.plan.profile, "path": desired.profiles },
            "distro": {
                "name": distro.name, "family": distro.family.as_str(), "id": distro.id, "version": distro.version,
                "major": distro.major().parse::<u32>().unwrap_or(0), "arch": distro.arch, "codename": distro.codename,
                "tree_url": tree, "kernel": distro.kernel, "initrd": distro.initrd,
            },
            "server": { "base_url": base },
            "install": {
                "id": context.id.to_string(), "answer_url": context.answer_url, "stage_url": context.stage_url,
                "agent_url": agent.map(|agent| &agent.url), "agent_sha256": agent.map(|agent| &agent.sha256),
                "token": context.token,
                "syslog": context.syslog.as_ref().map(|(host, port)| json!({ "host": host, "port": port })),
            },
            "install_disk": self.disks.first(),
            "raid_disks": if raid { json!(self.disks) } else { json!([]) },
            "interfaces": self.interfaces,
            "boot_mode": boot_mode,
            "facts": self.facts.map_or(Value::Null, |facts| json!({
                "cores": facts.cpu.cores, "memory_mib": facts.memory.total_bytes >> 20,
                "architecture": facts.cpu.architecture, "disks": facts.disks,
            })),
        });
        match document {
            Value::Object(context) => context,
            _ => Map::new(),
        }
    }

    /// Its name: the wanted one, else the one of the ledger.
    fn hostname(&self) -> Option<String> {
        self.text("hostname")
            .or(self.desired.host.name.as_deref())
            .map(str::to_owned)
    }

    /// The card that is told of as the host's: one that has a link, else the first.
    pub(super) fn mac(&self) -> Option<MacAddr> {
        let nics = self.facts.map_or(&[][..], |facts| &facts.nics);
        nics.iter()
            .find(|nic| nic.link == Some(true))
            .or(nics.first())
            .and_then(|nic| nic.mac)
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        self.desired.effective.values.get(key).and_then(Value::as_str)
    }
}

fn value<'a>(values: &'a Map<String, Value>, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(values.get(*first)?, |value, key| value.get(key))
}

/// A value of the layers as a type of the core.
fn read<T: for<'de> Deserialize<'de> + Default>(values: &Map<String, Value>, key: &str) -> Result<T, Fault> {
    match values.get(key) {
        None | Some(Value::Null) => Ok(T::default()),
        Some(value) => T::deserialize(value).map_err(|error| {
            Fault::unshown(
                key,
                format!("it cannot be read: {error}"),
                "set it anew with muster profile edit or muster host edit",
            )
        }),
    }
}

/// Kernel options in the order they were entered in: none is a bare word, a list the same option several times.
fn options(values: &Map<String, Value>, key: &str) -> Vec<KernelOption> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let options = values.get(key).and_then(Value::as_object);
    let several = |value: &'_ Value| match value {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    options
        .into_iter()
        .flatten()
        .flat_map(|(name, value)| several(value).into_iter().map(move |value| (name, value)))
        .map(|(name, value)| KernelOption {
            name: name.clone(),
            value: match value {
                Value::Null => OptionValue::Bare,
                value => OptionValue::Texts(vec![text(&value)]),
            },
        })
        .collect()
}

/// An option as its words on a command line.
fn words(option: &KernelOption) -> Vec<String> {
    match &option.value {
        OptionValue::Bare => vec![option.name.clone()],
        OptionValue::Texts(texts) => texts.iter().map(|text| format!("{}={text}", option.name)).collect(),
    }
}

/// Sizes that were typed as words, as numbers: a template compares them.
fn with_numbers(mut values: Map<String, Value>) -> Map<String, Value> {
    fn number(value: &mut Value) {
        if let Some(number) = value.as_str().and_then(|text| text.parse::<u64>().ok()) {
            *value = number.into();
        }
    }
    if let Some(Value::Object(partitioning)) = values.get_mut("partitioning") {
        for (key, value) in partitioning.iter_mut() {
            if key.ends_with("_mib") {
                number(value);
            }
        }
        let extra = partitioning.get_mut("extra").and_then(Value::as_array_mut);
        for part in extra.into_iter().flatten().filter_map(Value::as_object_mut) {
            if let Some(size) = part.get_mut("size_mib") {
                number(size);
            }
        }
    }
    values
}
