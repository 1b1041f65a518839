use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// SHA-256 of a secret; the secret itself is never kept.
pub type SecretHash = [u8; 32];

/// A random secret that is shown once: a session, an API token or the set-up token.
///
/// It has no `Debug` and no `Display`: whoever shows it says so by [`Secret::reveal`].
pub struct Secret(String);

impl Secret {
    /// 32 random bytes in base64url, 43 characters.
    #[must_use]
    pub fn random() -> Self {
        Self(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
    }

    /// The same with a prefix by which people and secret scanners know what it is.
    #[must_use]
    pub fn random_with_prefix(prefix: &str) -> Self {
        Self(format!("{prefix}{}", Self::random().0))
    }

    /// A secret that was chosen elsewhere.
    #[must_use]
    pub const fn chosen(text: String) -> Self {
        Self(text)
    }

    /// The text, to be shown or sent once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        hash(&self.0)
    }
}

/// Hash of a secret that a client sent.
///
/// A plain SHA-256 is right here and wrong for passwords: 256 random bits cannot be guessed.
#[must_use]
pub(super) fn hash(secret: &str) -> SecretHash {
    Sha256::digest(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_hash_alike() {
        let secret = Secret::random();
        assert_eq!(secret.reveal().len(), 43);
        assert_ne!(secret.reveal(), Secret::random().reveal());
        assert_eq!(secret.hash(), hash(secret.reveal()));
        assert!(Secret::random_with_prefix("muster_").reveal().starts_with("muster_"));
    }
}
