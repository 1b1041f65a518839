//! An installation is started, cancelled or tried again by a person.

use super::{AnswerContext, Installs, plan::PlanFault};
use crate::{
    boot::{EventKind, Level},
    discovery::MoveRefused,
    install::{Evidence, FailedBy, InstallId, Outcome, Progress, Stage},
    inventory::{HostId, State, lifecycle::Cause, new_id},
    store::{Install, StoreError, Write},
};

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Which host.
    pub host: HostId,
    /// The host's name, typed: asked for where a running system would be overwritten.
    pub typed: Option<String>,
    /// Who asks.
    pub actor: String,
}

/// Why an installation is not started.
#[derive(Debug, thiserror::Error)]
pub enum StartRefused {
    /// There is no such host.
    #[error("there is no such host")]
    Unknown,
    /// Nobody has said what it is to become.
    #[error("the host has no profile; give it one first")]
    NoPlan,
    /// It is in service.
    #[error("type the host's name, `{0}`, to have it installed and lose what is on its disks")]
    TypeName(String),
    /// The plan cannot be read.
    #[error("it cannot be installed as planned: {0}")]
    Plan(#[from] PlanFault),
    /// Its life has no installation now.
    #[error(transparent)]
    Move(#[from] MoveRefused),
}

/// Why an installation is not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelRefused {
    /// None such runs.
    #[error("there is no such installation that runs")]
    NotRunning,
    /// The ledger failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Installs {
    /// Opens an installation. The machine is told to restart where it waits in the collection image; any other has to be
    /// restarted by somebody.
    ///
    /// # Errors
    /// When the host has no plan, is in service and its name was not typed, or cannot be installed from where it is.
    pub async fn start(&self, asked: Start) -> Result<Install, StartRefused> {
        let host = self.discovery().host(asked.host).ok_or(StartRefused::Unknown)?;
        let plan = self.inner.plans.plan(host.id).await?.ok_or(StartRefused::NoPlan)?;
        // A broken template is told here, before anything happens to the machine.
        let preview = AnswerContext::of_preview(&self.base(""));
        self.inner.plans.answer(host.id, &preview).await?;
        // A name that is typed has to be right wherever it is typed.
        let name = host.name.clone().unwrap_or_else(|| host.id.to_string());
        let typed = asked.typed.as_deref().map(str::trim).filter(|typed| !typed.is_empty());
        if typed.map_or(host.state == State::Active, |typed| typed != name) {
            return Err(StartRefused::TypeName(name));
        }
        let _turn = self.turn(host.id).await;
        // Giving it a profile is the catalogue's to do; a host that has a plan and never was told of it is told now.
        if matches!(host.state, State::Discovered | State::Inventoried) {
            let actor = Some(asked.actor.clone());
            self.discovery()
                .move_host(host.id, Cause::ProfileGiven, actor, |_| Vec::new())
                .await?;
        }
        let now = self.now();
        let mut progress = Progress::requested(&asked.actor, now);
        progress.hear(&Evidence::new(Stage::WaitingBoot, "waits for the machine to boot"), now);
        let install = Install {
            id: InstallId(new_id(now)),
            host: host.id,
            profile: plan.profile,
            distro: plan.distro,
            started_by: asked.actor.clone(),
            created_at: now,
            ended_at: None,
            outcome: Outcome::Open,
            failed_by: None,
            reason: None,
            progress,
            once: plan.once,
            agent: plan.agent,
            hashes: None,
            client: None,
            snapshot: None,
            planned: plan.planned,
            differences: None,
        };
        let line = self.line(
            install.id,
            "person",
            Level::Info,
            &format!("started by {}", asked.actor),
        );
        let kept = install.clone();
        self.discovery()
            .move_host(host.id, Cause::InstallStarted, Some(asked.actor.clone()), |_| {
                vec![Write::Install(Box::new(kept)), line]
            })
            .await?;
        self.discovery().with_installs(|installs| installs.put(install.open()));
        self.tell(host.id, EventKind::InstallStarted, Level::Info, &[("by", asked.actor)]);
        Ok(install)
    }

    /// Gives up an installation that runs. Its tokens end at once; the host counts as failed, because nobody knows what is
    /// on its disks.
    ///
    /// # Errors
    /// When it does not run, or the ledger fails.
    pub async fn cancel(&self, id: InstallId, actor: &str) -> Result<Install, CancelRefused> {
        let host = self
            .discovery()
            .with_installs(|installs| installs.by_id(id).map(|open| open.host))
            .ok_or(CancelRefused::NotRunning)?;
        let _turn = self.turn(host).await;
        let Some(install) = self.running(host).await?.filter(|install| install.id == id) else {
            return Err(CancelRefused::NotRunning);
        };
        let why = format!("cancelled by {actor} in stage {}", install.progress.stage.as_str());
        Ok(self.end(install, Outcome::Cancelled, None, &why, Some(actor)).await?)
    }

    /// Starts an installation of the same host once more, after one that failed or was cancelled.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn retry(&self, id: InstallId, typed: Option<String>, actor: &str) -> Result<Install, StartRefused> {
        let before = self.store().install(id).await.map_err(MoveRefused::from)?;
        let before = before.ok_or(StartRefused::Unknown)?;
        self.start(Start {
            host: before.host,
            typed,
            actor: actor.to_owned(),
        })
        .await
    }

    /// Looks at every installation that runs: who is silent is told of, and given up in the end. For a call every minute.
    pub async fn look(&self) {
        let now = self.now();
        let limits = self.inner.limits;
        let silent: Vec<_> = self.discovery().with_installs(|installs| {
            installs
                .iter()
                .filter_map(|open| Some((open.host, open.stuck_told, limits.look(&open.progress, now)?)))
                .collect()
        });
        for (host, told, stuck) in silent {
            let words = format!(
                "stuck in {} since {}; last evidence: {}",
                stuck.stage.as_str(),
                stuck.since.to_rfc3339(),
                stuck.evidence
            );
            if stuck.give_up {
                if let Err(error) = self.give_up(host, &words).await {
                    tracing::error!(%host, %error, "a silent installation could not be given up");
                }
            } else if !told {
                self.discovery().with_installs(|installs| {
                    if let Some(open) = installs.of_mut(host) {
                        open.stuck_told = true;
                    }
                });
                self.tell(
                    host,
                    EventKind::InstallStuck,
                    Level::Warn,
                    &[
                        ("stage", stuck.stage.as_str().to_owned()),
                        ("since", stuck.since.to_rfc3339()),
                        ("evidence", stuck.evidence),
                    ],
                );
            }
        }
    }

    async fn give_up(&self, host: HostId, words: &str) -> Result<(), StoreError> {
        let _turn = self.turn(host).await;
        if let Some(install) = self.running(host).await? {
            self.end(install, Outcome::Failed, Some(FailedBy::Silence), words, None)
                .await?;
        }
        Ok(())
    }
}
