use std::fmt;

/// What the numbers of a series are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Between 0 and 1.
    Share,
    /// Bytes.
    Bytes,
    /// Bytes each second.
    BytesPerSecond,
    /// Something each second.
    PerSecond,
    /// Degrees Celsius.
    Celsius,
    /// A number of things, also a load average.
    Count,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// The word used in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Bytes => "bytes",
            Self::BytesPerSecond => "bytes_per_second",
            Self::PerSecond => "per_second",
            Self::Celsius => "celsius",
            Self::Count => "count",
            Self::Seconds => "seconds",
        }
    }

    /// The least and the most that is believed.
    pub(super) const fn bounds(self) -> (f64, f64) {
        match self {
            Self::Share => (0.0, 1.0),
            // Four exbibytes.
            Self::Bytes => (0.0, 4.6e18),
            Self::BytesPerSecond => (0.0, 1e13),
            Self::PerSecond => (0.0, 1e9),
            Self::Celsius => (-100.0, 300.0),
            Self::Count => (0.0, 1e6),
            // A thousand years.
            Self::Seconds => (0.0, 3.2e10),
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $id:literal, $name:literal, $unit:ident;)*) => {
        /// What is measured. The number of each is written to disk and never given to another.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $variant = $id),* }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word used in API and catalogue keys: `group.what`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// What its numbers are.
            #[must_use]
            pub const fn unit(self) -> Unit {
                match self { $(Self::$variant => Unit::$unit),* }
            }

            pub(super) const fn by_id(id: u8) -> Option<Self> {
                match id { $($id => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

kinds! {
    /// Programs.
    CpuUser = 1, "cpu.user", Share;
    /// The kernel.
    CpuSystem = 2, "cpu.system", Share;
    /// Waiting for disks.
    CpuIowait = 3, "cpu.iowait", Share;
    /// Taken by the hypervisor.
    CpuSteal = 4, "cpu.steal", Share;
    /// Everything but idle.
    CpuBusy = 5, "cpu.busy", Share;
    /// Load average of a minute.
    Load1 = 10, "load.1", Count;
    /// Load average of five minutes.
    Load5 = 11, "load.5", Count;
    /// Load average of a quarter of an hour.
    Load15 = 12, "load.15", Count;
    /// Memory that programs cannot get.
    MemoryUsed = 20, "memory.used", Bytes;
    /// All memory.
    MemoryTotal = 21, "memory.total", Bytes;
    /// Swap in use.
    SwapUsed = 22, "memory.swap_used", Bytes;
    /// All swap.
    SwapTotal = 23, "memory.swap_total", Bytes;
    /// What programs cannot write of a file system.
    FilesystemUsed = 30, "filesystem.used", Bytes;
    /// Its size.
    FilesystemSize = 31, "filesystem.size", Bytes;
    /// Share of its inodes that is in use.
    FilesystemInodes = 32, "filesystem.inodes", Share;
    /// Read from a disk.
    DiskRead = 40, "disk.read", BytesPerSecond;
    /// Written to a disk.
    DiskWrite = 41, "disk.write", BytesPerSecond;
    /// Requests to a disk.
    DiskRequests = 42, "disk.requests", PerSecond;
    /// Share of the time in which a disk had something to do.
    DiskBusy = 43, "disk.busy", Share;
    /// 1 while a disk says that it is well, 0 when it does not.
    DiskHealthy = 44, "disk.healthy", Count;
    /// Received by an interface.
    NicReceived = 50, "nic.rx", BytesPerSecond;
    /// Sent by an interface.
    NicSent = 51, "nic.tx", BytesPerSecond;
    /// Errors and dropped packets of an interface.
    NicErrors = 52, "nic.errors", PerSecond;
    /// A sensor.
    Temperature = 60, "temperature.sensor", Celsius;
    /// Units of systemd that failed.
    FailedUnits = 70, "system.failed_units", Count;
    /// Since the kernel started.
    Uptime = 71, "system.uptime", Seconds;
    /// Hosts that measured anything; of the fleet.
    HostsReporting = 80, "hosts.reporting", Count;
}

impl Kind {
    /// What comes before the point: kinds of one group belong into one chart or table.
    #[must_use]
    pub fn group(self) -> &'static str {
        self.as_str().split('.').next().unwrap_or_default()
    }

    /// Whether a word of a request names it: its own, or its group's.
    #[must_use]
    pub fn is_called(self, word: &str) -> bool {
        self.as_str() == word || self.group() == word
    }
}

/// Names one series of one host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesName {
    /// What is measured.
    pub kind: Kind,
    /// Of which of several: mount, disk, interface, sensor; empty when there is only one.
    pub instance: String,
}

impl SeriesName {
    /// The series of a kind that a host has once.
    #[must_use]
    pub const fn only(kind: Kind) -> Self {
        Self {
            kind,
            instance: String::new(),
        }
    }

    /// The series of one of several.
    #[must_use]
    pub fn of(kind: Kind, instance: impl Into<String>) -> Self {
        Self {
            kind,
            instance: instance.into(),
        }
    }
}

impl fmt::Display for SeriesName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        if !self.instance.is_empty() {
            write!(f, "[{}]", self.instance)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_number_and_has_a_name_of_its_own() {
        let mut names = std::collections::BTreeSet::new();
        for kind in Kind::ALL {
            assert_eq!(Kind::by_id(*kind as u8), Some(*kind));
            assert!(names.insert(kind.as_str()));
            assert!(kind.is_called(kind.group()) && kind.as_str().contains('.'));
        }
        assert_eq!(Kind::by_id(0), None);
    }
}
