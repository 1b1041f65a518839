//! Whose report it is: judged by its keys and by who sends it, and taken when the host's turn has come.

use chrono::{DateTime, Utc};
use muster_facts::{Facts, MacAddr};

use super::View;
use crate::{
    boot::{BootToken, Event, EventKind, Level},
    inventory::{
        Host, HostId, Key, Source,
        identity::{Identified, identify},
        lifecycle::Cause,
        new_id,
    },
};

/// Who reports, and by which right.
#[derive(Debug, Clone)]
pub(super) enum Reporter {
    /// A boot of the collection image, by its token.
    Boot(BootToken),
    /// The agent of an installed system, by the credential of its host.
    Agent(HostId),
}

impl Reporter {
    /// As which source its facts are kept.
    pub(super) const fn source(&self) -> Source {
        match self {
            Self::Boot(_) => Source::Netboot,
            Self::Agent(_) => Source::Agent,
        }
    }

    /// What its report means for the host's life.
    pub(super) const fn cause(&self) -> Cause {
        match self {
            Self::Boot(_) => Cause::Reported,
            Self::Agent(_) => Cause::AgentReported,
        }
    }

    /// An event of the boot that the token was made for; of an agent, an event of its host and of no boot.
    pub(super) fn event(&self, at: DateTime<Utc>, kind: EventKind, level: Level) -> Event {
        match self {
            Self::Boot(token) => {
                let mut event = Event::new(at, token.mac, kind, level);
                event.boot = Some(token.boot);
                event
            }
            Self::Agent(host) => Event {
                mac: None,
                host: Some(*host),
                ..Event::new(at, MacAddr([0; 6]), kind, level)
            },
        }
    }
}

/// Why a report is nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Nobodys {
    /// The agent's host is not in this server's memory.
    HostUnknown,
    /// The agent's host is one machine, and the keys are of another: of one of these, or of none that is known.
    AnotherMachine(Vec<HostId>),
}

/// Whose report it is.
pub(super) struct Judged {
    pub(super) host: HostId,
    pub(super) by: Option<Key>,
    /// Stubs that are this machine.
    pub(super) absorbed: Vec<HostId>,
    /// Hosts it may be as well.
    pub(super) doubtful: Vec<HostId>,
}

/// What a report is taken for, and what has to move.
pub(super) struct Claim {
    pub(super) host: Host,
    pub(super) is_new: bool,
    pub(super) by: Option<Key>,
    pub(super) absorbed: Vec<HostId>,
    /// What the host was recognised by before, to be put back when the commit fails.
    pub(super) keys_before: Vec<Key>,
}

impl View {
    /// Finds the host of a report.
    pub(super) fn judge(
        &mut self,
        reporter: &Reporter,
        facts: &Facts,
        keys: &[Key],
        now: DateTime<Utc>,
    ) -> Result<Judged, Nobodys> {
        match reporter {
            Reporter::Boot(token) => Ok(self.judge_boot(token, facts, keys, now)),
            Reporter::Agent(host) => self.judge_agent(*host, keys),
        }
    }

    /// The credential says whose report it is. Keys that are another machine's do not make one host of two: a disk that
    /// was copied or carried away takes the credential with it.
    fn judge_agent(&self, own: HostId, keys: &[Key]) -> Result<Judged, Nobodys> {
        if self.host(own).is_none() {
            return Err(Nobodys::HostUnknown);
        }
        let (by, absorbed, doubtful) = match identify(keys, self.keys()) {
            Identified::Same { host, by, stubs } if host == own => (Some(by), stubs, Vec::new()),
            // The host itself may never have reported before.
            Identified::Same { host, by, mut stubs } if stubs.contains(&own) && self.keys().is_stub(host) => {
                stubs.retain(|stub| *stub != own);
                stubs.push(host);
                (Some(by), stubs, Vec::new())
            }
            Identified::Ambiguous { mut hosts, stubs } if hosts.contains(&own) => {
                hosts.retain(|host| *host != own);
                (None, stubs, hosts)
            }
            Identified::New if keys.is_empty() || self.keys().keys(own).is_empty() => (None, Vec::new(), Vec::new()),
            Identified::New => return Err(Nobodys::AnotherMachine(Vec::new())),
            Identified::Same { host, .. } => return Err(Nobodys::AnotherMachine(vec![host])),
            Identified::Ambiguous { hosts, .. } => return Err(Nobodys::AnotherMachine(hosts)),
        };
        Ok(Judged {
            host: own,
            by,
            absorbed,
            doubtful,
        })
    }

    /// A new host gets the report's keys at once, so that no second machine with the same keys becomes a second new host
    /// in between.
    fn judge_boot(&mut self, token: &BootToken, facts: &Facts, keys: &[Key], now: DateTime<Utc>) -> Judged {
        let own = self.host_by_mac(token.mac);
        let booted_by_it = facts.nics.iter().any(|nic| nic.mac == Some(token.mac));
        let (host, by, absorbed, doubtful) = match identify(keys, self.keys()) {
            // A report that does not list the interface its token was made for speaks of another machine than the
            // one that booted: it may not replace what is known of that one.
            Identified::Same { host, .. } if !booted_by_it && own.is_some_and(|own| own != host) => {
                (own, None, Vec::new(), vec![host])
            }
            Identified::Same { host, by, stubs } => (Some(host), Some(by), stubs, Vec::new()),
            Identified::New => (None, None, Vec::new(), Vec::new()),
            Identified::Ambiguous { hosts, mut stubs } => {
                let own = (!stubs.is_empty()).then(|| stubs.remove(0));
                (own, None, stubs, hosts)
            }
        };
        let host = host.unwrap_or_else(|| {
            let id = HostId(new_id(now));
            self.keys_mut().set(id, keys.to_vec());
            id
        });
        Judged {
            host,
            by,
            absorbed,
            doubtful,
        }
    }

    /// Takes the report's keys for its host, when its turn has come. `None`: that host is gone.
    pub(super) fn claim(&mut self, judged: Judged, keys: &[Key], now: DateTime<Utc>) -> Option<Claim> {
        let id = judged.host;
        let known = self.host(id).cloned();
        let keys_before = self.keys().keys(id).to_vec();
        if known.is_none() && keys_before.is_empty() && !keys.is_empty() {
            return None;
        }
        let is_new = known.is_none();
        let mut host = known.unwrap_or_else(|| Host::discovered(id, now));
        host.ambiguous_with = judged.doubtful;
        self.keys_mut().set(id, keys.to_vec());
        Some(Claim {
            absorbed: judged.absorbed.into_iter().filter(|stub| *stub != id).collect(),
            host,
            is_new,
            by: judged.by,
            keys_before,
        })
    }

    /// What is on disk now: the host's row, its interfaces, and no more stubs of it.
    pub(super) fn settle(&mut self, host: &Host, macs: &[MacAddr], absorbed: &[HostId], keys: Vec<Key>) {
        let mut given = None;
        for stub in absorbed {
            self.installs.absorb(*stub, host.id);
            given = given.or_else(|| self.host(*stub)?.name.clone());
            self.remove_host(*stub);
        }
        self.keys_mut().set(host.id, keys);
        // Verdict and name are others' to tell; they may have changed while the report was on its way.
        let kept = self.host(host.id).unwrap_or(host);
        let settled = Host {
            name: kept.name.clone().or(given),
            boot_verdict: kept.boot_verdict.clone(),
            booted_at: kept.booted_at,
            last_seen_at: kept.last_seen_at.max(host.last_seen_at),
            ..host.clone()
        };
        self.put_host(settled);
        for mac in macs {
            self.put_interface(*mac, host.id);
        }
    }

    pub(super) fn unclaim(&mut self, claim: &Claim) {
        if claim.is_new {
            self.keys_mut().remove(claim.host.id);
        } else {
            let reported = claim.host.reported_at.is_some();
            self.keys_mut()
                .enter(claim.host.id, claim.keys_before.clone(), reported);
        }
    }
}
