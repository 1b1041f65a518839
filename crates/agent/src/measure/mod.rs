//! What a machine measures each minute: one [`Sample`] from two readings of its counters.
//!
//! As with the facts, everything is read below a root, nothing fails and nothing waits for ever: what cannot be read, or
//! is not read in its time, is left out. What only the running kernel or its programs can tell (space of file systems,
//! units of systemd) is asked only when the root is `/`.

mod filesystems;
mod kernel;
mod ports;
mod questions;
mod sensors;
mod traffic;
mod units;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use muster_facts::metrics::Sample;

use crate::gather::tree::Tree;
use filesystems::Filesystems;
use kernel::Processors;
use questions::Questions;
use traffic::{Disks, Nics};

/// What has not answered after this long is left out of a sample: a network that is gone, a disk that is dying.
const LIMIT: Duration = Duration::from_secs(10);

/// Measures one machine again and again.
#[derive(Debug)]
pub struct Gauge {
    root: PathBuf,
    /// The reading before.
    last: Option<Counters>,
    filesystems: Filesystems,
    sensors: Questions<Vec<muster_facts::metrics::Temperature>>,
    units: Questions<Option<Vec<String>>>,
}

/// What the kernel has counted since it started.
#[derive(Debug)]
struct Counters {
    taken: Instant,
    processors: Option<Processors>,
    disks: Disks,
    nics: Nics,
}

impl Gauge {
    /// The machine whose root directory is `root`; `/` for the one this runs on.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        let is_live = root == Path::new("/");
        Self {
            root: root.to_owned(),
            last: None,
            filesystems: Filesystems::new(is_live.then_some(filesystems::space)),
            sensors: Questions::default(),
            units: Questions::default(),
        }
    }

    /// The machine at this time, by the clock that nobody sets (`now`) and by the time of day (`at`). Shares and rates are
    /// those since the call before; the first call has none.
    pub fn measure(&mut self, now: Instant, at: SystemTime) -> Sample {
        let end = Instant::now() + LIMIT;
        let tree = Tree::new(&self.root);
        // What may take long is asked first and waited for last.
        self.filesystems.ask(&tree);
        for chip in sensors::chips(&tree) {
            let root = self.root.clone();
            let key = chip.key();
            self.sensors.ask(&key, move || chip.read(&Tree::new(&root)));
        }
        if tree.is_live() && tree.exists(units::MARK) {
            self.units.ask("systemctl", units::failed);
        }
        let counters = Counters {
            taken: now,
            processors: kernel::processors(&tree),
            disks: traffic::disks(&tree),
            nics: traffic::nics(&tree),
        };
        let mut sample = Sample {
            at_unix_s: at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            uptime_s: kernel::uptime(&tree),
            load: kernel::load(&tree),
            memory: kernel::memory(&tree),
            listening: ports::listening(&tree),
            ..Sample::default()
        };
        if let Some(last) = &self.last {
            let elapsed = now.saturating_duration_since(last.taken);
            sample.cpu = kernel::shares(last.processors.as_ref(), counters.processors.as_ref());
            sample.disks = traffic::disk_rates(&last.disks, &counters.disks, elapsed);
            sample.nics = traffic::nic_rates(&last.nics, &counters.nics, elapsed);
        }
        self.last = Some(counters);
        sample.filesystems = self.filesystems.take(end);
        sample.temperatures = sensors::together(self.sensors.take(end));
        sample.failed_units = self.units.take(end).into_values().next().flatten();
        sample
    }
}

/// Rounded to so many places: more say nothing and take room.
fn rounded(value: f64, places: i32) -> f64 {
    let scale = 10_f64.powi(places);
    (value * scale).round() / scale
}

/// A text of at most 128 bytes; a kernel's names are shorter.
fn bounded(text: &str) -> String {
    const MOST: usize = 128;
    let mut end = text.len().min(MOST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn an_empty_root_is_measured_and_has_nothing_to_say() {
        let root = tempfile::tempdir().unwrap();
        let mut gauge = Gauge::new(root.path());
        let at = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let empty = Sample {
            at_unix_s: 1_700_000_000,
            ..Sample::default()
        };
        let now = Instant::now();
        assert_eq!(gauge.measure(now, at), empty);
        assert_eq!(gauge.measure(now + Duration::from_secs(60), at), empty);
    }

    #[test]
    fn rates_are_those_between_two_readings() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(
            root,
            &[
                ("proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 1 1 1\n"),
                ("proc/uptime", "25723.22 7556.98\n"),
                ("proc/loadavg", "2.56 1.95 1.39 4/117 24097\n"),
                (
                    "proc/net/dev",
                    "Inter-| x\n face |bytes\n  eth0: 1000 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0\n",
                ),
            ],
        );
        let mut gauge = Gauge::new(root);
        let now = Instant::now();
        let first = gauge.measure(now, UNIX_EPOCH);
        assert_eq!((first.uptime_s, first.load), (Some(25_723), Some([2.56, 1.95, 1.39])));
        assert_eq!((first.cpu, first.nics.len()), (None, 0));
        write(
            root,
            &[
                ("proc/stat", "cpu  150 0 125 825 0 0 0 0 0 0\n"),
                (
                    "proc/net/dev",
                    "Inter-| x\n face |bytes\n  eth0: 7000 1 30 0 0 0 0 0 12500 1 0 30 0 0 0 0\n",
                ),
            ],
        );
        let second = gauge.measure(now + Duration::from_secs(60), UNIX_EPOCH);
        let cpu = second.cpu.unwrap();
        assert_eq!((cpu.user, cpu.system, cpu.idle), (0.5, 0.25, 0.25));
        let nic = &second.nics[0];
        assert_eq!((nic.rx_bytes_s, nic.tx_bytes_s, nic.errors_s), (100.0, 200.0, 1.0));
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(bounded("eth0"), "eth0");
        assert_eq!(bounded(&"é".repeat(100)).len(), 128);
        assert_eq!(bounded(&format!("x{}", "é".repeat(100))).len(), 127);
    }

    /// Each file that is read, as a machine might have it.
    const FILES: [(&str, &str); 13] = [
        ("proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\n"),
        ("proc/uptime", "25723.22 7556.98\n"),
        ("proc/loadavg", "2.56 1.95 1.39 4/117 24097\n"),
        ("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 500 kB\n"),
        ("proc/diskstats", "   8  0 sda 1 0 8 5 10 0 600 5 0 20 9\n"),
        ("sys/block/sda/size", "8\n"),
        (
            "proc/net/dev",
            "head\nhead\n  eth0: 1000 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0\n",
        ),
        ("proc/net/tcp", "head\n   0: 0100007F:1F90 00000000:0000 0A 0:0\n"),
        (
            "proc/net/udp6",
            "head\n 0: 00000000000000000000000001000000:0277 0:0 07 0:0\n",
        ),
        ("proc/self/mountinfo", "27 1 254:0 / /a\\040b rw - ext4 /dev/vda rw\n"),
        ("sys/class/hwmon/hwmon0/name", "nvme\n"),
        ("sys/class/hwmon/hwmon0/temp1_label", "Composite\n"),
        ("sys/class/hwmon/hwmon0/temp1_input", "38850\n"),
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// What the kernel says is read by rules that it may not keep.
        #[test]
        fn nothing_that_a_file_may_hold_stops_a_sample(
            changes in proptest::collection::vec((0..FILES.len(), 0..60_usize, any::<u8>()), 1..40),
        ) {
            let root = tempfile::tempdir().unwrap();
            write(root.path(), &FILES);
            let mut gauge = Gauge::new(root.path());
            let now = Instant::now();
            gauge.measure(now, UNIX_EPOCH);
            for (file, place, byte) in changes {
                let path = root.path().join(FILES[file].0);
                let mut text = fs::read(&path).unwrap();
                match text.get_mut(place) {
                    Some(old) => *old = byte,
                    None => text.push(byte),
                }
                fs::write(path, text).unwrap();
            }
            let sample = gauge.measure(now + Duration::from_secs(60), UNIX_EPOCH);
            let json = serde_json::to_string(&sample).unwrap();
            prop_assert!(!json.contains("null"), "{}", json);
            prop_assert!(serde_json::from_str::<Sample>(&json).is_ok());
        }
    }
}
