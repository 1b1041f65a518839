use muster_facts::MacAddr;

use super::{AfterFacts, Architecture, Level, LoaderKind, Policy, Rule, UnknownBoots};
use crate::{install::BootChoice, inventory::State};

/// Where in its boot a machine asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Firmware asks by DHCP for something to load.
    Firmware(Architecture),
    /// iPXE asks by DHCP.
    Ipxe,
    /// iPXE asks by HTTP for its script.
    Script,
    /// The collection image asks by DHCP for an address.
    Image,
    /// An installed system or any other device asks by DHCP.
    Ordinary,
}

impl Stage {
    /// The word of event parameter `client`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firmware(_) => "firmware",
            Self::Ipxe | Self::Script => "ipxe",
            Self::Image => "image",
            Self::Ordinary => "ordinary",
        }
    }

    /// True when the packet belongs to a boot and so into its transcript.
    #[must_use]
    pub const fn boots(self) -> bool {
        !matches!(self, Self::Ordinary)
    }
}

/// One question of one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootRequest {
    /// The interface that boots.
    pub mac: MacAddr,
    /// Where it is.
    pub stage: Stage,
    /// State of the host, when it is known.
    pub host: Option<State>,
    /// What its running installation makes of this boot, when it has one.
    pub install: Option<BootChoice>,
    /// The loader it is to have, when that is not the table's.
    pub loader: Option<LoaderKind>,
}

/// What there is to be served now.
#[derive(Clone, Copy)]
pub struct Available<'a> {
    /// Kernel and initramfs of the collection image.
    pub image: bool,
    /// True for a loader that is in the loader folder.
    pub loader: &'a dyn Fn(&str) -> bool,
}

impl std::fmt::Debug for Available<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Available")
            .field("image", &self.image)
            .finish_non_exhaustive()
    }
}

/// What the machine is to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// This loader, by TFTP.
    LoaderByTftp(String),
    /// This loader, by HTTP.
    LoaderByHttp(String),
    /// The address of its boot script.
    Script,
    /// An address and nothing to boot.
    AddressOnly,
    /// The collection image.
    Collect,
    /// Its installer.
    Install,
    /// Its own disk.
    LocalBoot,
    /// A test of its memory.
    MemoryTest,
    /// Nothing now: show why, wait, ask again.
    Hold,
    /// No answer; where one has to be given, the reason.
    Refuse,
}

/// What to do and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What.
    pub action: Action,
    /// Why.
    pub rule: Rule,
    /// How much that matters to a person.
    pub level: Level,
}

impl Decision {
    const fn new(action: Action, rule: Rule, level: Level) -> Self {
        Self { action, rule, level }
    }
}

/// Decides what one machine gets; the same for DHCP and for scripts.
///
/// Firmware is always given a loader, even when the machine is to boot its own disk: an answer without a boot file
/// makes UEFI wait a minute per network entry, while iPXE gets to the disk at once.
#[must_use]
pub fn decide(request: &BootRequest, policy: &Policy, available: &Available<'_>) -> Decision {
    if policy.refused_by(request.mac).is_some() {
        return Decision::new(Action::Refuse, Rule::RefusedByPolicy, Level::Fail);
    }
    match request.stage {
        Stage::Ordinary => Decision::new(Action::AddressOnly, Rule::AddressOnly, Level::Info),
        Stage::Image => Decision::new(Action::AddressOnly, Rule::ImageAddress, Level::Info),
        Stage::Ipxe => Decision::new(Action::Script, Rule::IpxeScript, Level::Info),
        Stage::Firmware(arch) => loader(arch, request.loader, policy, available),
        Stage::Script => match request.install {
            Some(BootChoice::Installer) => Decision::new(Action::Install, Rule::InstallOpen, Level::Info),
            Some(BootChoice::Local) => Decision::new(Action::LocalBoot, Rule::InstallLocal, Level::Info),
            // It fails by this boot: then the machine waits in the collection image for what a person decides.
            Some(BootChoice::Fail(_)) | None => script(request.host, policy, available),
        },
    }
}

fn loader(arch: Architecture, wanted: Option<LoaderKind>, policy: &Policy, available: &Available<'_>) -> Decision {
    let own = wanted.and_then(|kind| kind.file(arch, &policy.loaders));
    let (name, rule) = match (own, policy.loaders.get(arch)) {
        // Also when it is not there: who wants another loader for a host does not expect the usual one to do.
        (Some(own), _) => (own, Rule::LoaderForHost),
        (None, Some(name)) => (name.to_owned(), Rule::LoaderForArchitecture),
        (None, None) => return Decision::new(Action::AddressOnly, Rule::NoLoaderForArchitecture, Level::Fail),
    };
    let there = (available.loader)(&name);
    let action = if arch.is_http() {
        Action::LoaderByHttp(name)
    } else {
        Action::LoaderByTftp(name)
    };
    if there {
        Decision::new(action, rule, Level::Info)
    } else {
        // The name is given all the same: what the firmware shows on its screen is then the missing file.
        Decision::new(action, Rule::LoaderMissing, Level::Fail)
    }
}

fn script(host: Option<State>, policy: &Policy, available: &Available<'_>) -> Decision {
    let (collect, rule) = match host {
        None | Some(State::Discovered) => match policy.unknown {
            UnknownBoots::Collect => (true, Rule::UnknownCollect),
            UnknownBoots::Local => (false, Rule::UnknownLocal),
        },
        Some(State::Inventoried) if policy.after_facts == AfterFacts::Reboot => (false, Rule::ReportedLocal),
        Some(State::Inventoried | State::Assigned | State::Installing | State::Failed) => (true, Rule::KnownCollect),
        Some(State::Active | State::Maintenance | State::Retired) => (false, Rule::InServiceLocal),
    };
    match (collect, available.image) {
        (false, _) => Decision::new(Action::LocalBoot, rule, Level::Info),
        (true, true) => Decision::new(Action::Collect, rule, Level::Info),
        (true, false) => Decision::new(Action::Hold, Rule::NoImage, Level::Fail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x77, 0, 1]);

    fn asked(stage: Stage, host: Option<State>, policy: &Policy, image: bool) -> (Action, Rule) {
        let available = Available {
            image,
            loader: &|name| name != "undionly.kpxe",
        };
        let decision = decide(
            &BootRequest {
                mac: MAC,
                stage,
                host,
                install: None,
                loader: None,
            },
            policy,
            &available,
        );
        (decision.action, decision.rule)
    }

    #[test]
    fn firmware_gets_the_loader_of_its_architecture() {
        let policy = Policy::default();
        let by = |arch| asked(Stage::Firmware(arch), None, &policy, true);
        assert_eq!(
            by(Architecture::X64Uefi),
            (Action::LoaderByTftp("snponly.efi".into()), Rule::LoaderForArchitecture)
        );
        assert_eq!(
            by(Architecture::X64Http),
            (Action::LoaderByHttp("snponly.efi".into()), Rule::LoaderForArchitecture)
        );
        assert_eq!(
            by(Architecture::X86Bios),
            (Action::LoaderByTftp("undionly.kpxe".into()), Rule::LoaderMissing)
        );
        assert_eq!(
            by(Architecture::Other(27)),
            (Action::AddressOnly, Rule::NoLoaderForArchitecture)
        );
    }

    #[test]
    fn a_host_may_have_another_loader_where_there_is_one() {
        let policy = Policy::default();
        let by = |arch, kind, here: bool| {
            let request = BootRequest {
                mac: MAC,
                stage: Stage::Firmware(arch),
                host: Some(State::Inventoried),
                install: None,
                loader: Some(kind),
            };
            let available = Available {
                image: true,
                loader: &|_| here,
            };
            let decision = decide(&request, &policy, &available);
            (decision.action, decision.rule)
        };
        let shim = Action::LoaderByTftp("shimx64.efi".into());
        assert_eq!(
            by(Architecture::X64Uefi, LoaderKind::Shim, true),
            (shim.clone(), Rule::LoaderForHost)
        );
        assert_eq!(
            by(Architecture::X64Uefi, LoaderKind::Shim, false),
            (shim, Rule::LoaderMissing)
        );
        assert_eq!(
            by(Architecture::Arm64Http, LoaderKind::Grub, true),
            (Action::LoaderByHttp("grubaa64.efi".into()), Rule::LoaderForHost)
        );
        // There is no shim for BIOS.
        assert_eq!(
            by(Architecture::X86Bios, LoaderKind::Shim, true),
            (
                Action::LoaderByTftp("undionly.kpxe".into()),
                Rule::LoaderForArchitecture
            )
        );
    }

    #[test]
    fn ipxe_is_never_given_a_loader() {
        assert_eq!(
            asked(Stage::Ipxe, None, &Policy::default(), true),
            (Action::Script, Rule::IpxeScript)
        );
    }

    #[test]
    fn scripts_follow_the_host_and_the_policy() {
        let collect = Policy::default();
        let local = Policy {
            unknown: UnknownBoots::Local,
            ..Policy::default()
        };
        let reboot = Policy {
            after_facts: AfterFacts::Reboot,
            ..Policy::default()
        };
        for (host, policy, image, action, rule) in [
            (None, &collect, true, Action::Collect, Rule::UnknownCollect),
            (
                Some(State::Discovered),
                &collect,
                true,
                Action::Collect,
                Rule::UnknownCollect,
            ),
            (None, &collect, false, Action::Hold, Rule::NoImage),
            (None, &local, false, Action::LocalBoot, Rule::UnknownLocal),
            (
                Some(State::Inventoried),
                &collect,
                true,
                Action::Collect,
                Rule::KnownCollect,
            ),
            (
                Some(State::Inventoried),
                &reboot,
                true,
                Action::LocalBoot,
                Rule::ReportedLocal,
            ),
            (
                Some(State::Active),
                &collect,
                true,
                Action::LocalBoot,
                Rule::InServiceLocal,
            ),
            (
                Some(State::Retired),
                &collect,
                true,
                Action::LocalBoot,
                Rule::InServiceLocal,
            ),
        ] {
            assert_eq!(asked(Stage::Script, host, policy, image), (action, rule), "{host:?}");
        }
    }

    #[test]
    fn a_refused_machine_is_refused_at_every_stage() {
        let policy = Policy {
            refuse: vec!["52:54:00:77:*".parse().unwrap()],
            ..Policy::default()
        };
        for stage in [
            Stage::Firmware(Architecture::X64Uefi),
            Stage::Ipxe,
            Stage::Script,
            Stage::Image,
            Stage::Ordinary,
        ] {
            assert_eq!(
                asked(stage, Some(State::Active), &policy, true),
                (Action::Refuse, Rule::RefusedByPolicy)
            );
        }
    }
}
