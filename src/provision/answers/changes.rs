//! Before a profile, a distro or a setting is saved: whose answer files would change, and how.

use std::{sync::Arc, time::Duration};

use muster_facts::Facts;
use similar::TextDiff;

use super::{Answers, AnswersFault, booted::whole};
use crate::{
    desired::{Fault, HostPlan, Objects},
    inventory::{Host, HostId},
    provision::{HostDesired, install::AnswerContext},
    render::answer::Library,
};

/// Hosts whose files are compared for one question; the others are counted.
const MOST_HOSTS: usize = 500;
/// Hosts whose files are rendered in one piece of work.
const PIECE: usize = 16;
/// Two files are compared line by line for this long; then what is left is one difference.
const LONGEST_COMPARISON: Duration = Duration::from_millis(500);

/// The difference where only what is shown to nobody differs.
const SECRETS_DIFFER: &str = "(a secret differs, such as a password)\n";

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
    /// Whose answer files or boot lines would differ if `after` were in force instead of what is. Files are rendered and
    /// compared off the threads that answer machines, some at a time, and for few questions at once. What it gives holds
    /// values of hosts: for those who may change what is wanted.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn changes(&self, after: &Objects, base_url: &str) -> Result<Changes, AnswersFault> {
        let place = self.comparisons.place().await;
        let before = self.catalog.objects().await?;
        let affected = self.catalog.affected(after).await?.hosts;
        let context = Arc::new(AnswerContext::of_preview(base_url));
        let after = Arc::new(after.clone());
        let mut changes = Changes {
            not_looked_at: affected.len().saturating_sub(MOST_HOSTS),
            ..Changes::default()
        };
        let mut affected = affected.into_iter().take(MOST_HOSTS);
        loop {
            let some: Vec<(HostId, String)> = affected.by_ref().take(PIECE).collect();
            if some.is_empty() {
                return Ok(changes);
            }
            let mut hosts = Vec::with_capacity(some.len());
            for (host, label) in some {
                hosts.extend(
                    self.planned(host)
                        .await?
                        .map(|(planned, facts)| (label, planned, facts)),
                );
            }
            let count = hosts.len();
            let (library, context) = (Arc::clone(&self.library), Arc::clone(&context));
            let (before, after) = (Arc::clone(&before), Arc::clone(&after));
            let piece = move || -> Vec<Change> {
                let change = |(label, planned, facts): (String, Planned, Option<Facts>)| {
                    let host = planned.host.id;
                    let then = HostDesired::with(planned.host.clone(), planned.plan.clone(), &after);
                    let now = HostDesired::with(planned.host, planned.plan, &before);
                    compared(&library, label, host, (now, then), facts.as_ref(), &context)
                };
                hosts.into_iter().filter_map(change).collect()
            };
            match place.run(piece).await {
                Ok(found) => changes.hosts.extend(found),
                // The log says why; these are as if they had not been looked at.
                Err(_) => changes.not_looked_at += count,
            }
        }
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
        let (before, then) = (before.unwrap_or_default().shown(), then.shown());
        if before == then {
            return SECRETS_DIFFER.to_owned();
        }
        TextDiff::configure()
            .timeout(LONGEST_COMPARISON)
            .diff_lines(&before, &then)
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
