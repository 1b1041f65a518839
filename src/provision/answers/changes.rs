//! Before a profile, a distro or a setting is saved: whose answer files would change, and how.

use std::{sync::Arc, time::Duration};

use muster_facts::Facts;
use similar::TextDiff;

use super::{Answers, AnswersFault, plain};
use crate::{
    desired::Objects,
    install::redact,
    inventory::HostId,
    provision::{HostDesired, install::AnswerContext},
    render::answer::Library,
};

/// Hosts whose files are compared for one question; the others are counted.
const MOST_HOSTS: usize = 500;
/// Hosts whose files are rendered in one piece of work.
const PIECE: usize = 16;
/// Two files are compared line by line for this long; then what is left is one difference.
const LONGEST_COMPARISON: Duration = Duration::from_millis(500);

/// A host whose answer file would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub host: HostId,
    /// What people call it.
    pub label: String,
    /// The difference in the unified format, without secrets; or why there would be no file any more.
    pub difference: Result<String, String>,
}

/// What a change would do to answer files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Hosts whose file would change, of those looked at.
    pub hosts: Vec<Change>,
    /// Hosts whose values would change and whose files were not looked at, for their number.
    pub not_looked_at: usize,
}

impl Answers {
    /// Whose answer files would differ if `after` were in force instead of what is. Files are rendered and compared off the
    /// threads that answer machines, some at a time, and for few questions at once. What it gives holds values of hosts: for
    /// those who may change what is wanted.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn changes(&self, after: &Objects, base_url: &str) -> Result<Changes, AnswersFault> {
        let place = self.comparisons.place().await;
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
                match self.host(host).await {
                    Ok((now, facts)) => hosts.push((label, now, facts)),
                    Err(AnswersFault::Ledger(error)) => return Err(error.into()),
                    Err(_) => {}
                }
            }
            let (library, context, after) = (Arc::clone(&self.library), Arc::clone(&context), Arc::clone(&after));
            let piece = move || -> Vec<Change> {
                let change = |(label, now, facts): (String, HostDesired, Option<Facts>)| {
                    change(&library, &context, &after, label, &now, facts.as_ref())
                };
                hosts.into_iter().filter_map(change).collect()
            };
            match place.run(piece).await {
                Ok(found) => changes.hosts.extend(found),
                // The log says why; these are as if they had not been looked at.
                Err(_) => changes.not_looked_at += PIECE,
            }
        }
    }
}

/// How one host's file would change; none when it would not.
fn change(
    library: &Library,
    context: &AnswerContext,
    after: &Objects,
    label: String,
    now: &HostDesired,
    facts: Option<&Facts>,
) -> Option<Change> {
    let file = |desired: &HostDesired| {
        plain(library, desired, facts, context)
            .map(|answer| redact(&answer.text, answer.secrets.iter().map(String::as_str)))
            .map_err(|fault| fault.to_string())
    };
    let before = file(now);
    let then = match HostDesired::with(now.host.clone(), now.plan.clone(), after) {
        Ok(then) => file(&then),
        Err(fault) => Err(fault.to_string()),
    };
    if before == then {
        return None;
    }
    let difference = then.map(|then| {
        TextDiff::configure()
            .timeout(LONGEST_COMPARISON)
            .diff_lines(&before.unwrap_or_default(), &then)
            .unified_diff()
            .context_radius(2)
            .header("now", "then")
            .to_string()
    });
    Some(Change {
        host: now.host.id,
        label,
        difference,
    })
}
