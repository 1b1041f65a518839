//! What a process has used: processor time and memory.

use std::{fs, time::Duration};

use nix::unistd::{SysconfVar, sysconf};

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Processor time in user and kernel mode.
    pub cpu: Duration,
    /// Resident memory now, bytes.
    pub resident: u64,
    /// The most resident memory so far, bytes.
    pub peak: u64,
}

impl Usage {
    /// Of the process with this id; `None` when it has ended.
    #[must_use]
    pub fn of(process: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        Self::read(&status, &stat, ticks_per_second())
    }

    fn read(status: &str, stat: &str, ticks_per_second: u64) -> Option<Self> {
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
            Some(kib * 1024)
        };
        // The name in brackets may hold spaces: fields are counted from its end, where the third one follows.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let user: u64 = fields.next()?.parse().ok()?;
        let kernel: u64 = fields.next()?.parse().ok()?;
        Some(Self {
            cpu: Duration::from_millis((user + kernel) * 1000 / ticks_per_second.max(1)),
            resident: bytes("VmRSS:")?,
            peak: bytes("VmHWM:")?,
        })
    }
}

fn ticks_per_second() -> u64 {
    sysconf(SysconfVar::CLK_TCK)
        .ok()
        .flatten()
        .and_then(|ticks| u64::try_from(ticks).ok())
        .unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_with_spaces_in_the_name() {
        let status = "Name:\tmuster (x) y\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\n";
        let stat = "7 (muster (x) y) S 1 7 7 0 -1 4194304 500 0 0 0 150 50 0 0 20 0 3 0 1 1 1";
        assert_eq!(
            Usage::read(status, stat, 100),
            Some(Usage {
                cpu: Duration::from_secs(2),
                resident: 1 << 20,
                peak: 2 << 20
            })
        );
        assert!(Usage::of(std::process::id()).is_some_and(|usage| usage.peak >= usage.resident));
    }
}
