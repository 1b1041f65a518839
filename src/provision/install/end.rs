//! An installation ends: its tokens with it.

use super::Installs;
use crate::{
    boot::{EventKind, Level},
    discovery::MoveRefused,
    install::{FailedBy, Outcome, redact_line},
    inventory::lifecycle::Cause,
    store::{Install, StoreError, Write},
};

impl Installs {
    /// Ends an installation and moves its host. The caller has the installation's turn.
    pub(super) async fn end(
        &self,
        mut install: Install,
        outcome: Outcome,
        by: Option<FailedBy>,
        why: &str,
        actor: Option<&str>,
    ) -> Result<Install, StoreError> {
        install.outcome = outcome;
        install.failed_by = by;
        install.reason = Some(redact_line(why));
        install.ended_at = Some(self.now());
        let (cause, level) = match outcome {
            Outcome::Done => (Cause::InstallFinished, Level::Info),
            _ => (Cause::InstallFailed, Level::Fail),
        };
        let writes = vec![
            Write::Install(Box::new(install.clone())),
            self.line(
                install.id,
                if actor.is_some() { "person" } else { "server" },
                level,
                why,
            ),
        ];
        let moved = self
            .discovery()
            .move_host(install.host, cause, actor.map(str::to_owned), |_| writes.clone())
            .await;
        match moved {
            Ok(_) => {}
            Err(MoveRefused::NotKept(error)) => return Err(error),
            // A person has moved it meanwhile; that the installation is over stands all the same.
            Err(refused) => {
                tracing::warn!(host = %install.host, %refused, "the host of an ended installation stays where it is");
                self.discovery().writer().commit(writes).await?;
            }
        }
        self.discovery().with_installs(|installs| installs.remove(install.host));
        self.tell(
            install.host,
            EventKind::InstallEnded,
            level,
            &[("outcome", outcome.as_str().to_owned()), ("why", why.to_owned())],
        );
        Ok(install)
    }
}
