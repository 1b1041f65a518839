//! Before a profile, a distro or a setting is saved: whose answer files would change, and how.

use similar::TextDiff;

use muster_facts::Facts;

use super::{Answers, AnswersFault, booted::whole};
use crate::{
    desired::{Fault, HostPlan, Objects},
    inventory::{Host, HostId},
    provision::{HostDesired, install::AnswerContext},
    render::answer::Library,
};

/// Hosts whose files are compared for one question; the others are counted.
const MOST_HOSTS: usize = 500;

/// A host whose answer file or boot line would change, or that has no file then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub host: HostId,
    /// What people call it.
    pub label: String,
    /// The difference in the unified format, without secrets; or why there would be no file.
    pub difference: Result<String, String>,
    /// There is no file now either, for the same reason.
    pub as_now: bool,
}

/// What a change would do to answer files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Hosts whose file would change or that would have none, of those looked at.
    pub hosts: Vec<Change>,
    /// Hosts whose values would change and whose files were not looked at, for their number.
    pub not_looked_at: usize,
}

impl Answers {
    /// Whose answer files or boot lines would differ if `after` were in force instead of what is.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn changes(&self, after: &Objects, base_url: &str) -> Result<Changes, AnswersFault> {
        let before = self.catalog.objects().await?;
        let affected = self.catalog.affected(after).await?.hosts;
        let context = AnswerContext::of_preview(base_url);
        let mut changes = Changes {
            not_looked_at: affected.len().saturating_sub(MOST_HOSTS),
            ..Changes::default()
        };
        for (host, label) in affected.into_iter().take(MOST_HOSTS) {
            let Some((now, facts)) = self.planned(host).await? else {
                continue;
            };
            let then = HostDesired::with(now.host.clone(), now.plan.clone(), after);
            let now = HostDesired::with(now.host, now.plan, &before);
            changes.hosts.extend(compared(
                &self.library,
                label,
                host,
                (now, then),
                facts.as_ref(),
                &context,
            ));
        }
        Ok(changes)
    }

    /// How one host's files would differ if this were wanted of it.
    ///
    /// # Errors
    /// [`AnswersFault::Unknown`] when there is no such host; or when the ledger cannot be read.
    pub async fn changes_of_host(&self, plan: HostPlan, base_url: &str) -> Result<Changes, AnswersFault> {
        let objects = self.catalog.objects().await?;
        let (now, facts) = self.planned(plan.host).await?.ok_or(AnswersFault::Unknown)?;
        let label = now.host.name.clone().unwrap_or_else(|| now.host.id.to_string());
        let context = AnswerContext::of_preview(base_url);
        let host = plan.host;
        let then = HostDesired::with(now.host.clone(), plan, &objects);
        let now = HostDesired::with(now.host, now.plan, &objects);
        let change = compared(&self.library, label, host, (now, then), facts.as_ref(), &context);
        Ok(Changes {
            hosts: change.into_iter().collect(),
            not_looked_at: 0,
        })
    }

    /// A host with its plan, whether that can be carried out or not, and what it last said of itself.
    async fn planned(&self, id: HostId) -> Result<Option<(Planned, Option<Facts>)>, AnswersFault> {
        let Some(host) = self.store.host(id).await? else {
            return Ok(None);
        };
        let plan = self.store.plan(id).await?;
        let newest = self.store.facts(id).await?.into_iter().max_by_key(|set| set.at);
        Ok(Some((Planned { host, plan }, newest.map(|set| set.facts))))
    }
}

/// A host with its plan.
struct Planned {
    host: Host,
    plan: HostPlan,
}

/// What differs for one host between two wishes; nothing when all stays as it is and there is a file.
fn compared(
    library: &Library,
    label: String,
    host: HostId,
    (now, then): (Result<HostDesired, Fault>, Result<HostDesired, Fault>),
    facts: Option<&Facts>,
    context: &AnswerContext,
) -> Option<Change> {
    let installed =
        |desired: &Result<HostDesired, Fault>| desired.as_ref().map_or(true, |desired| desired.plan.profile.is_some());
    // Who is not to be installed has no file, and need not be told.
    if !installed(&now) && !installed(&then) {
        return None;
    }
    let file = |desired: Result<HostDesired, Fault>| {
        let desired = desired.map_err(|fault| fault.to_string())?;
        whole(library, &desired, facts, context).map_err(|fault| fault.to_string())
    };
    let (before, then) = (file(now), file(then));
    let as_now = before == then;
    if as_now && then.is_ok() {
        return None;
    }
    let difference = then.map(|then| {
        let before = before.unwrap_or_default();
        TextDiff::from_lines(&before, &then)
            .unified_diff()
            .context_radius(2)
            .header("now", "then")
            .to_string()
    });
    Some(Change {
        host,
        label,
        difference,
        as_now,
    })
}
