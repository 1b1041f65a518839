//! What an installation has to be told by whoever knows plans and templates.

use std::{collections::HashMap, fmt, future::Future, pin::Pin, sync::Mutex};

use muster_facts::MacAddr;
use uuid::Uuid;

use crate::{
    desired::Family,
    install::{InstallId, KernelOption, Planned, Target},
    inventory::HostId,
};

/// Stands where the one-time token of an installation will be.
const PREVIEW_TOKEN: &str = "one-time-token";

/// How one host is to be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallPlan {
    /// The profile.
    pub profile: String,
    /// The distribution.
    pub distro: String,
    /// Which installer.
    pub family: Family,
    /// The answer file is a kickstart, whichever installer reads it.
    pub kickstart: bool,
    /// First number of the version; 0 when it is not known.
    pub major: u32,
    /// Code name of the release.
    pub codename: Option<String>,
    /// Where the installer's kernel is: a URL, or a path below ours such as `/boot/tree/rocky-9/images/vmlinuz`.
    pub kernel: String,
    /// Where its initrds are, in the same way.
    pub initrds: Vec<String>,
    /// Where the installation tree is, in the same way.
    pub tree: Option<String>,
    /// The host's name.
    pub hostname: Option<String>,
    /// The host's domain.
    pub domain: Option<String>,
    /// Its name servers.
    pub name_servers: Vec<String>,
    /// The locale, such as `en_US.UTF-8`.
    pub locale: String,
    /// The keyboard layout.
    pub keyboard: String,
    /// Options for the installer's kernel.
    pub kernel_options: Vec<KernelOption>,
    /// False: anew at every boot before the installer has ended.
    pub once: bool,
    /// The installed system gets an agent.
    pub agent: bool,
    /// What is compared in the end.
    pub planned: Planned,
}

impl InstallPlan {
    /// What its installer is told on the kernel's command line, when it finds answer file and tree at these addresses.
    #[must_use]
    pub fn target<'a>(
        &'a self,
        answer_url: &'a str,
        tree_url: Option<&'a str>,
        mac: MacAddr,
        syslog: Option<(&'a str, u16)>,
    ) -> Target<'a> {
        Target {
            family: self.family,
            kickstart: self.kickstart,
            major: self.major,
            codename: self.codename.as_deref(),
            answer_url,
            tree_url,
            mac,
            hostname: self.hostname.as_deref(),
            domain: self.domain.as_deref(),
            name_servers: &self.name_servers,
            locale: &self.locale,
            keyboard: &self.keyboard,
            syslog,
            options: &self.kernel_options,
        }
    }
}

/// The agent's program for one architecture, as an installed system fetches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentOffer {
    /// As `uname -m` says.
    pub architecture: &'static str,
    /// Where.
    pub url: String,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// What an answer file is rendered with beside the host's own values. Its addresses and token are secrets.
#[derive(Clone)]
pub struct AnswerContext {
    /// Which installation.
    pub id: InstallId,
    /// `http://address:port` by which the machine reaches us.
    pub base_url: String,
    /// Where the answer file is.
    pub answer_url: String,
    /// Where stages are told.
    pub stage_url: String,
    /// Where the agent is enrolled.
    pub enrol_url: String,
    /// By which the agent is enrolled, once.
    pub token: String,
    /// The agent's programs that this server gives.
    pub agents: Vec<AgentOffer>,
    /// Where the installer's log is sent, when it is listened to: address and port.
    pub syslog: Option<(String, u16)>,
}

impl AnswerContext {
    /// For showing a file: its tokens are none.
    #[must_use]
    pub fn of_preview(base_url: &str) -> Self {
        Self {
            id: InstallId(Uuid::nil()),
            base_url: base_url.to_owned(),
            answer_url: format!("{base_url}/boot/answer/{PREVIEW_TOKEN}"),
            stage_url: format!("{base_url}/boot/stage/{PREVIEW_TOKEN}"),
            enrol_url: format!("{base_url}/boot/enrol"),
            token: PREVIEW_TOKEN.to_owned(),
            agents: Vec::new(),
            syslog: None,
        }
    }
}

impl fmt::Debug for AnswerContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerContext")
            .field("id", &self.id)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// A rendered answer file.
#[derive(Clone, PartialEq, Eq)]
pub struct AnswerFile {
    /// What the installer reads.
    pub text: String,
    /// Secret values that are in it, to be taken out of what is kept.
    pub secrets: Vec<String>,
}

impl fmt::Debug for AnswerFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnswerFile({} bytes)", self.text.len())
    }
}

/// An answer file beside the plan that it was made from.
#[derive(Debug)]
pub struct MadeAnswer {
    /// The file.
    pub file: AnswerFile,
    /// The plan. Whether its tree is whole is not looked at for it.
    pub plan: InstallPlan,
}

/// Why there is no plan or no answer file, in plain words for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlanFault(pub String);

/// A value that comes later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Knows what is planned for a host and writes its answer file.
pub trait Plans: Send + Sync + fmt::Debug {
    /// The plan of a host; none when it has no profile.
    fn plan(&self, host: HostId) -> Later<'_, Result<Option<InstallPlan>, PlanFault>>;

    /// The answer file of a host as of now, with the plan that it was made from: what is planned may be changed between two
    /// questions.
    fn answer<'a>(&'a self, host: HostId, context: &'a AnswerContext) -> Later<'a, Result<MadeAnswer, PlanFault>>;
}

/// Plans given by values: nothing is looked up. For hosts whose plans come from elsewhere, and for tests.
#[derive(Debug, Default)]
pub struct GivenPlans(Mutex<HashMap<HostId, (InstallPlan, AnswerFile)>>);

impl GivenPlans {
    /// Gives a host its plan, and the text of its answer file. In the text `@stage_url@`, `@answer_url@`, `@enrol_url@`
    /// and `@token@` are replaced by the installation's own.
    pub fn give(&self, host: HostId, plan: InstallPlan, answer: AnswerFile) {
        let mut plans = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        plans.insert(host, (plan, answer));
    }

    fn of(&self, host: HostId) -> Option<(InstallPlan, AnswerFile)> {
        let plans = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        plans.get(&host).cloned()
    }
}

impl Plans for GivenPlans {
    fn plan(&self, host: HostId) -> Later<'_, Result<Option<InstallPlan>, PlanFault>> {
        let plan = self.of(host).map(|(plan, _)| plan);
        Box::pin(async move { Ok(plan) })
    }

    fn answer<'a>(&'a self, host: HostId, context: &'a AnswerContext) -> Later<'a, Result<MadeAnswer, PlanFault>> {
        let given = self.of(host);
        Box::pin(async move {
            let (plan, AnswerFile { mut text, secrets }) =
                given.ok_or_else(|| PlanFault("the host has no answer file".to_owned()))?;
            for (name, value) in [
                ("@stage_url@", &context.stage_url),
                ("@answer_url@", &context.answer_url),
                ("@enrol_url@", &context.enrol_url),
                ("@token@", &context.token),
            ] {
                text = text.replace(name, value);
            }
            Ok(MadeAnswer {
                file: AnswerFile { text, secrets },
                plan,
            })
        })
    }
}
