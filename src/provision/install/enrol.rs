//! The agent of an installed system gets its credential.
//!
//! The agent makes the credential itself, has it on disk, and then asks with it and the installation's token: the server
//! keeps the hash. An answer that is lost costs nothing, as the agent asks again with the same two, and whoever has the
//! token alone gets nothing any more: a token that was spent is good for the credential that it was spent on, from the
//! machine's own address and while the installation runs, and no credential is ever sent to anybody. A machine that sends
//! none (a script, `curl`) gets one made here, once.

use std::net::IpAddr;

use super::{AnswerRefused, Installs, answer::Purpose};
use crate::{
    auth::Secret,
    boot::{EventKind, Level},
    install::{Evidence, Stage},
    inventory::HostId,
    store::{AgentCredential, Install, StoreError, Write},
};

/// By which people and secret scanners know a credential.
const PREFIX: &str = "muster_agent_";
/// Characters after the prefix: 256 random bits in base64 at least.
const LENGTH: std::ops::RangeInclusive<usize> = 43..=128;

/// What an agent gets when it is enrolled.
pub struct Enrolled {
    /// The host it is on.
    pub host: HostId,
    /// Its credential, shown once; none when it is the machine's own.
    pub credential: Option<Secret>,
}

impl Installs {
    /// Keeps the credential of an installed system's agent, once for a token. Only its hash is kept, in the same commit in
    /// which the installation moves on; what the host's agent was known by before ends with it. `own` is the credential
    /// that the machine has made; the same asked for again is granted again, as its answer may have been lost.
    ///
    /// # Errors
    /// When the token gives no right now, or was used for another credential.
    pub async fn enrol(&self, token: &str, client: IpAddr, own: Option<Secret>) -> Result<Enrolled, AnswerRefused> {
        if own.as_ref().is_some_and(|own| !is_credential(own.reveal())) {
            return Err(AnswerRefused::NoCredential);
        }
        let (mut install, _turn) = self.admitted(token, client, Purpose::Enrol).await?;
        let host = install.host;
        let known = match &own {
            Some(own) => self.store().agent_credential(&own.hash()).await?,
            None => None,
        };
        if install.progress.stage >= Stage::AgentEnrolled {
            let same = known.is_some_and(|known| known.host == host && known.revoked_at.is_none());
            if !same {
                return Err(self.refuse(host, client, AnswerRefused::Used));
            }
            self.enrolled_again(&install, client).await?;
            return Ok(Enrolled { host, credential: None });
        }
        if known.is_some() {
            return Err(self.refuse(host, client, AnswerRefused::CredentialKnown));
        }
        if install.progress.stage < Stage::FirstBoot {
            let evidence = Evidence::new(
                Stage::FirstBoot,
                format!("the installed system runs at {client}: its agent asks"),
            );
            self.advance(&mut install, &evidence, "agent").await?;
        }
        let made = own.is_none();
        let credential = own.unwrap_or_else(|| Secret::random_with_prefix(PREFIX));
        let evidence = Evidence::new(
            Stage::AgentEnrolled,
            format!("the agent at {client} got its credential"),
        );
        let kept = Write::AgentEnrolled(AgentCredential {
            hash: credential.hash(),
            host,
            created_at: self.now(),
            last_used_at: None,
            revoked_at: None,
            revoked_by: None,
            acknowledged: 0,
        });
        self.advance_with(&mut install, &evidence, "agent", vec![kept]).await?;
        self.tell(
            host,
            EventKind::AgentEnrolled,
            Level::Info,
            &[("client", client.to_string())],
        );
        Ok(Enrolled {
            host,
            credential: made.then_some(credential),
        })
    }

    /// The answer to an enrolment was lost: that it was asked for again is in the log.
    async fn enrolled_again(&self, install: &Install, client: IpAddr) -> Result<(), StoreError> {
        let told = client.to_string();
        // Asking again and again must not fill the log.
        if self
            .inner
            .enrolled
            .note(install.host, "enrolled_again", &told, self.now())
            .is_none()
        {
            return Ok(());
        }
        let line = self.line(
            install.id,
            "agent",
            Level::Info,
            &format!("the agent at {client} asks once more whether it is enrolled: it is"),
        );
        self.discovery().writer().commit(vec![line]).await
    }
}

/// Whether a text can be a credential: nobody guesses it, and it is known for what it is.
fn is_credential(text: &str) -> bool {
    text.strip_prefix(PREFIX).is_some_and(|random| {
        LENGTH.contains(&random.len())
            && random
                .bytes()
                .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_long_random_text_behind_its_prefix() {
        assert!(is_credential(Secret::random_with_prefix(PREFIX).reveal()));
        assert!(is_credential(&format!("{PREFIX}{}", "0f".repeat(32))));
        for text in [
            "",
            PREFIX,
            "muster_agent_short",
            &"x".repeat(60),
            &format!("{PREFIX}{}", "x".repeat(129)),
            &format!("{PREFIX}{} ", "x".repeat(43)),
        ] {
            assert!(!is_credential(text), "{text}");
        }
    }
}
