//! An installation is started, cancelled or tried again by a person.

use super::{AnswerContext, Installs, plan::PlanFault};
use crate::{
    boot::{EventKind, Level},
    discovery::MoveRefused,
    install::{Evidence, InstallId, Outcome, Progress, Stage},
    inventory::{Host, HostId, State, identity::is_junk_serial, lifecycle::Cause, new_id},
    store::{Install, StoreError, Write},
};

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Which host.
    pub host: HostId,
    /// The word by which the host goes, typed: asked for where a running system would be overwritten.
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
    /// There may be a system on its disks.
    #[error("type `{0}`, by which the host goes, to have it installed and lose what is on its disks")]
    TypeName(String),
    /// The plan cannot be read.
    #[error("it cannot be installed as planned: {0}")]
    Plan(#[from] PlanFault),
    /// Another server of the ledger was quicker.
    #[error("an installation of this host is running already; wait for its end, or cancel it first")]
    Running,
    /// Its life has no installation now.
    #[error(transparent)]
    Move(MoveRefused),
}

impl From<MoveRefused> for StartRefused {
    fn from(refused: MoveRefused) -> Self {
        match refused {
            MoveRefused::NotKept(StoreError::InstallRuns(_)) => Self::Running,
            refused => Self::Move(refused),
        }
    }
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
    /// When the host has no plan, a word has to be typed ([`Self::name_to_type`]) and was not, or it cannot be installed
    /// from where it is.
    pub async fn start(&self, asked: Start) -> Result<Install, StartRefused> {
        // Whoever asked may hang up: what was committed has to be known in memory all the same.
        let own = self.clone();
        match tokio::spawn(async move { own.begin(asked).await }).await {
            Ok(started) => started,
            Err(_) => Err(MoveRefused::from(StoreError::Closed).into()),
        }
    }

    async fn begin(&self, asked: Start) -> Result<Install, StartRefused> {
        // What it is judged by is read when nobody else can change it.
        let _turn = self.turn(asked.host).await;
        let host = self.discovery().host(asked.host).ok_or(StartRefused::Unknown)?;
        let plan = self.inner.plans.plan(host.id).await?.ok_or(StartRefused::NoPlan)?;
        // A broken template is told here, before anything happens to the machine.
        let preview = AnswerContext::of_preview(&self.base(""));
        self.inner.plans.answer(host.id, &preview).await?;
        // A name that is typed has to be right wherever it is typed.
        let typed = asked.typed.as_deref().map(str::trim).filter(|typed| !typed.is_empty());
        let asked_for = self.name_to_type(&host).await.map_err(MoveRefused::from)?;
        let wrong = match typed {
            Some(typed) => (!self.means(typed, &host)).then(|| self.word_of(&host)),
            None => asked_for,
        };
        if let Some(name) = wrong {
            return Err(StartRefused::TypeName(name));
        }
        // Giving it a profile is the catalogue's to do; a host that has a plan and never was told of it is told now.
        let causes: &[Cause] = match host.state {
            State::Discovered | State::Inventoried => &[Cause::ProfileGiven, Cause::InstallStarted],
            _ => &[Cause::InstallStarted],
        };
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
            .move_host_by(host.id, causes, Some(asked.actor.clone()), |_| {
                vec![Write::Install(Box::new(kept)), line]
            })
            .await?;
        self.discovery().with_installs(|installs| installs.put(install.open()));
        self.tell(host.id, EventKind::InstallStarted, Level::Info, &[("by", asked.actor)]);
        Ok(install)
    }

    /// What a person types to mean this host: its name, else what is written on the machine, its serial number or a MAC. Only
    /// where neither is known it is its id.
    fn word_of(&self, host: &Host) -> String {
        let serial = || host.summary.serial.clone().filter(|serial| !is_junk_serial(serial));
        let mac = || self.discovery().macs_of(host.id).first().map(ToString::to_string);
        let word = host.name.clone().or_else(serial).or_else(mac);
        word.unwrap_or_else(|| host.id.to_string())
    }

    /// Whether what was typed means this host. A name has to be the very one; a machine without is known by its serial number
    /// and each of its MACs too, however they are written.
    fn means(&self, typed: &str, host: &Host) -> bool {
        if let Some(name) = &host.name {
            return typed == name;
        }
        let mac = typed.parse().ok();
        typed.eq_ignore_ascii_case(&self.word_of(host))
            || typed == host.id.to_string()
            || mac.is_some_and(|mac| self.discovery().macs_of(host.id).contains(&mac))
    }

    /// The word that has to be typed before a host is installed, where there may be a system or half of one on its disks:
    /// it is in service, or an installation of it came as far as its answer file, whatever became of that one. So a
    /// reinstallation that was cancelled asks again when it is tried again.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn name_to_type(&self, host: &Host) -> Result<Option<String>, StoreError> {
        let overwrites = host.state == State::Active
            || self.store().may_have_been_written(host.id).await?
            || !self.store().agent_credentials(Some(host.id), 1).await?.is_empty();
        Ok(overwrites.then(|| self.word_of(host)))
    }

    /// Gives up an installation that runs. Its tokens end at once; the host counts as failed, because nobody knows what is
    /// on its disks.
    ///
    /// # Errors
    /// When it does not run, or the ledger fails.
    pub async fn cancel(&self, id: InstallId, actor: &str) -> Result<Install, CancelRefused> {
        // As a start: one that is cancelled in the ledger alone would go on to wipe a disk.
        let (own, actor) = (self.clone(), actor.to_owned());
        match tokio::spawn(async move { own.cancel_whole(id, &actor).await }).await {
            Ok(cancelled) => cancelled,
            Err(_) => Err(StoreError::Closed.into()),
        }
    }

    async fn cancel_whole(&self, id: InstallId, actor: &str) -> Result<Install, CancelRefused> {
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

    /// Starts an installation of the same host once more, after one that failed or was cancelled. What a first start asks
    /// for is asked for here too.
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
}
