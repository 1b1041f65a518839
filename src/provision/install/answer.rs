//! One-time secrets of an installer: what it is given, and to whom.

use std::net::IpAddr;

use sha2::{Digest, Sha256};
use tokio::sync::MutexGuard;

use super::{AgentOffer, AnswerContext, Installs, MadeAnswer, PlanFault, script::host_of};
use crate::{
    auth::Secret,
    boot::{EventKind, Level},
    install::{Evidence, FailedBy, InstallId, Outcome, Packages, Secrets, Stage, TokenOf, redact},
    inventory::HostId,
    store::{Install, StoreError},
};

/// Why a token opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum AnswerRefused {
    /// Nobody was given it.
    #[error("this token is not known")]
    Unknown,
    /// It belongs to an earlier start, or the installation has ended.
    #[error("this token is of an earlier start of the installer, or of an installation that has ended")]
    Old,
    /// It is for something else.
    #[error("this token is for something else")]
    Other,
    /// It was made for another machine.
    #[error("this token was made for another machine")]
    Elsewhere,
    /// The installer has ended.
    #[error("the installer has ended")]
    Over,
    /// It was used.
    #[error("this token was used already")]
    Used,
    /// What an agent proposes as its credential is none.
    #[error(
        "this is no credential: send {{\"credential\": \"muster_agent_…\"}} with 43 to 128 random letters, digits, `-` or `_` \
         after the prefix, or nothing to get one"
    )]
    NoCredential,
    /// What an agent proposes as its credential was one before.
    #[error("this credential was used before; propose a new one")]
    CredentialKnown,
    /// The answer file cannot be made.
    #[error("the answer file cannot be made; the installation says why")]
    NotMade,
    /// The ledger failed.
    #[error("the ledger failed")]
    Store(#[from] StoreError),
}

impl AnswerRefused {
    /// The word of event parameter `why`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unknown => "token_unknown",
            Self::Old => "token_old",
            Self::Other => "token_other",
            Self::Elsewhere => "other_address",
            Self::Over => "stage_over",
            Self::Used => "token_used",
            Self::NoCredential => "credential_malformed",
            Self::CredentialKnown => "credential_known",
            Self::NotMade => "not_made",
            Self::Store(_) => "not_kept",
        }
    }
}

/// Which of an installation's tokens is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Answer,
    Stage,
    Enrol,
}

impl Installs {
    /// The answer file of the installation that `token` was made for, to its own machine, while its installer runs.
    /// Installers ask more than once. Each time is an event.
    ///
    /// # Errors
    /// When the token gives no right now, or the file cannot be made.
    pub async fn answer(&self, token: &str, client: IpAddr, asked_host: &str) -> Result<String, AnswerRefused> {
        let (install, _turn) = self.admitted(token, client, Purpose::Answer).await?;
        let secrets = Secrets::of(token);
        self.give(install, &secrets, client, asked_host).await
    }

    /// The same by the machine's own address, as Cobbler's templates and loaders ask. Its tokens are new: those of the
    /// boot script end.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub async fn answer_by_address(&self, name: &str, client: IpAddr, base: &str) -> Result<String, AnswerRefused> {
        let (mut install, _turn) = self.at_own_address(name, client, Stage::is_installers).await?;
        let secrets = Secrets::of(Secret::random().reveal());
        install.hashes = Some(secrets.hashes());
        self.give(install, &secrets, client, base).await
    }

    /// A stage by the machine's own address.
    ///
    /// # Errors
    /// As [`Self::stage`].
    pub async fn stage_by_address(&self, name: &str, client: IpAddr, word: &str) -> Result<(), AnswerRefused> {
        let (install, _turn) = self
            .at_own_address(name, client, |stage| stage >= Stage::Loader)
            .await?;
        Ok(self.told(install, word, "", None).await?)
    }

    /// [`Self::own_address`] with the installation and its turn: judged once more when the turn has come.
    async fn at_own_address(
        &self,
        name: &str,
        client: IpAddr,
        when: fn(Stage) -> bool,
    ) -> Result<(Install, MutexGuard<'_, ()>), AnswerRefused> {
        loop {
            let host = self.own_address(name, client, when)?;
            let turn = self.turn(host).await;
            if self.own_address(name, client, when)? == host {
                return match self.running(host).await? {
                    Some(install) => Ok((install, turn)),
                    None => Err(self.refuse(host, client, AnswerRefused::Old)),
                };
            }
        }
    }

    /// The host at an address, when it is the one of that name and its installation is where `when` says.
    fn own_address(&self, name: &str, client: IpAddr, when: fn(Stage) -> bool) -> Result<HostId, AnswerRefused> {
        let host = self.host_at(client).ok_or(AnswerRefused::Unknown)?;
        let stage = self
            .discovery()
            .with_installs(|installs| installs.of(host).map(|open| open.progress.stage))
            .ok_or(AnswerRefused::Unknown)?;
        let known = self.discovery().host(host).and_then(|host| host.name);
        let named = known.is_none_or(|known| known.eq_ignore_ascii_case(name))
            || self.discovery().macs_of(host).iter().any(|mac| mac.to_string() == name);
        if !named {
            return Err(self.refuse(host, client, AnswerRefused::Elsewhere));
        }
        if !when(stage) {
            return Err(self.refuse(host, client, AnswerRefused::Over));
        }
        Ok(host)
    }

    /// Renders, keeps what may be kept, and tells of it. The caller has the installation's turn.
    async fn give(
        &self,
        mut install: Install,
        secrets: &Secrets,
        client: IpAddr,
        asked_host: &str,
    ) -> Result<String, AnswerRefused> {
        let host = install.host;
        let context = self.answer_context(install.id, secrets, self.base(asked_host));
        let made = self.inner.plans.answer(host, &context).await;
        let MadeAnswer { file, plan } = match made.and_then(|made| of_what_was_started(made, &install)) {
            Ok(made) => made,
            Err(fault) => {
                let why = format!("the answer file could not be made: {fault}");
                self.end(install, Outcome::Failed, Some(FailedBy::Answer), &why, None)
                    .await?;
                return Err(self.refuse(host, client, AnswerRefused::NotMade));
            }
        };
        let hidden = secrets
            .texts()
            .into_iter()
            .chain(file.secrets.iter().map(String::as_str));
        install.snapshot = Some(redact(&file.text, hidden));
        // Whoever changes a plan while it is carried out is not stopped: what is compared in the end is what this file was
        // made from, and its addresses are the machine's own.
        install.planned = plan.planned;
        install.agent = plan.agent;
        // Anaconda asks before it says anything else; to ask is to have started.
        if install.progress.stage < Stage::Installer {
            let evidence = Evidence::new(Stage::Installer, format!("{client} asks for the answer file"));
            self.advance(&mut install, &evidence, "answer").await?;
        }
        let evidence = Evidence::new(Stage::Answer, format!("the answer file was given to {client}"));
        self.advance(&mut install, &evidence, "answer").await?;
        self.tell(
            host,
            EventKind::AnswerServed,
            Level::Info,
            &[("client", client.to_string())],
        );
        Ok(file.text)
    }

    /// What the answer file of a start of the installer is rendered with.
    pub(super) fn answer_context(&self, id: InstallId, secrets: &Secrets, base: String) -> AnswerContext {
        AnswerContext {
            id,
            answer_url: format!("{base}/boot/answer/{}", secrets.answer),
            stage_url: format!("{base}/boot/stage/{}", secrets.stage),
            enrol_url: format!("{base}/boot/enrol"),
            token: secrets.enrol.clone(),
            agents: self.agents(&base),
            syslog: self.inner.syslog.map(|port| (host_of(&base).to_owned(), port)),
            base_url: base,
        }
    }

    /// The agent's programs, by addresses below `base`.
    fn agents(&self, base: &str) -> Vec<AgentOffer> {
        ["x86_64", "aarch64"]
            .into_iter()
            .filter_map(|architecture| {
                let program = self.discovery().agent_program(architecture)?;
                Some(AgentOffer {
                    architecture,
                    url: format!("{base}{}", program.path),
                    sha256: program.sha256.to_string(),
                })
            })
            .collect()
    }

    /// The machine that `token` was made for says where it is.
    ///
    /// # Errors
    /// When the token gives no right now, or the ledger fails.
    pub async fn stage(
        &self,
        token: &str,
        client: IpAddr,
        word: &str,
        message: &str,
        packages: Option<Packages>,
    ) -> Result<(), AnswerRefused> {
        let (install, _turn) = self.admitted(token, client, Purpose::Stage).await?;
        Ok(self.told(install, word, message, packages).await?)
    }

    /// The running installation that a token opens something for, with its turn. While others had the turn the token may
    /// have ended, or the installation come further: it is judged once more when the turn has come.
    pub(super) async fn admitted(
        &self,
        token: &str,
        client: IpAddr,
        purpose: Purpose,
    ) -> Result<(Install, MutexGuard<'_, ()>), AnswerRefused> {
        loop {
            let host = self.admit(token, client, purpose)?;
            let turn = self.turn(host).await;
            // Another host when this one turned out to be it meanwhile.
            if self.admit(token, client, purpose)? == host {
                return match self.running(host).await? {
                    Some(install) => Ok((install, turn)),
                    None => Err(self.refuse(host, client, AnswerRefused::Old)),
                };
            }
        }
    }

    /// The host a token opens something for, asked from `client` now. A refusal of a token that was once good is told in
    /// the host's transcript.
    fn admit(&self, token: &str, client: IpAddr, purpose: Purpose) -> Result<HostId, AnswerRefused> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let (of, open) = self.discovery().with_installs(|installs| {
            let of = installs.token(&hash);
            let open = match of {
                TokenOf::Good(host) => installs.of(host).cloned(),
                _ => None,
            };
            (of, open)
        });
        let host = match of {
            TokenOf::Good(host) => host,
            TokenOf::Old(host) => return Err(self.refuse(host, client, AnswerRefused::Old)),
            TokenOf::Unknown => return Err(AnswerRefused::Unknown),
        };
        let Some((open, hashes)) = open.and_then(|open| open.hashes.map(|hashes| (open, hashes))) else {
            return Err(self.refuse(host, client, AnswerRefused::Old));
        };
        let meant = match purpose {
            Purpose::Answer => hashes.answer,
            Purpose::Stage => hashes.stage,
            Purpose::Enrol => hashes.enrol,
        };
        if meant != hash {
            return Err(self.refuse(host, client, AnswerRefused::Other));
        }
        // Whoever has the address by a lease is the machine; where nobody does, whoever asked for the boot script. The
        // address that was planned for it is its own, whoever had it by a lease before.
        let own = match self.discovery().host_of_address(client) {
            Some(there) => there == host,
            None => open.client == Some(client),
        };
        if !own && !open.addresses.contains(&client) {
            return Err(self.refuse(host, client, AnswerRefused::Elsewhere));
        }
        let stage = open.progress.stage;
        let now = match purpose {
            Purpose::Answer => stage.is_installers(),
            Purpose::Stage => stage >= Stage::Loader,
            Purpose::Enrol => stage.may_have_written(),
        };
        if !now {
            return Err(self.refuse(host, client, AnswerRefused::Over));
        }
        Ok(host)
    }

    /// Records a refusal; who asks again and again is recorded once a minute, with the number.
    pub(super) fn refuse(&self, host: HostId, client: IpAddr, why: AnswerRefused) -> AnswerRefused {
        let (word, client) = (why.word(), client.to_string());
        if let Some(times) = self.inner.refused.note(host, word, &client, self.now()) {
            self.tell_refused(host, word, &client, times);
        }
        why
    }

    pub(super) fn tell_refused(&self, host: HostId, why: &str, client: &str, times: u32) {
        let mut params = vec![("client", client.to_owned()), ("why", why.to_owned())];
        params.extend((times > 1).then(|| ("times", times.to_string())));
        self.tell(host, EventKind::AnswerRefused, Level::Warn, &params);
    }
}

/// An answer file is for the installer that runs: another distro's leads it nowhere.
fn of_what_was_started(made: MadeAnswer, install: &Install) -> Result<MadeAnswer, PlanFault> {
    if made.plan.distro == install.distro && made.plan.profile == install.profile {
        return Ok(made);
    }
    Err(PlanFault(format!(
        "the installer of {} as {} was started, and by now the host is to be {} as {}; install it again",
        install.distro, install.profile, made.plan.distro, made.plan.profile
    )))
}
