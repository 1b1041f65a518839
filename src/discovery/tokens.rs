//! Boot tokens: the right of one boot of one machine to report. Only their SHA-256 is kept.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use rand::{TryRng, rngs::SysRng};
use sha2::{Digest, Sha256};

use crate::boot::{BootToken, TokenHash};

/// Expired tokens are remembered this long, so that a machine left running is told the right reason.
const REMEMBER_EXPIRED: TimeDelta = TimeDelta::days(2);

/// The system gives no random bytes: nothing secret can be made.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes for a boot token")]
pub(super) struct NoRandomness(#[source] rand::rngs::SysError);

/// What a token is worth now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenState {
    Valid(BootToken),
    Expired(BootToken),
    Unknown,
}

/// Tokens by hash. The view of this process; the database has the same.
#[derive(Debug, Default)]
pub(super) struct Tokens(HashMap<TokenHash, BootToken>);

impl Tokens {
    pub(super) fn new(stored: Vec<BootToken>) -> Self {
        Self(stored.into_iter().map(|token| (token.hash, token)).collect())
    }

    pub(super) fn insert(&mut self, token: BootToken, now: DateTime<Utc>) {
        self.0.retain(|_, kept| now < kept.expires_at + REMEMBER_EXPIRED);
        self.0.insert(token.hash, token);
    }

    pub(super) fn state(&self, token: &str, now: DateTime<Utc>) -> TokenState {
        match self.0.get(&hash_of(token)) {
            None => TokenState::Unknown,
            Some(kept) if now < kept.expires_at => TokenState::Valid(kept.clone()),
            Some(kept) => TokenState::Expired(kept.clone()),
        }
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
    use muster_facts::MacAddr;
    use uuid::Uuid;

    use super::*;
    use crate::{boot::BootId, inventory::HostId};

    #[test]
    fn a_token_is_known_then_expired_then_forgotten() {
        let start = DateTime::UNIX_EPOCH;
        let token = new_token().unwrap();
        let kept = |hash| BootToken {
            hash,
            mac: MacAddr([2, 0, 0, 0, 0, 1]),
            host: HostId(Uuid::nil()),
            boot: BootId(Uuid::nil()),
            created_at: start,
            expires_at: start + TimeDelta::minutes(30),
        };
        let mut tokens = Tokens::default();
        tokens.insert(kept(hash_of(&token)), start);
        assert!(matches!(tokens.state(&token, start), TokenState::Valid(_)));
        assert!(matches!(tokens.state("guess", start), TokenState::Unknown));
        let late = start + TimeDelta::minutes(30);
        assert!(matches!(tokens.state(&token, late), TokenState::Expired(_)));
        let much_later = start + TimeDelta::days(3);
        let mut other = kept(hash_of("other"));
        other.expires_at = much_later + TimeDelta::minutes(1);
        tokens.insert(other, much_later);
        assert!(matches!(tokens.state(&token, much_later), TokenState::Unknown));
    }
}
