//! Installations are looked at every minute: who is silent is told of, and given up in the end.

use std::sync::PoisonError;

use chrono::{DateTime, TimeDelta, Utc};

use super::Installs;
use crate::{
    boot::{EventKind, Level},
    install::{FailedBy, InstallId, Listening, Outcome, Stuck},
    inventory::HostId,
    store::{Store, StoreError, Write},
};

/// Where it is kept when a server of this ledger listened.
const LISTENING: &str = "installs.listening";

/// What is known of when a server of this ledger listened, from now on listening.
pub(super) async fn begin(store: &Store, now: DateTime<Utc>) -> Result<Listening, StoreError> {
    // What nobody wrote is as if nobody had listened: every limit begins anew.
    let mut listening = kept(store).await?.unwrap_or_default();
    listening.begin(now);
    Ok(listening)
}

/// What all servers of this ledger keep of it; none when nobody has written it, or a newer version.
async fn kept(store: &Store) -> Result<Option<Listening>, StoreError> {
    let text = store.setting(LISTENING).await?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

impl Installs {
    /// For how long nothing came that could have been heard: without the time in which this server was away.
    #[must_use]
    pub fn silence(&self, heard_at: DateTime<Utc>) -> TimeDelta {
        let listening = self.inner.listening.lock().unwrap_or_else(PoisonError::into_inner);
        listening.silence(heard_at, self.now())
    }

    /// Looks at every installation that runs: who is silent is told of, and given up in the end. What was refused many times
    /// is told with its number. For a call every minute.
    pub async fn look(&self) {
        if let Err(error) = self.note_listening().await {
            tracing::error!(%error, "it could not be kept that this server listens to installers");
        }
        for again in self.inner.refused.due(self.now()) {
            self.tell_refused(again.host, &again.why, &again.client, again.times);
        }
        // A machine that is still held back tells of its repeats itself; what is over is only forgotten.
        drop(self.inner.held.due(self.now()));
        let silent: Vec<(HostId, InstallId, Stuck)> = self
            .running_now()
            .into_iter()
            .filter_map(|(host, id)| Some((host, id, self.stuck(host, id)?)))
            .collect();
        for (host, id, stuck) in silent {
            if stuck.give_up {
                if let Err(error) = self.give_up(host, id).await {
                    tracing::error!(%host, %error, "a silent installation could not be given up");
                }
            } else {
                self.tell_stuck(host, id, stuck);
            }
        }
    }

    fn running_now(&self) -> Vec<(HostId, InstallId)> {
        self.discovery()
            .with_installs(|installs| installs.iter().map(|open| (open.host, open.id)).collect())
    }

    /// Whether nothing has come of an installation that runs for too long.
    fn stuck(&self, host: HostId, id: InstallId) -> Option<Stuck> {
        let progress = self.discovery().with_installs(|installs| {
            let open = installs.of(host).filter(|open| open.id == id)?;
            Some(open.progress.clone())
        })?;
        self.inner.limits.look(&progress, self.silence(progress.heard_at))
    }

    fn tell_stuck(&self, host: HostId, id: InstallId, stuck: Stuck) {
        let news = self.discovery().with_installs(|installs| {
            let Some(open) = installs.of_mut(host).filter(|open| open.id == id) else {
                return false;
            };
            // One silence is told once, whatever is written of the installation meanwhile.
            let since = Some(open.progress.heard_at);
            std::mem::replace(&mut open.stuck_told, since) != since
        });
        if news {
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

    async fn give_up(&self, host: HostId, id: InstallId) -> Result<(), StoreError> {
        let _turn = self.turn(host).await;
        let Some(install) = self.running(host).await?.filter(|install| install.id == id) else {
            return Ok(());
        };
        // While others had the turn it may have been heard of, by another server of this ledger too.
        let progress = &install.progress;
        let silent = self.silence(progress.heard_at);
        let Some(stuck) = self.inner.limits.look(progress, silent).filter(|stuck| stuck.give_up) else {
            self.discovery().with_installs(|installs| installs.put(install.open()));
            return Ok(());
        };
        let words = format!(
            "stuck in {} since {}; last evidence: {}",
            stuck.stage.as_str(),
            stuck.since.to_rfc3339(),
            stuck.evidence
        );
        self.end(install, Outcome::Failed, Some(FailedBy::Silence), &words, None)
            .await?;
        Ok(())
    }

    /// Keeps that this server listens, and when each installation was heard of by log lines alone: a server that starts
    /// again judges by both.
    async fn note_listening(&self) -> Result<(), StoreError> {
        let listening = || self.inner.listening.lock().unwrap_or_else(PoisonError::into_inner);
        listening().note(self.now());
        let others = kept(self.store()).await?;
        let kept = {
            let mut listening = listening();
            if let Some(others) = &others {
                listening.join(others);
            }
            serde_json::to_string(&*listening)
                .map_err(|error| tracing::error!(%error, "what is plain data cannot be written as JSON"))
        };
        let heard: Vec<Write> = self.discovery().with_installs(|installs| {
            let heard = |open: &crate::install::OpenInstall| Write::InstallHeard {
                id: open.id,
                at: open.progress.heard_at,
            };
            installs.iter().map(heard).collect()
        });
        if heard.is_empty() {
            return Ok(());
        }
        if let Ok(kept) = kept {
            self.store().put_setting(LISTENING, &kept).await?;
        }
        self.discovery().writer().commit(heard).await
    }
}
