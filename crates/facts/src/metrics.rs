//! What an agent measures each minute: one [`Sample`], typed like the facts and just as free of I/O.
//!
//! Counters of the kernel are turned into rates by the agent, which alone knows when it read them; what could not be
//! measured is `None` or left out, never zero. Shares are between 0 and 1.

use serde::{Deserialize, Serialize};

/// What one machine measured at one time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// Seconds since the Unix epoch by the machine's own clock, which may be wrong.
    pub at_unix_s: u64,
    /// Since the kernel started, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_s: Option<u64>,
    /// Time of all processors since the sample before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<CpuTime>,
    /// Load averages of 1, 5 and 15 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<[f64; 3]>,
    /// Main memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryUse>,
    /// Mounted file systems of disks and of the network.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filesystems: Vec<FilesystemUse>,
    /// Whole disks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<DiskTraffic>,
    /// Network interfaces without `lo`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nics: Vec<NicTraffic>,
    /// Sensors of temperature.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub temperatures: Vec<Temperature>,
    /// Units of systemd that failed, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_units: Option<Vec<String>>,
    /// Ports that programs listen on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listening: Vec<Listening>,
}

/// Shares of the time of all processors; they add up to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuTime {
    /// Programs, with those of low priority.
    pub user: f64,
    /// The kernel, with interrupts.
    pub system: f64,
    /// Waiting for disks.
    pub iowait: f64,
    /// Taken by the hypervisor.
    pub steal: f64,
    /// Nothing to do.
    pub idle: f64,
}

/// Main memory and swap, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryUse {
    /// All there is.
    pub total_bytes: u64,
    /// What programs could still get without swapping (`MemAvailable`).
    pub available_bytes: u64,
    /// All swap there is.
    pub swap_total_bytes: u64,
    /// Swap that is not in use.
    pub swap_free_bytes: u64,
}

/// One mounted file system.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FilesystemUse {
    /// Where it is mounted.
    pub mount: String,
    /// Its kind, e.g. `ext4`.
    pub kind: String,
    /// Size, bytes.
    pub size_bytes: u64,
    /// What programs without privileges could still write, bytes.
    pub free_bytes: u64,
    /// Inodes in all; zero where the file system does not count them.
    pub inodes: u64,
    /// Inodes that are not in use.
    pub inodes_free: u64,
}

/// What went to and from one whole disk since the sample before.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DiskTraffic {
    /// Name of the kernel, e.g. `sda`.
    pub name: String,
    /// Bytes read each second.
    pub read_bytes_s: f64,
    /// Bytes written each second.
    pub write_bytes_s: f64,
    /// Requests of both kinds each second.
    pub requests_s: f64,
    /// Share of the time in which it had something to do.
    pub busy: f64,
    /// What the disk says of its own health; `None` where it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
}

/// What went through one network interface since the sample before.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NicTraffic {
    /// Name of the kernel, e.g. `eth0`.
    pub name: String,
    /// Bytes received each second.
    pub rx_bytes_s: f64,
    /// Bytes sent each second.
    pub tx_bytes_s: f64,
    /// Errors and dropped packets of both directions each second.
    pub errors_s: f64,
}

/// One sensor.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Temperature {
    /// Chip and label, e.g. `coretemp Package id 0`.
    pub sensor: String,
    /// Degrees Celsius.
    pub celsius: f64,
}

/// One port that a program listens on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Listening {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Address it is bound to; `0.0.0.0` or `::` for all.
    pub address: String,
    /// Port.
    pub port: u16,
}
