//! What the command line wants of installations. A command writes its wish into the ledger, and the server that runs on it
//! does what is wished and writes down what came of it: it has to know of a start or an end at once, and all that it asks of
//! a person on pages it asks here.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{CancelRefused, Installs, Start, StartRefused};
use crate::{
    install::{InstallId, Outcome},
    inventory::{HostId, new_id},
    store::{Store, StoreError},
};

/// Before the id of a wish that nobody has taken yet.
const ASKED: &str = "wish.asked.";
/// Before the id of one that was taken, with what came of it.
const ANSWERED: &str = "wish.answered.";
/// Before either.
const ALL: &str = "wish.";

/// A wish is granted at most this long after it was written: who wished something an hour ago does not expect it now.
const HOLDS: TimeDelta = TimeDelta::seconds(60);
/// An answer that nobody has read is kept so long.
const ANSWER_HOLDS: TimeDelta = TimeDelta::minutes(10);

/// What is wished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// An installation of a host; with its name, where that has to be typed.
    Start(HostId, Option<String>),
    /// The same host once more, after this installation.
    Retry(InstallId, Option<String>),
    /// The end of one that runs.
    Cancel(InstallId),
}

/// One wish of a person at a command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    id: Uuid,
    at: DateTime<Utc>,
    actor: String,
    wanted: Wanted,
}

/// What came of a wish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Granted {
    /// The installation that was started or ended.
    Done(InstallId),
    /// Why not, in words.
    Refused(String),
    /// Not without this word typed, by which the host goes.
    Type(String),
}

impl Wish {
    /// Writes a wish into the ledger.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn write(store: &Store, wanted: Wanted, actor: &str, now: DateTime<Utc>) -> Result<Self, StoreError> {
        let wish = Self {
            id: new_id(now),
            at: now,
            actor: actor.to_owned(),
            wanted,
        };
        store.put_setting(&wish.key(), &wish.text()?).await?;
        Ok(wish)
    }

    /// What came of it; none while no server has answered. An answer is read once.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn answer(&self, store: &Store) -> Result<Option<Granted>, StoreError> {
        let key = format!("{ANSWERED}{}", self.id);
        let Some(text) = store.setting(&key).await? else {
            return Ok(None);
        };
        store.take_setting(&key, &text).await?;
        read(&text).map(Some)
    }

    /// Takes it back. False when a server has taken it before: then it is granted or refused soon.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn take_back(&self, store: &Store) -> Result<bool, StoreError> {
        store.take_setting(&self.key(), &self.text()?).await
    }

    fn key(&self) -> String {
        format!("{ASKED}{}", self.id)
    }

    fn text(&self) -> Result<String, StoreError> {
        text(self)
    }
}

fn text(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(unreadable)
}

fn read<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(unreadable)
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err gives it")]
fn unreadable(error: serde_json::Error) -> StoreError {
    StoreError::Unreadable {
        table: "setting",
        what: error.to_string(),
    }
}

impl Installs {
    /// Grants what was wished since the last look. For a call every second; costs one small read when there is nothing.
    pub async fn grant_wishes(&self) {
        if let Err(error) = self.look_at_wishes().await {
            tracing::error!(%error, "what commands wish of installations could not be looked at");
        }
    }

    async fn look_at_wishes(&self) -> Result<(), StoreError> {
        for (key, value) in self.store().settings_under(ALL).await? {
            if let Some(id) = key.strip_prefix(ANSWERED) {
                let made = id.parse().ok().and_then(made_at);
                if made.is_none_or(|made| self.now() - made > ANSWER_HOLDS) {
                    self.store().take_setting(&key, &value).await?;
                }
            } else {
                self.grant(&key, &value).await?;
            }
        }
        Ok(())
    }

    async fn grant(&self, key: &str, value: &str) -> Result<(), StoreError> {
        let Ok(wish) = read::<Wish>(value) else {
            tracing::warn!(key, "a wish that cannot be read is dropped: a newer version wrote it");
            self.store().take_setting(key, value).await?;
            return Ok(());
        };
        // Also one from a time to come: it must not be granted long after who wished it has gone.
        let late = (self.now() - wish.at).abs() > HOLDS;
        if !late && self.is_of_another_server(&wish.wanted).await? {
            return Ok(());
        }
        // Whoever takes it out of the ledger does it: two servers never both, nor one after it was taken back.
        if !self.store().take_setting(key, value).await? {
            return Ok(());
        }
        let granted = match wish.wanted {
            _ if late => Granted::Refused(format!(
                "it was asked for at {}, and it is {} here; set the clocks, and ask again",
                wish.at,
                self.now()
            )),
            Wanted::Start(host, typed) => {
                let actor = wish.actor;
                started(self.start(Start { host, typed, actor }).await)
            }
            Wanted::Retry(install, typed) => started(self.retry(install, typed, &wish.actor).await),
            Wanted::Cancel(install) => match self.cancel(install, &wish.actor).await {
                Ok(install) => Granted::Done(install.id),
                Err(refused @ CancelRefused::NotRunning) => Granted::Refused(refused.to_string()),
                Err(CancelRefused::Store(error)) => return Err(error),
            },
        };
        let answer = format!("{ANSWERED}{}", wish.id);
        self.store().put_setting(&answer, &text(&granted)?).await
    }

    /// Whether an installation runs by another server of this ledger, which alone can end it.
    async fn is_of_another_server(&self, wanted: &Wanted) -> Result<bool, StoreError> {
        let Wanted::Cancel(id) = wanted else { return Ok(false) };
        if self.discovery().with_installs(|installs| installs.by_id(*id).is_some()) {
            return Ok(false);
        }
        let kept = self.store().install(*id).await?;
        Ok(kept.is_some_and(|install| install.outcome == Outcome::Open))
    }
}

fn started(result: Result<crate::store::Install, StartRefused>) -> Granted {
    match result {
        Ok(install) => Granted::Done(install.id),
        Err(StartRefused::TypeName(word)) => Granted::Type(word),
        Err(refused) => Granted::Refused(refused.to_string()),
    }
}

/// When an id was made.
fn made_at(id: Uuid) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}
