//! The installations that run, in memory: what boots, answer files and log lines are judged by.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::{BootChoice, InstallId, Progress, boot};
use crate::inventory::HostId;

/// Tokens that are no longer good and are remembered, so that who uses one is told and recorded rightly.
const MAX_OLD: usize = 8192;

/// SHA-256 of a token.
type Hash = [u8; 32];

/// The secrets of one start of an installer. Only the first is random: the others follow from it, so that an answer file
/// that is asked for again is the same, although only hashes are kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets {
    /// In the address of the answer file.
    pub answer: String,
    /// In the address that stages are told to.
    pub stage: String,
    /// By which the installed system's agent gets its credential.
    pub enrol: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(***)")
    }
}

impl Secrets {
    /// The secrets that go with a random token.
    #[must_use]
    pub fn of(answer: &str) -> Self {
        let derived = |purpose: &str| {
            let mut digest = Sha256::new();
            digest.update(b"muster install ");
            digest.update(purpose.as_bytes());
            digest.update([0]);
            digest.update(answer.as_bytes());
            URL_SAFE_NO_PAD.encode(digest.finalize())
        };
        Self {
            stage: derived("stage"),
            enrol: derived("enrol"),
            answer: answer.to_owned(),
        }
    }

    /// What is kept of them.
    #[must_use]
    pub fn hashes(&self) -> Hashes {
        let hash = |text: &str| Sha256::digest(text.as_bytes()).into();
        Hashes {
            answer: hash(&self.answer),
            stage: hash(&self.stage),
            enrol: hash(&self.enrol),
        }
    }

    /// Each of them, to be taken out of what is kept.
    #[must_use]
    pub fn texts(&self) -> [&str; 3] {
        [&self.answer, &self.stage, &self.enrol]
    }
}

/// SHA-256 of [`Secrets`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hashes {
    /// Of the answer file's.
    pub answer: Hash,
    /// Of the stages'.
    pub stage: Hash,
    /// Of the enrolment's.
    pub enrol: Hash,
}

/// One installation that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenInstall {
    /// Which.
    pub id: InstallId,
    /// Of which host.
    pub host: HostId,
    /// Where it is.
    pub progress: Progress,
    /// False: the host is installed anew whenever it boots before the installer has ended.
    pub once: bool,
    /// True when the installed system gets an agent, so that its report is waited for.
    pub agent: bool,
    /// The tokens of the last start of the installer.
    pub hashes: Option<Hashes>,
    /// Where that start's boot script was asked from.
    pub client: Option<IpAddr>,
    /// Addresses that are planned for the host.
    pub addresses: Vec<IpAddr>,
    /// The silence that was told, by when it began: what is heard later ends it.
    pub stuck_told: Option<DateTime<Utc>>,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenOf {
    /// Good, of the installation of this host.
    Good(HostId),
    /// Of an earlier start, or of an installation that has ended.
    Old(HostId),
    /// Nobody was given it.
    Unknown,
}

/// Installations that run, by host and by token.
#[derive(Debug, Clone, Default)]
pub struct OpenInstalls {
    by_host: HashMap<HostId, OpenInstall>,
    by_hash: HashMap<Hash, HostId>,
    old: HashMap<Hash, HostId>,
    old_order: VecDeque<Hash>,
}

impl OpenInstalls {
    /// Puts in or replaces what is known of an installation. Tokens it no longer has are old. What is known here alone
    /// stays: log lines are heard without a change of the installation's row.
    pub fn put(&mut self, mut install: OpenInstall) {
        let host = install.host;
        if let Some(known) = self.by_host.get(&host).filter(|known| known.id == install.id) {
            install.progress.heard_at = install.progress.heard_at.max(known.progress.heard_at);
            install.stuck_told = install.stuck_told.or(known.stuck_told);
        }
        let hashes = install.hashes;
        let before = self.by_host.insert(host, install).and_then(|before| before.hashes);
        if let Some(before) = before.filter(|before| Some(*before) != hashes) {
            self.retire(before, host);
        }
        for hash in hashes
            .into_iter()
            .flat_map(|hashes| [hashes.answer, hashes.stage, hashes.enrol])
        {
            self.by_hash.insert(hash, host);
        }
    }

    /// Takes out an installation that has ended.
    pub fn remove(&mut self, host: HostId) -> Option<OpenInstall> {
        let gone = self.by_host.remove(&host)?;
        if let Some(hashes) = gone.hashes {
            self.retire(hashes, host);
        }
        Some(gone)
    }

    /// Remembers tokens of an installation that has ended, as read from the ledger.
    pub fn retire(&mut self, hashes: Hashes, host: HostId) {
        for hash in [hashes.answer, hashes.stage, hashes.enrol] {
            self.by_hash.remove(&hash);
            if self.old.insert(hash, host).is_none() {
                self.old_order.push_back(hash);
            }
        }
        while self.old_order.len() > MAX_OLD {
            if let Some(oldest) = self.old_order.pop_front() {
                self.old.remove(&oldest);
            }
        }
    }

    /// The installation of a host.
    #[must_use]
    pub fn of(&self, host: HostId) -> Option<&OpenInstall> {
        self.by_host.get(&host)
    }

    /// The same, to be changed.
    pub fn of_mut(&mut self, host: HostId) -> Option<&mut OpenInstall> {
        self.by_host.get_mut(&host)
    }

    /// The installation with this id.
    #[must_use]
    pub fn by_id(&self, id: InstallId) -> Option<&OpenInstall> {
        self.by_host.values().find(|install| install.id == id)
    }

    /// Every installation that runs.
    pub fn iter(&self) -> impl Iterator<Item = &OpenInstall> {
        self.by_host.values()
    }

    /// Whose a token is. Which of the three it is, the caller compares with [`OpenInstall::hashes`].
    #[must_use]
    pub fn token(&self, hash: &Hash) -> TokenOf {
        match (self.by_hash.get(hash), self.old.get(hash)) {
            (Some(host), _) => TokenOf::Good(*host),
            (None, Some(host)) => TokenOf::Old(*host),
            (None, None) => TokenOf::Unknown,
        }
    }

    /// What a host's next boot from the network is, when an installation of it runs.
    #[must_use]
    pub fn boot(&self, host: HostId) -> Option<BootChoice> {
        self.of(host).map(|install| boot(&install.progress, install.once))
    }

    /// One host turned out to be another.
    pub fn absorb(&mut self, from: HostId, into: HostId) {
        if let Some(mut moved) = self.by_host.remove(&from)
            && !self.by_host.contains_key(&into)
        {
            moved.host = into;
            self.put(moved);
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    fn install(host: HostId, secrets: Option<&Secrets>) -> OpenInstall {
        OpenInstall {
            id: InstallId(Uuid::from_u128(1)),
            host,
            progress: Progress::requested("anna", DateTime::UNIX_EPOCH),
            once: true,
            agent: true,
            hashes: secrets.map(Secrets::hashes),
            client: None,
            addresses: Vec::new(),
            stuck_told: None,
        }
    }

    #[test]
    fn a_new_start_makes_the_tokens_before_it_old() {
        let host = HostId(Uuid::from_u128(7));
        let (first, second) = (Secrets::of("first"), Secrets::of("second"));
        let mut installs = OpenInstalls::default();
        installs.put(install(host, Some(&first)));
        assert_eq!(installs.token(&first.hashes().stage), TokenOf::Good(host));
        installs.put(install(host, Some(&second)));
        assert_eq!(installs.token(&first.hashes().answer), TokenOf::Old(host));
        assert_eq!(installs.token(&second.hashes().answer), TokenOf::Good(host));
        installs.remove(host);
        assert_eq!(installs.token(&second.hashes().enrol), TokenOf::Old(host));
        assert_eq!(installs.token(&[0; 32]), TokenOf::Unknown);
        assert_eq!(installs.boot(host), None);
    }

    #[test]
    fn what_was_heard_without_a_row_is_not_lost_when_the_row_changes() {
        let host = HostId(Uuid::from_u128(7));
        let heard = DateTime::UNIX_EPOCH + chrono::TimeDelta::minutes(9);
        let mut installs = OpenInstalls::default();
        installs.put(install(host, None));
        let open = installs.of_mut(host).unwrap();
        open.progress.heard_at = heard;
        open.stuck_told = Some(heard);
        installs.put(install(host, None));
        let open = installs.of(host).unwrap();
        assert_eq!((open.progress.heard_at, open.stuck_told), (heard, Some(heard)));
        // Another installation of the host was told nothing.
        let mut other = install(host, None);
        other.id = InstallId(Uuid::from_u128(2));
        installs.put(other);
        assert_eq!(installs.of(host).unwrap().stuck_told, None);
    }

    #[test]
    fn the_three_secrets_differ_and_are_not_shown() {
        let secrets = Secrets::of("token");
        assert_eq!(secrets, Secrets::of("token"));
        assert!(secrets.answer != secrets.stage && secrets.stage != secrets.enrol);
        assert!(!format!("{secrets:?}").contains(&secrets.stage));
    }
}
