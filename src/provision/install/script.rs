//! A machine boots in the middle of its installation.

use std::net::Ipv4Addr;

use super::{AnswerRefused, Installs, plan::PlanFault};
use crate::{
    auth::Secret,
    boot::{EventKind, Level},
    discovery::{InstallHold, InstallScripts, InstallerAsked, InstallerScript},
    install::{BootChoice, Evidence, FailedBy, Outcome, Secrets, Stage, boot, kernel_line},
    render::{BootScript, ScriptLanguage, render_boot_script},
    store::{Install, StoreError},
};

impl InstallScripts for Installs {
    fn boots<'a>(&'a self, asked: &'a InstallerAsked) -> InstallerScript<'a> {
        Box::pin(self.machine_boots(asked))
    }
}

impl Installs {
    async fn machine_boots(&self, asked: &InstallerAsked) -> Result<Option<String>, InstallHold> {
        let _turn = self.turn(asked.host).await;
        let Some(install) = self.running(asked.host).await.map_err(not_kept)? else {
            return Ok(None);
        };
        // Anybody can write any MAC into a request. Whoever has an address of ours that is another host's is not this one.
        if let Some(client) = asked.client
            && self
                .discovery()
                .host_of_address(client)
                .is_some_and(|other| other != asked.host)
        {
            self.refuse(asked.host, client, AnswerRefused::Elsewhere);
            return Err(InstallHold {
                why: "this address belongs to another machine, whose installation this is not".to_owned(),
                advice: "let the machine ask for an address anew".to_owned(),
            });
        }
        // What this boot is, is said by where the installation stands now: another boot of the machine, its answer file or
        // a person may have been quicker than this request.
        match boot(&install.progress, install.once) {
            BootChoice::Installer => self.start_installer(install, asked).await.map(Some),
            BootChoice::Local => {
                self.boots_own_disk(install).await.map_err(not_kept)?;
                Ok(None)
            }
            BootChoice::Fail(interruption) => {
                let stage = interruption.stage.as_str();
                let why = match interruption.by {
                    FailedBy::Loop => format!(
                        "the installer was started {} times and never asked for its answer file",
                        install.progress.starts
                    ),
                    _ => format!(
                        "the machine started again in stage {stage}, before the installer had ended: its disks may be half \
                         written"
                    ),
                };
                self.end(install, Outcome::Failed, Some(interruption.by), &why, None)
                    .await
                    .map_err(not_kept)?;
                Ok(None)
            }
        }
    }

    /// New tokens, on disk before the script leaves; those of an earlier start end.
    async fn start_installer(&self, mut install: Install, asked: &InstallerAsked) -> Result<String, InstallHold> {
        let plan = self.inner.plans.plan(asked.host).await;
        let plan = match plan {
            Ok(Some(plan)) => plan,
            Ok(None) => {
                return Err(InstallHold {
                    why: "this host has an installation and no profile any more".to_owned(),
                    advice: "give it a profile, or cancel the installation".to_owned(),
                });
            }
            Err(fault) => return Err(self.held(&install, &fault).await),
        };
        if plan.profile != install.profile {
            // Nobody agreed to have this one installed.
            let fault = PlanFault(format!(
                "the host was given profile {} after its installation as {} began; cancel it and start it again",
                plan.profile, install.profile
            ));
            return Err(self.held(&install, &fault).await);
        }
        let places = plan.initrds.iter().chain([&plan.kernel]);
        if let Some(place) = places.into_iter().find(|place| place.starts_with("https://"))
            && asked.language == ScriptLanguage::Grub
        {
            return Err(InstallHold {
                why: format!("GRUB cannot load {place}: it has no HTTPS"),
                advice: "give the tree by http://, or as a folder of this server".to_owned(),
            });
        }
        let secrets = Secrets::of(Secret::random().reveal());
        // A file that cannot be made never reaches a machine: it waits, and says why.
        let context = self.answer_context(install.id, &secrets, asked.base.clone());
        if let Err(fault) = self.inner.plans.answer(asked.host, &context).await {
            return Err(self.held(&install, &fault).await);
        }
        // It is started as it is planned now, which may be another plan than the one it was asked for with.
        install.distro.clone_from(&plan.distro);
        install.once = plan.once;
        install.agent = plan.agent;
        install.planned = plan.planned.clone();
        install.hashes = Some(secrets.hashes());
        install.client = asked.client;
        let now = self.now();
        install
            .progress
            .start_installer("the machine was given its installer", now);
        let line = self.line(
            install.id,
            "boot",
            Level::Info,
            &format!("start {} of the installer of {}", install.progress.starts, plan.distro),
        );
        self.keep(&install, vec![line]).await.map_err(not_kept)?;

        let at = |place: &str| {
            if place.starts_with('/') {
                format!("{}{place}", asked.base)
            } else {
                place.to_owned()
            }
        };
        let answer_url = format!("{}/boot/answer/{}", asked.base, secrets.answer);
        let tree = plan.tree.as_deref().map(at);
        let syslog = self.inner.syslog.map(|port| (host_of(&asked.base), port));
        let kernel_line = kernel_line(&plan.target(&answer_url, tree.as_deref(), asked.mac, syslog));
        let initrds: Vec<String> = plan.initrds.iter().map(|place| at(place)).collect();
        let kernel = at(&plan.kernel);
        let script = BootScript::Install {
            title: &plan.distro,
            kernel: &kernel,
            initrds: &initrds,
            line: &kernel_line,
            again: &asked.again,
        };
        render_boot_script(&script, asked.language).map_err(|error| {
            tracing::error!(%error, "a shipped boot script template does not render");
            InstallHold {
                why: "the server cannot make the installer's script".to_owned(),
                advice: "look at the log of the server".to_owned(),
            }
        })
    }

    /// The installer cannot be given now: that is told on the machine's screen, in its transcript and in the
    /// installation's log. The machine asks again, and goes on when it is mended.
    async fn held(&self, install: &Install, fault: &PlanFault) -> InstallHold {
        let why = fault.to_string();
        // The machine asks each few seconds, and what it hears is the same until somebody has mended it.
        if let Some(times) = self.inner.held.note(install.host, &why, "", self.now()) {
            let line = self.line(
                install.id,
                "server",
                Level::Fail,
                &format!("the installer is held back: {why}"),
            );
            if let Err(error) = self.discovery().writer().commit(vec![line]).await {
                return not_kept(error);
            }
            let mut params = vec![("why", why.clone())];
            params.extend((times > 1).then(|| ("times", times.to_string())));
            self.tell(install.host, EventKind::InstallHeld, Level::Fail, &params);
        }
        InstallHold {
            // A screen has no room for a listing.
            why: why.lines().next().unwrap_or_default().to_owned(),
            advice: "mend it; this machine goes on by itself. The page of the installation has the whole reason"
                .to_owned(),
        }
    }

    /// The installer has ended: the machine goes on from its own disk.
    async fn boots_own_disk(&self, mut install: Install) -> Result<(), StoreError> {
        let evidence = Evidence::new(Stage::Rebooting, "the machine starts from its own disk");
        self.advance(&mut install, &evidence, "boot").await?;
        if !install.agent {
            // Nothing more is to come that could be waited for.
            let why = "installed; without an agent nobody has looked at the result";
            self.end(install, Outcome::Done, None, why, None).await?;
        }
        Ok(())
    }

    /// `http://address:port` of the boot routes.
    pub(super) fn base(&self, asked_host: &str) -> String {
        self.discovery()
            .script_base(asked_host)
            .unwrap_or_else(|| self.discovery().boot_base(Ipv4Addr::LOCALHOST))
    }
}

/// The host of `http://host:port`.
pub(super) fn host_of(base: &str) -> &str {
    let authority = base.split_once("://").map_or(base, |(_, rest)| rest);
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where an error is mapped")]
fn not_kept(error: StoreError) -> InstallHold {
    tracing::error!(%error, "an installation could not be read or written");
    InstallHold {
        why: "the server cannot write to its database".to_owned(),
        advice: "look at the log of the server, or run: muster check".to_owned(),
    }
}
