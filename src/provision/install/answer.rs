//! One-time secrets: what an installer and an installed system's agent are given, and to whom.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::{AgentOffer, AnswerContext, Installs, script::host_of};
use crate::{
    auth::Secret,
    boot::{EventKind, Level},
    install::{Evidence, FailedBy, InstallId, Outcome, Packages, Secrets, Stage, TokenOf, redact},
    inventory::HostId,
    store::{AgentCredential, Install, StoreError, Write},
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
            Self::NotMade => "not_made",
            Self::Store(_) => "not_kept",
        }
    }
}

/// What an agent gets when it is enrolled.
pub struct Enrolled {
    /// The host it is on.
    pub host: HostId,
    /// Its credential, shown once.
    pub credential: Secret,
}

/// Which of an installation's tokens is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
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
        let host = self.admit(token, client, Purpose::Answer)?;
        let _turn = self.turn(host).await;
        let Some(install) = self.running(host).await? else {
            return Err(self.refuse(host, client, AnswerRefused::Old));
        };
        let secrets = Secrets::of(token);
        self.give(install, &secrets, client, asked_host).await
    }

    /// The same by the machine's own address, as Cobbler's templates and loaders ask. Its tokens are new: those of the
    /// boot script end.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub async fn answer_by_address(&self, name: &str, client: IpAddr, base: &str) -> Result<String, AnswerRefused> {
        let host = self.own_address(name, client, Stage::is_installers)?;
        let _turn = self.turn(host).await;
        let Some(mut install) = self.running(host).await? else {
            return Err(self.refuse(host, client, AnswerRefused::Old));
        };
        let secrets = Secrets::of(Secret::random().reveal());
        install.hashes = Some(secrets.hashes());
        self.give(install, &secrets, client, base).await
    }

    /// A stage by the machine's own address.
    ///
    /// # Errors
    /// As [`Self::stage`].
    pub async fn stage_by_address(&self, name: &str, client: IpAddr, word: &str) -> Result<(), AnswerRefused> {
        let host = self.own_address(name, client, |stage| stage >= Stage::Loader)?;
        Ok(self.told(host, word, "", None).await?)
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
        let file = match self.inner.plans.answer(host, &context).await {
            Ok(file) => file,
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
        let host = self.admit(token, client, Purpose::Stage)?;
        Ok(self.told(host, word, message, packages).await?)
    }

    /// Gives the agent of an installed system its credential, once. Only its hash is kept, in the same commit in which the
    /// installation moves on; what the host's agent was known by before ends with it.
    ///
    /// # Errors
    /// When the token gives no right now, or was used.
    pub async fn enrol(&self, token: &str, client: IpAddr) -> Result<Enrolled, AnswerRefused> {
        let host = self.admit(token, client, Purpose::Enrol)?;
        let _turn = self.turn(host).await;
        let Some(mut install) = self.running(host).await? else {
            return Err(self.refuse(host, client, AnswerRefused::Old));
        };
        if install.progress.stage >= Stage::AgentEnrolled {
            return Err(self.refuse(host, client, AnswerRefused::Used));
        }
        if install.progress.stage < Stage::FirstBoot {
            let evidence = Evidence::new(
                Stage::FirstBoot,
                format!("the installed system runs at {client}: its agent asks"),
            );
            self.advance(&mut install, &evidence, "agent").await?;
        }
        let credential = Secret::random_with_prefix("muster_agent_");
        let evidence = Evidence::new(
            Stage::AgentEnrolled,
            format!("the agent at {client} got its credential"),
        );
        let kept = Write::AgentEnrolled(AgentCredential {
            hash: credential.hash(),
            host,
            created_at: self.now(),
            last_used_at: None,
            revoked_at: None,
            revoked_by: None,
        });
        self.advance_with(&mut install, &evidence, "agent", vec![kept]).await?;
        self.tell(
            host,
            EventKind::AgentEnrolled,
            Level::Info,
            &[("client", client.to_string())],
        );
        Ok(Enrolled { host, credential })
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

    pub(super) fn refuse(&self, host: HostId, client: IpAddr, why: AnswerRefused) -> AnswerRefused {
        self.tell(
            host,
            EventKind::AnswerRefused,
            Level::Warn,
            &[("client", client.to_string()), ("why", why.word().to_owned())],
        );
        why
    }
}
