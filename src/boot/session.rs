use chrono::{DateTime, TimeDelta, Utc};

use super::{BootId, Event, EventKind, Stage};

/// Silence after which the next packet begins another boot. Firmware that tries IPv6 and HTTP in turn is quiet for two
/// minutes between them.
const IDLE: TimeDelta = TimeDelta::minutes(10);

/// How far a boot has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Firmware asks.
    Firmware,
    /// A loader was fetched.
    Loader,
    /// iPXE asks by DHCP.
    Ipxe,
    /// iPXE was given its script.
    Script,
    /// The kernel was fetched, or the image speaks.
    Image,
    /// Facts were accepted.
    Reported,
}

/// One boot of one interface, as long as it runs: says which packets belong to it and which begin the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Names the boot.
    pub id: BootId,
    /// First packet.
    pub began_at: DateTime<Utc>,
    /// Last event.
    pub last_at: DateTime<Utc>,
    /// How far it came.
    pub phase: Phase,
}

impl Session {
    /// A boot that begins with a packet of this stage.
    #[must_use]
    pub const fn begin(id: BootId, stage: Stage, at: DateTime<Utc>) -> Self {
        Self {
            id,
            began_at: at,
            last_at: at,
            phase: Self::phase_of(stage),
        }
    }

    /// True when a packet of this stage does not belong to this boot: the machine has started anew.
    #[must_use]
    pub fn is_over(&self, stage: Stage, at: DateTime<Utc>) -> bool {
        // The clock may have been set back: then a boot is not over because of time.
        if at - self.last_at > IDLE && !matches!(stage, Stage::Image) {
            return true;
        }
        match stage {
            // The firmware asks once more after a loader that did not become iPXE, or an iPXE that never got its
            // script: a loop, and one transcript.
            Stage::Firmware(_) => self.phase >= Phase::Script,
            Stage::Ipxe => self.phase >= Phase::Script,
            // A script can be asked for again from the script itself; the image belongs to whatever started it.
            Stage::Script => self.phase >= Phase::Reported,
            Stage::Image | Stage::Ordinary => false,
        }
    }

    /// Takes in a packet that belongs to this boot.
    pub fn packet(&mut self, stage: Stage, at: DateTime<Utc>) {
        self.last_at = self.last_at.max(at);
        if stage.boots() {
            self.phase = self.phase.max(Self::phase_of(stage));
        }
    }

    /// Takes in anything else that happened in this boot.
    pub fn event(&mut self, event: &Event) {
        self.last_at = self.last_at.max(event.at);
        let phase = match event.kind {
            EventKind::TftpDone => Phase::Loader,
            EventKind::BootScript => Phase::Script,
            EventKind::HttpFile => match event.params.get("file").map(String::as_str) {
                Some("vmlinuz" | "initrd") => Phase::Image,
                _ => Phase::Loader,
            },
            EventKind::ImageProgress | EventKind::FactsRefused => Phase::Image,
            EventKind::FactsAccepted => Phase::Reported,
            _ => return,
        };
        self.phase = self.phase.max(phase);
    }

    const fn phase_of(stage: Stage) -> Phase {
        match stage {
            Stage::Firmware(_) | Stage::Ordinary => Phase::Firmware,
            Stage::Ipxe => Phase::Ipxe,
            Stage::Script => Phase::Script,
            Stage::Image => Phase::Image,
        }
    }
}
