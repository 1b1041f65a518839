//! Answer files of hosts, from the ledger as it is now: for installers, and for a person who wants to see what would be
//! installed before a machine boots.

mod booted;
mod changes;
mod every;
mod input;
mod preview;

use std::sync::Arc;

use muster_facts::Facts;

pub use changes::{Change, Changes};
pub use every::{Every, EveryFault, Rendered};
pub use preview::{Preview, PreviewLine};

use self::input::Installation;
use super::{
    Catalog, CatalogFault, HostDesired,
    install::{AnswerContext, AnswerFile, InstallPlan, Later, MadeAnswer, PlanFault, Plans},
    long_work::LongWork,
};
use crate::{
    desired::Fault,
    inventory::HostId,
    render::answer::{Answer, AnswerFault, Library, PlainAnswer, render_answer, render_plain},
    store::{Store, StoreError},
};

/// Why there is no answer file.
#[derive(Debug, thiserror::Error)]
pub enum AnswersFault {
    /// There is no such host.
    #[error("there is no such host")]
    Unknown,
    /// What is wanted does not fit the host.
    #[error(transparent)]
    Wanted(#[from] Fault),
    /// The template.
    #[error(transparent)]
    Template(#[from] AnswerFault),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] StoreError),
}

impl From<CatalogFault> for AnswersFault {
    fn from(fault: CatalogFault) -> Self {
        match fault {
            CatalogFault::Refused(fault) => Self::Wanted(fault),
            CatalogFault::Ledger(error) => Self::Ledger(error),
        }
    }
}

/// Plans and answer files of hosts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Answers {
    catalog: Catalog,
    library: Arc<Library>,
    store: Store,
    comparisons: LongWork,
}

impl Answers {
    /// Answer files from this ledger and these templates.
    #[must_use]
    pub fn new(store: Store, catalog: Catalog, library: Arc<Library>) -> Self {
        Self {
            catalog,
            library,
            store,
            comparisons: LongWork::default(),
        }
    }

    /// What is wanted of hosts.
    #[must_use]
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The templates.
    #[must_use]
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// Renders a host's answer file, with its secrets; and the plan, of the same values.
    async fn made(&self, host: HostId, context: &AnswerContext) -> Result<MadeAnswer, AnswersFault> {
        let (desired, facts) = self.host(host).await?;
        let plan = Installation::of(&desired, facts.as_ref())?.plan()?;
        let answer = plain(&self.library, &desired, facts.as_ref(), context)?;
        let file = AnswerFile {
            text: answer.text,
            secrets: answer.secrets,
        };
        Ok(MadeAnswer { file, plan })
    }

    /// A host, what is wanted of it, and what it last said of itself.
    async fn host(&self, host: HostId) -> Result<(HostDesired, Option<Facts>), AnswersFault> {
        let desired = self.catalog.host(host).await?.ok_or(AnswersFault::Unknown)?;
        let facts = self.store.facts(host).await?;
        let newest = facts.into_iter().max_by_key(|set| set.at).map(|set| set.facts);
        Ok((desired, newest))
    }
}

/// One host's answer file from what is known of it.
fn render(
    library: &Library,
    desired: &HostDesired,
    facts: Option<&Facts>,
    context: &AnswerContext,
) -> Result<Answer, AnswersFault> {
    let installation = Installation::of(desired, facts)?;
    let input = installation.answer_input(context);
    Ok(render_answer(library, installation.template()?, &input)?)
}

/// The same without where its lines and values come from.
fn plain(
    library: &Library,
    desired: &HostDesired,
    facts: Option<&Facts>,
    context: &AnswerContext,
) -> Result<PlainAnswer, AnswersFault> {
    let installation = Installation::of(desired, facts)?;
    let input = installation.answer_input(context);
    Ok(render_plain(library, installation.template()?, input)?)
}

impl Plans for Answers {
    fn plan(&self, host: HostId) -> Later<'_, Result<Option<InstallPlan>, PlanFault>> {
        Box::pin(async move {
            let (desired, facts) = match self.host(host).await {
                Ok(found) => found,
                Err(AnswersFault::Unknown) => return Ok(None),
                Err(fault) => return Err(PlanFault(fault.to_string())),
            };
            if desired.plan.profile.is_none() {
                return Ok(None);
            }
            if let Some(distro) = &desired.distro {
                let whole = self.catalog.tree_is_whole(distro).await;
                whole.map_err(|fault| PlanFault(format!("distro {}: {fault}", distro.name)))?;
            }
            Installation::of(&desired, facts.as_ref())
                .and_then(|installation| installation.plan())
                .map(Some)
                .map_err(|fault| PlanFault(fault.to_string()))
        })
    }

    fn answer<'a>(&'a self, host: HostId, context: &'a AnswerContext) -> Later<'a, Result<MadeAnswer, PlanFault>> {
        Box::pin(async move {
            self.made(host, context)
                .await
                .map_err(|fault| PlanFault(fault.to_string()))
        })
    }
}
