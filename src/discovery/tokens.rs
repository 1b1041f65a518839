//! Boot tokens: the right of one boot of one machine to report. Only their SHA-256 is kept.

use std::collections::{HashMap, HashSet, VecDeque};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use muster_facts::MacAddr;
use rand::{TryRng, rngs::SysRng};
use sha2::{Digest, Sha256};

use crate::boot::{BootToken, TokenHash};

/// Expired tokens are remembered this long, so that a machine left running is told the right reason.
const REMEMBER_EXPIRED: TimeDelta = TimeDelta::days(2);

/// The system gives no random bytes: nothing secret can be made.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes for a boot token")]
pub(super) struct NoRandomness(#[source] rand::rngs::SysError);

/// Tokens kept for one interface: a machine that asks again and again for its script gets new ones.
const KEPT_PER_MAC: usize = 4;

/// What a token is worth now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenState {
    Valid(BootToken),
    /// Its time is over; `told` when somebody asked with it before.
    Expired {
        token: BootToken,
        told: bool,
    },
    Unknown,
}

/// Tokens by hash. The view of this process; the database has the same.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    by_hash: HashMap<TokenHash, BootToken>,
    /// Oldest first.
    by_mac: HashMap<MacAddr, VecDeque<TokenHash>>,
    /// Expired ones that were told of.
    told: HashSet<TokenHash>,
}

impl Tokens {
    pub(super) fn new(mut stored: Vec<BootToken>) -> Self {
        stored.sort_by_key(|token| token.created_at);
        let mut tokens = Self::default();
        for token in stored {
            tokens.insert(token);
        }
        tokens
    }

    /// Keeps a token; the oldest of the same interface gives way.
    pub(super) fn insert(&mut self, token: BootToken) {
        let (hash, mac) = (token.hash, token.mac);
        if self.by_hash.insert(hash, token).is_some() {
            return;
        }
        let of_mac = self.by_mac.entry(mac).or_default();
        of_mac.push_back(hash);
        if of_mac.len() > KEPT_PER_MAC
            && let Some(oldest) = of_mac.pop_front()
        {
            self.by_hash.remove(&oldest);
            self.told.remove(&oldest);
        }
    }

    pub(super) fn state(&mut self, token: &str, now: DateTime<Utc>) -> TokenState {
        let hash = hash_of(token);
        match self.by_hash.get(&hash) {
            None => TokenState::Unknown,
            Some(kept) if now < kept.expires_at => TokenState::Valid(kept.clone()),
            Some(kept) => TokenState::Expired {
                token: kept.clone(),
                told: !self.told.insert(hash),
            },
        }
    }

    /// Forgets what expired long ago. Looks at every token: for a call now and then.
    pub(super) fn forget(&mut self, now: DateTime<Utc>) {
        self.by_hash.retain(|_, kept| now < kept.expires_at + REMEMBER_EXPIRED);
        let by_hash = &self.by_hash;
        self.told.retain(|hash| by_hash.contains_key(hash));
        self.by_mac.retain(|_, hashes| {
            hashes.retain(|hash| by_hash.contains_key(hash));
            !hashes.is_empty()
        });
    }
}

/// 32 random bytes as 43 characters of base64url (RFC 4648 §5), fit for a kernel command line.
///
/// # Errors
/// When the system gives no random bytes.
pub(super) fn new_token() -> Result<String, NoRandomness> {
    let mut bytes = [0_u8; 32];
    SysRng.try_fill_bytes(&mut bytes).map_err(NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

pub(super) fn hash_of(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{boot::BootId, inventory::HostId};

    const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn token(text: &str) -> BootToken {
        BootToken {
            hash: hash_of(text),
            mac: MacAddr([2, 0, 0, 0, 0, 1]),
            host: HostId(Uuid::nil()),
            boot: BootId(Uuid::nil()),
            created_at: START,
            expires_at: START + TimeDelta::minutes(30),
        }
    }

    #[test]
    fn a_token_is_known_then_expired_then_forgotten() {
        let text = new_token().unwrap();
        let mut tokens = Tokens::default();
        tokens.insert(token(&text));
        assert!(matches!(tokens.state(&text, START), TokenState::Valid(_)));
        assert!(matches!(tokens.state("guess", START), TokenState::Unknown));
        let late = START + TimeDelta::minutes(30);
        for (told, times) in [(false, "first"), (true, "second")] {
            let state = tokens.state(&text, late);
            assert!(
                matches!(state, TokenState::Expired { told: now, .. } if now == told),
                "{times}"
            );
        }
        tokens.forget(START + TimeDelta::days(3));
        assert!(matches!(tokens.state(&text, late), TokenState::Unknown));
        assert!(tokens.by_mac.is_empty() && tokens.told.is_empty());
    }

    #[test]
    fn a_machine_that_asks_without_end_fills_nothing() {
        let mut tokens = Tokens::default();
        for number in 0..1000 {
            tokens.insert(token(&number.to_string()));
        }
        assert_eq!((tokens.by_hash.len(), tokens.by_mac.len()), (KEPT_PER_MAC, 1));
        assert!(matches!(tokens.state("999", START), TokenState::Valid(_)));
        assert!(matches!(tokens.state("1", START), TokenState::Unknown));
    }
}
