//! Taking in facts documents: room for them, and reading them. The same for machines that boot and for installed ones.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use axum::http::StatusCode;
use muster_facts::{FACTS_VERSION, Facts};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Problem,
    crowd::{Crowd, Seat},
};
use crate::auth::{ClientAddress, SecretHash};

/// Largest facts document, bytes. A machine with 16 sockets, 64 DIMMs and 500 disks stays under 1 MB.
pub const MAX_FACTS_BYTES: usize = 4 * 1024 * 1024;

/// How often a report looks whether its client has room again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// When a machine that found no room comes again, seconds: each at another time.
const COME_AGAIN: RangeInclusive<u64> = 2..=9;

/// Reports of one machine at once: the one that is on its way, and one that was given up but is not over yet.
const REPORTS_OF_ONE: usize = 2;

/// Where reports are taken in: so many at once and no more, so that a thousand machines that report at the same time do
/// not have their documents in memory at the same time.
#[derive(Debug, Clone)]
pub(super) struct Reception {
    /// How long a report waits for its turn before the machine is told to come again.
    wait: Duration,
    turns: Arc<Semaphore>,
    clients: Crowd<ClientAddress>,
    /// By what makes the machine known: its token or credential.
    machines: Crowd<SecretHash>,
}

/// Room for one report: had before its body is read.
pub(super) struct Turn {
    _place: OwnedSemaphorePermit,
    _seats: (Seat<ClientAddress>, Seat<SecretHash>),
}

impl Reception {
    /// Room for `reports` at once, three quarters of them of one client address.
    pub(super) fn new(reports: usize, wait: Duration) -> Self {
        Self {
            wait,
            turns: Arc::new(Semaphore::new(reports)),
            clients: Crowd::new((reports * 3).div_ceil(4), usize::MAX),
            machines: Crowd::new(REPORTS_OF_ONE, usize::MAX),
        }
    }

    /// Waits for room. One client, or one machine, cannot take what is all machines'.
    pub(super) async fn enter(&self, client: ClientAddress, machine: SecretHash) -> Result<Turn, Problem> {
        let busy = || {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "many machines are reporting; this one comes again by itself",
            )
            .retry_after(rand::random_range(COME_AGAIN))
        };
        let seat = async {
            loop {
                match self.clients.enter(client) {
                    Ok(seat) => break seat,
                    Err(_full) => tokio::time::sleep(LOOK_AGAIN).await,
                }
            }
        };
        let client = tokio::time::timeout(self.wait, seat).await.map_err(|_| busy())?;
        let machine = self.machines.enter(machine).map_err(|_| busy())?;
        let turn = Arc::clone(&self.turns).acquire_owned();
        match tokio::time::timeout(self.wait, turn).await {
            Ok(Ok(place)) => Ok(Turn {
                _place: place,
                _seats: (client, machine),
            }),
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }
}

/// Disks, modules, interfaces, PCI functions and all else together.
const MAX_OBJECTS: usize = 20_000;

/// The document, or why it is none, with the path of the field.
pub(super) fn read_facts(body: &[u8]) -> Result<Facts, String> {
    // An empty list member costs two bytes here and hundreds in memory: counted before anything is built.
    let objects = body.iter().filter(|byte| **byte == b'{').count();
    if objects > MAX_OBJECTS {
        return Err(format!("{objects} objects; a machine has at most {MAX_OBJECTS} parts"));
    }
    // PostgreSQL keeps no NUL in a text, and no firmware means one.
    if body.windows(6).any(|part| part == br"\u0000") {
        return Err("a text has a NUL character".to_owned());
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let facts: Facts = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| format!("field `{}`: {}", error.path(), error.inner()))?;
    json.end().map_err(|error| format!("after the document: {error}"))?;
    if facts.version != FACTS_VERSION {
        return Err(format!(
            "field `version`: {} is not understood here; this server reads version {FACTS_VERSION}",
            facts.version
        ));
    }
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use super::read_facts;

    #[test]
    fn a_wrong_shape_names_its_field() {
        let why = |text: &str| read_facts(text.as_bytes()).unwrap_err();
        assert!(
            why(r#"{"version":1,"memory":{"dimms":[{"size_bytes":"big"}]}}"#).contains("memory.dimms[0].size_bytes")
        );
        assert!(why("{}").contains("`version`"));
        assert!(why(r#"{"version":7}"#).contains('7'));
        assert!(why(r#"{"version":1} x"#).contains("after the document"));
        assert!(why("\u{0}").contains("field"));
        assert!(why(r#"{"version":1,"hostname":"a\u0000b"}"#).contains("NUL"));
        let many = format!(r#"{{"version":1,"disks":[{}{{}}]}}"#, "{},".repeat(30_000));
        assert!(why(&many).contains("parts"));
        assert!(read_facts(br#"{"version":1,"a_later_field":[1]}"#).is_ok());
    }
}
