//! Loaders and image files on their way to machines: by TFTP and by HTTP, each an event of the boot it belongs to.

use std::net::IpAddr;

use muster_facts::MacAddr;
use muster_wire::tftp::{End, Report};

use super::{BootFile, Discovery, FileFault};
use crate::boot::{Event, EventKind, Level};

/// What iPXE of 2021 and later asks for on its own account; its absence is the rule.
const OPTIONAL: &[&str] = &["autoexec.ipxe"];

/// What the events of one TFTP transfer have in common.
#[derive(Debug, Clone)]
pub struct TftpTicket {
    mac: Option<MacAddr>,
    client: IpAddr,
    file: String,
    size: u64,
}

impl Discovery {
    /// A machine asks for a file by TFTP. `neighbour` is its hardware address as the kernel knows it, for machines
    /// whose address is another server's.
    ///
    /// # Errors
    /// When there is no such loader.
    pub fn tftp_requested(
        &self,
        client: IpAddr,
        neighbour: Option<MacAddr>,
        file: &str,
    ) -> Result<(BootFile, TftpTicket), FileFault> {
        // Firmware sends the name as it was told, some with a slash before it.
        let name = file.trim_start_matches('/');
        let mac = self.mac_of_address(client).or(neighbour);
        let opened = self.files().loader(name);
        if let Some(mac) = mac {
            self.note(
                Event::new(self.now(), mac, EventKind::TftpRequest, Level::Info)
                    .with("file", shown(name))
                    .with("client", client.to_string()),
            );
            if let Err(fault) = &opened {
                self.note(
                    Event::new(self.now(), mac, EventKind::TftpFailed, level_without(name))
                        .with("file", shown(name))
                        .with("client", client.to_string())
                        .with("why", reason(fault)),
                );
            }
        }
        let file = opened?;
        let ticket = TftpTicket {
            mac,
            client,
            file: name.to_owned(),
            size: file.bytes.len() as u64,
        };
        Ok((file, ticket))
    }

    /// A TFTP transfer has ended.
    pub fn tftp_ended(&self, ticket: &TftpTicket, report: &Report) {
        let (kind, level, why) = match &report.end {
            End::Completed => (EventKind::TftpDone, Level::Info, "completed"),
            End::Unconfirmed => (EventKind::TftpDone, Level::Info, "unconfirmed"),
            // Firmware that only wants to know the size breaks off before the first byte.
            End::AbortedByClient { .. } if report.bytes == 0 => (EventKind::TftpFailed, Level::Info, "size_only"),
            End::AbortedByClient { .. } => (EventKind::TftpFailed, Level::Warn, "aborted_by_client"),
            End::TimedOut => (EventKind::TftpFailed, Level::Fail, "timed_out"),
            End::TooSlow => (EventKind::TftpFailed, Level::Fail, "too_slow"),
            End::ContentFailed => (EventKind::TftpFailed, Level::Fail, "cut_off"),
        };
        let Some(mac) = ticket.mac else { return };
        self.note(
            Event::new(self.now(), mac, kind, level)
                .with("file", shown(&ticket.file))
                .with("client", ticket.client.to_string())
                .with("size", ticket.size.to_string())
                .with("bytes", report.bytes.to_string())
                .with("ms", report.duration_ms.to_string())
                .with("retransmits", report.retransmits.to_string())
                .with("why", why),
        );
    }

    /// A machine was given a file by HTTP.
    pub fn http_file_served(&self, client: IpAddr, file: &str, bytes: u64) {
        self.note_http(client, EventKind::HttpFile, Level::Info, file, |event| {
            event.with("bytes", bytes.to_string())
        });
    }

    /// A machine fetched the agent's program whole. It is an installer that does, so it is no part of a boot's transcript.
    pub fn agent_served(&self, client: IpAddr, architecture: &str, bytes: u64) {
        let Some(mac) = self.mac_of_address(client) else { return };
        let event = Event {
            mac: None,
            host: self.view().host_by_mac(mac),
            ..Event::new(self.now(), mac, EventKind::HttpFile, Level::Info)
        };
        self.note(
            event
                .with("file", shown(&format!("muster-agent-{architecture}")))
                .with("client", client.to_string())
                .with("bytes", bytes.to_string()),
        );
    }

    /// A machine asked for a file that is not there.
    pub fn http_file_refused(&self, client: IpAddr, file: &str, fault: &FileFault) {
        self.note_http(client, EventKind::HttpRefused, level_without(file), file, |event| {
            event.with("why", reason(fault)).with("code", "boot_file_missing")
        });
    }

    fn note_http(&self, client: IpAddr, kind: EventKind, level: Level, file: &str, more: impl FnOnce(Event) -> Event) {
        let Some(mac) = self.mac_of_address(client) else { return };
        self.note(more(
            Event::new(self.now(), mac, kind, level)
                .with("file", shown(file))
                .with("client", client.to_string()),
        ));
    }
}

/// How much it matters that a file is not there.
fn level_without(file: &str) -> Level {
    if OPTIONAL.contains(&file) {
        Level::Info
    } else {
        Level::Fail
    }
}

/// A name from outside, fit for an event.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(128).collect()
}

const fn reason(fault: &FileFault) -> &'static str {
    match fault {
        FileFault::BadName(_) => "bad_name",
        FileFault::Missing { .. } => "missing",
        FileFault::Outside { .. } => "outside",
        FileFault::TooLarge { .. } => "too_large",
        FileFault::Unreadable { .. } => "unreadable",
    }
}
