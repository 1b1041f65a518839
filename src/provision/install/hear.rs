//! An installation moves by what is heard of it.

use std::net::IpAddr;

use muster_facts::Facts;

use super::Installs;
use crate::{
    boot::{EventKind, Level},
    discovery::FeedItem,
    install::{
        Advance, Evidence, FailedBy, InstallId, LogLine, LogMeaning, Outcome, Packages, Stage, compare, meaning,
        redact_log,
    },
    inventory::HostId,
    store::{Install, StoreError, Write},
};

impl Installs {
    /// Takes in evidence, commits it, and tells of a further stage. The caller has the installation's turn.
    pub(super) async fn advance(
        &self,
        install: &mut Install,
        evidence: &Evidence,
        source: &str,
    ) -> Result<Advance, StoreError> {
        self.advance_with(install, evidence, source, Vec::new()).await
    }

    /// The same with what belongs into the same commit.
    pub(super) async fn advance_with(
        &self,
        install: &mut Install,
        evidence: &Evidence,
        source: &str,
        mut more: Vec<Write>,
    ) -> Result<Advance, StoreError> {
        let advance = install.progress.hear(evidence, self.now());
        let level = if advance == Advance::Late {
            Level::Warn
        } else {
            Level::Info
        };
        more.push(self.line(install.id, source, level, &evidence.text));
        self.keep(install, more).await?;
        if let Advance::To(stage) = advance {
            self.tell(
                install.host,
                EventKind::InstallStage,
                Level::Info,
                &[
                    ("stage", stage.as_str().to_owned()),
                    ("evidence", evidence.text.clone()),
                ],
            );
        }
        Ok(advance)
    }

    /// A line of an installer's log, from the machine at `client`. True when the machine has an installation.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn log_line(&self, client: IpAddr, line: &LogLine<'_>) -> Result<bool, StoreError> {
        let Some(host) = self.host_at(client) else {
            return Ok(false);
        };
        let text = redact_log(&format!("{}: {}", line.program, line.message));
        let said = meaning(line);
        let open = self
            .discovery()
            .with_installs(|installs| installs.of(host).map(|open| (open.id, open.progress.stage)));
        let Some((id, stage)) = open else { return Ok(false) };
        // Before this installation's own installer was started, it is another one that still speaks.
        match said.filter(|_| stage >= Stage::Loader) {
            // Most lines tell of the stage it is in: they go to the log without a change of the installation's row.
            Some(LogMeaning::Stage(said, packages)) if said > stage || packages.is_some() => {
                let mut evidence = Evidence::new(said, text);
                evidence.packages = packages;
                self.heard(host, id, &evidence, "syslog").await?;
            }
            // After the installer's end it is another program that speaks.
            Some(LogMeaning::Failed) if stage.is_installers() => {
                let _turn = self.turn(host).await;
                let running = self.running(host).await?.filter(|install| install.id == id);
                if let Some(install) = running.filter(|install| install.progress.stage.is_installers()) {
                    self.end(install, Outcome::Failed, Some(FailedBy::Installer), &text, None)
                        .await?;
                }
            }
            // If nothing follows, this is the last evidence that a silent installation is told and given up with.
            Some(LogMeaning::Trouble) if stage.is_installers() => {
                self.in_trouble(host, id, text).await?;
            }
            _ => {
                let now = self.now();
                self.discovery().with_installs(|installs| {
                    if let Some(open) = installs.of_mut(host) {
                        open.progress.heard_at = open.progress.heard_at.max(now);
                    }
                });
                self.discovery()
                    .writer()
                    .post(vec![self.line(id, "syslog", Level::Info, &text)]);
                self.discovery().feed().tell(FeedItem::Install(host));
            }
        }
        Ok(true)
    }

    /// A machine fetches a file of an installation tree: with anything but the kernel and its initrd, its installer runs.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn fetched(&self, client: IpAddr, file: &str) -> Result<(), StoreError> {
        let name = file.rsplit('/').next().unwrap_or_default();
        if ["vmlinuz", "linux", "initrd"]
            .iter()
            .any(|kernel| name.starts_with(kernel))
        {
            return Ok(());
        }
        let Some(host) = self.host_at(client) else {
            return Ok(());
        };
        let open = self
            .discovery()
            .with_installs(|installs| installs.of(host).map(|open| (open.id, open.progress.stage)));
        match open {
            Some((id, Stage::Loader)) => {
                let evidence = Evidence::new(Stage::Installer, format!("the installer fetches {file}"));
                self.heard(host, id, &evidence, "boot").await
            }
            _ => Ok(()),
        }
    }

    /// What a machine says of itself by its stage address: `word` is a stage, `failed`, or a word of its own for the log.
    /// The caller has the installation's turn.
    pub(super) async fn told(
        &self,
        mut install: Install,
        word: &str,
        message: &str,
        packages: Option<Packages>,
    ) -> Result<(), StoreError> {
        let text = if message.is_empty() {
            format!("the machine says: {word}")
        } else {
            redact_log(&format!("the machine says: {word}: {message}"))
        };
        if word == "failed" {
            self.end(install, Outcome::Failed, Some(FailedBy::Installer), &text, None)
                .await?;
            return Ok(());
        }
        let Some(stage) = Stage::told_as(word) else {
            install.progress.heard_at = install.progress.heard_at.max(self.now());
            let line = self.line(install.id, "stage", Level::Info, &text);
            return self.keep(&install, vec![line]).await;
        };
        let mut evidence = Evidence::new(stage, text);
        evidence.packages = packages;
        self.advance(&mut install, &evidence, "stage").await?;
        if stage == Stage::FirstBoot && !install.agent {
            let why = "installed and started; without an agent nobody has looked at the result";
            self.end(install, Outcome::Done, None, why, None).await?;
        }
        Ok(())
    }

    /// An error that the installer may overcome becomes what was heard last of the stage it is in.
    async fn in_trouble(&self, host: HostId, id: InstallId, text: String) -> Result<(), StoreError> {
        let _turn = self.turn(host).await;
        if let Some(mut install) = self.running(host).await?.filter(|install| install.id == id) {
            let line = self.line(install.id, "syslog", Level::Warn, &text);
            let evidence = Evidence::new(install.progress.stage, text);
            install.progress.hear(&evidence, self.now());
            self.keep(&install, vec![line]).await?;
        }
        Ok(())
    }

    async fn heard(&self, host: HostId, id: InstallId, evidence: &Evidence, source: &str) -> Result<(), StoreError> {
        let _turn = self.turn(host).await;
        if let Some(mut install) = self.running(host).await?.filter(|install| install.id == id) {
            self.advance(&mut install, evidence, source).await?;
        }
        Ok(())
    }

    /// The first report of the installed system's agent: what was found is compared with what was planned, and the
    /// installation is done. Without a running installation nothing happens. `credential` is the SHA-256 of the one that
    /// brought the report: a report of the system that was there before, and was on its way when the new one enrolled,
    /// tells nothing of the installation.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn reported(
        &self,
        host: HostId,
        facts: &Facts,
        credential: &[u8; 32],
    ) -> Result<Option<Install>, StoreError> {
        if !self.awaits_report(host) {
            return Ok(None);
        }
        let _turn = self.turn(host).await;
        let Some(mut install) = self.running(host).await? else {
            return Ok(None);
        };
        if install.progress.stage < Stage::AgentEnrolled {
            return Ok(None);
        }
        let kept = self.store().agent_credential(credential).await?;
        if kept.is_none_or(|kept| kept.host != host || kept.revoked_at.is_some()) {
            return Ok(None);
        }
        let differences = compare(&install.planned, facts);
        let why = match differences.len() {
            0 => "installed as planned".to_owned(),
            1 => "installed; one value is not as planned".to_owned(),
            many => format!("installed; {many} values are not as planned"),
        };
        install.differences = Some(differences);
        self.advance(&mut install, &Evidence::new(Stage::Verified, why.clone()), "agent")
            .await?;
        self.end(install, Outcome::Done, None, &why, None).await.map(Some)
    }

    /// Whether an installation waits for what the host's agent says of it.
    pub(in crate::provision) fn awaits_report(&self, host: HostId) -> bool {
        self.discovery().with_installs(|installs| {
            installs
                .of(host)
                .is_some_and(|open| open.progress.stage >= Stage::AgentEnrolled)
        })
    }

    /// The host at an address, or the one whose installer's script was asked for from there.
    pub(super) fn host_at(&self, client: IpAddr) -> Option<HostId> {
        self.discovery().host_of_address(client).or_else(|| {
            self.discovery().with_installs(|installs| {
                let mut there = installs.iter().filter(|open| open.client == Some(client));
                match (there.next(), there.next()) {
                    (Some(open), None) => Some(open.host),
                    _ => None,
                }
            })
        })
    }
}
