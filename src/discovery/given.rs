//! Where rules on facts meet machines that report. What a rule is, is `desired`'s; when one is asked, is known here,
//! because a machine is told what to do next only when its report has had all its consequences.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use muster_facts::Facts;

use super::{Discovery, FeedItem, MoveRefused};
use crate::{
    desired::rules::{By, GivenLayer},
    inventory::{
        Change, HostId, Source, State,
        lifecycle::{self, Cause},
        new_id,
    },
    store::{Given, Write},
};

/// What [`AfterReport::reported`] gives.
pub type Consequences<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Is told of every report that was committed, before its machine is answered.
pub trait AfterReport: Send + Sync + fmt::Debug {
    /// The facts of a host are on disk.
    fn reported<'a>(&'a self, host: HostId, facts: &'a Facts) -> Consequences<'a>;
}

/// What rules give a host, as it was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Gift {
    /// Which host.
    pub host: HostId,
    /// A profile: the host moves to `assigned`.
    pub profile: Option<By<String>>,
    /// The profile it had.
    pub profile_before: Option<String>,
    /// A name in the ledger.
    pub name: Option<By<String>>,
    /// The layers, as they are from now on.
    pub layers: Vec<GivenLayer>,
}

impl Discovery {
    /// Says who is told of reports. Once, at the start.
    pub fn after_report(&self, who: Arc<dyn AfterReport>) {
        if self.inner.after_report.set(who).is_err() {
            tracing::error!("two are told of reports; the first one stays");
        }
    }

    /// Gives a host what rules decided, all or nothing: plan, name, state and history. Waits for a report of the same
    /// host that is being taken in.
    ///
    /// # Errors
    /// When the host has moved on meanwhile, or the ledger cannot be written: then nothing has changed.
    pub async fn give(&self, gift: Gift) -> Result<State, MoveRefused> {
        let id = gift.host;
        let _turn = self.inner.turns.of(id).await;
        let before = self.host(id).ok_or(MoveRefused::Unknown)?;
        let mut state = before.state;
        let mut writes = Vec::with_capacity(3);
        let mut changes = Vec::new();
        if let Some(profile) = &gift.profile {
            state = lifecycle::apply(state, Cause::ProfileGiven)?;
            if gift.profile_before.as_ref() != Some(&profile.value) {
                let had = gift.profile_before.clone();
                changes.push(self.by_rule(id, profile, "profile", had, &profile.value));
            }
            if state != before.state {
                let had = Some(before.state.as_str().to_owned());
                writes.push(Write::HostState {
                    host: id,
                    state,
                    change: Box::new(self.by_rule(id, profile, "state", had, state.as_str())),
                });
            }
        }
        if let Some(name) = &gift.name {
            writes.push(Write::HostNamed {
                host: id,
                name: Some(name.value.clone()),
                change: Box::new(self.by_rule(id, name, "name", before.name, &name.value)),
            });
        }
        let given = Given {
            host: id,
            profile: gift.profile,
            layers: gift.layers,
            changes,
        };
        writes.insert(0, Write::Given(Box::new(given)));
        self.writer().commit(writes).await?;
        self.view().change_host(id, |host| {
            host.state = state;
            if let Some(name) = gift.name {
                host.name = Some(name.value);
            }
        });
        self.feed().tell(FeedItem::Host(id));
        Ok(state)
    }

    fn by_rule(&self, host: HostId, by: &By<String>, field: &str, before: Option<String>, after: &str) -> Change {
        let at = self.now();
        Change {
            id: new_id(at),
            host,
            at,
            source: Source::Rule,
            actor: Some(format!("rule:{}", by.rule)),
            field: field.to_owned(),
            before,
            after: Some(after.to_owned()),
        }
    }
}
