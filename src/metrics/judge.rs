//! A sample's numbers as series, as far as they can be believed.

use std::collections::BTreeMap;

use muster_facts::{clean_text, metrics::Sample};

use super::{Faults, Kind, SeriesName};

/// Of one kind of thing: file systems, disks, interfaces, sensors.
const MOST_OF_A_KIND: usize = 128;
/// Longest name of one of them, bytes.
const LONGEST_NAME: usize = 128;
/// A share that was worked out from two counters may miss its bounds by this much; it is put right.
const ROUNDING: f64 = 0.05;
/// Names of failed units that are kept.
const MOST_UNITS: usize = 50;
/// Ports that are kept.
const MOST_PORTS: usize = 500;

/// What became of a sample.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judged {
    /// Its numbers.
    pub values: BTreeMap<SeriesName, f32>,
    /// Units that failed; `None` where it is not known.
    pub failed_units: Option<Vec<String>>,
    /// Ports that are listened on: `tcp 0.0.0.0 22`.
    pub listening: Vec<(String, String, u16)>,
}

/// Turns a sample into numbers; what cannot be is told in `faults`, below `path`.
#[must_use]
pub fn judge(sample: &Sample, path: &str, faults: &mut Faults) -> Judged {
    let mut bench = Bench {
        path,
        faults,
        values: BTreeMap::new(),
    };
    if let Some(uptime) = sample.uptime_s {
        bench.put(SeriesName::only(Kind::Uptime), uptime as f64);
    }
    if let Some(cpu) = sample.cpu {
        let parts = [
            (Kind::CpuUser, cpu.user),
            (Kind::CpuSystem, cpu.system),
            (Kind::CpuIowait, cpu.iowait),
            (Kind::CpuSteal, cpu.steal),
            (Kind::CpuBusy, 1.0 - cpu.idle),
        ];
        for (kind, share) in parts {
            bench.put(SeriesName::only(kind), share);
        }
    }
    for (kind, load) in [Kind::Load1, Kind::Load5, Kind::Load15]
        .into_iter()
        .zip(sample.load.into_iter().flatten())
    {
        bench.put(SeriesName::only(kind), load);
    }
    if let Some(memory) = sample.memory {
        bench.pair(
            "memory",
            memory.total_bytes,
            memory.available_bytes,
            (Kind::MemoryTotal, Kind::MemoryUsed),
            "",
        );
        if memory.swap_total_bytes > 0 {
            bench.pair(
                "swap",
                memory.swap_total_bytes,
                memory.swap_free_bytes,
                (Kind::SwapTotal, Kind::SwapUsed),
                "",
            );
        }
    }
    for (place, filesystem) in bench.few("filesystems", &sample.filesystems) {
        let Some(mount) = bench.name("filesystems", place, &filesystem.mount) else {
            continue;
        };
        // File systems without a size, such as those of the kernel, cannot be full.
        if filesystem.size_bytes == 0 {
            continue;
        }
        let kinds = (Kind::FilesystemSize, Kind::FilesystemUsed);
        bench.pair(
            &format!("filesystems[{place}]"),
            filesystem.size_bytes,
            filesystem.free_bytes,
            kinds,
            &mount,
        );
        if filesystem.inodes > 0 {
            let used = 1.0 - filesystem.inodes_free as f64 / filesystem.inodes as f64;
            bench.put(SeriesName::of(Kind::FilesystemInodes, mount), used);
        }
    }
    for (place, disk) in bench.few("disks", &sample.disks) {
        let Some(name) = bench.name("disks", place, &disk.name) else {
            continue;
        };
        let parts = [
            (Kind::DiskRead, disk.read_bytes_s),
            (Kind::DiskWrite, disk.write_bytes_s),
            (Kind::DiskRequests, disk.requests_s),
            (Kind::DiskBusy, disk.busy),
        ];
        for (kind, value) in parts {
            bench.put(SeriesName::of(kind, &name), value);
        }
        if let Some(healthy) = disk.healthy {
            bench.put(SeriesName::of(Kind::DiskHealthy, name), f64::from(u8::from(healthy)));
        }
    }
    for (place, nic) in bench.few("nics", &sample.nics) {
        let Some(name) = bench.name("nics", place, &nic.name) else {
            continue;
        };
        let parts = [
            (Kind::NicReceived, nic.rx_bytes_s),
            (Kind::NicSent, nic.tx_bytes_s),
            (Kind::NicErrors, nic.errors_s),
        ];
        for (kind, value) in parts {
            bench.put(SeriesName::of(kind, &name), value);
        }
    }
    for (place, sensor) in bench.few("temperatures", &sample.temperatures) {
        if let Some(name) = bench.name("temperatures", place, &sensor.sensor) {
            bench.put(SeriesName::of(Kind::Temperature, name), sensor.celsius);
        }
    }
    if let Some(units) = &sample.failed_units {
        bench.put(SeriesName::only(Kind::FailedUnits), units.len() as f64);
    }
    Judged {
        values: bench.values,
        failed_units: sample
            .failed_units
            .as_ref()
            .map(|units| units.iter().filter_map(|unit| short(unit)).take(MOST_UNITS).collect()),
        listening: sample
            .listening
            .iter()
            .filter_map(|port| Some((short(&port.protocol)?, short(&port.address)?, port.port)))
            .take(MOST_PORTS)
            .collect(),
    }
}

fn short(name: &str) -> Option<String> {
    clean_text(name).filter(|name| name.len() <= LONGEST_NAME)
}

struct Bench<'a> {
    path: &'a str,
    faults: &'a mut Faults,
    values: BTreeMap<SeriesName, f32>,
}

impl Bench<'_> {
    fn fault(&mut self, field: &str, why: impl std::fmt::Display) {
        self.faults.add(format!("{}.{field}", self.path), why);
    }

    fn put(&mut self, name: SeriesName, value: f64) {
        let (least, most) = name.kind.unit().bounds();
        let slack = if most <= 1.0 { ROUNDING } else { 0.0 };
        if !value.is_finite() || value < least - slack || value > most + slack {
            let why = format!("{value} is not between {least} and {most}");
            return self.fault(&name.to_string(), why);
        }
        // One name twice in a sample: the first is kept, as of two mounts at one place the first is below.
        self.values.entry(name).or_insert(value.clamp(least, most) as f32);
    }

    /// All of something and what is free of it, as all and what is used.
    fn pair(&mut self, field: &str, all: u64, free: u64, (total, used): (Kind, Kind), instance: &str) {
        if free > all {
            return self.fault(field, format_args!("{free} bytes free of {all}"));
        }
        self.put(SeriesName::of(total, instance), all as f64);
        self.put(SeriesName::of(used, instance), (all - free) as f64);
    }

    /// The first ones of a list, with their places; that there are more is told.
    fn few<'s, T>(&mut self, field: &str, list: &'s [T]) -> impl Iterator<Item = (usize, &'s T)> + use<'s, T> {
        if list.len() > MOST_OF_A_KIND {
            let why = format!("{} of them; the first {MOST_OF_A_KIND} are kept", list.len());
            self.fault(field, why);
        }
        list.iter().take(MOST_OF_A_KIND).enumerate()
    }

    fn name(&mut self, field: &str, place: usize, name: &str) -> Option<String> {
        let short = short(name);
        if short.is_none() {
            let why = format!("its name is empty or longer than {LONGEST_NAME} bytes");
            self.fault(&format!("{field}[{place}]"), why);
        }
        short
    }
}

#[cfg(test)]
mod tests {
    use muster_facts::metrics::{CpuTime, DiskTraffic, FilesystemUse, MemoryUse, Temperature};

    use super::*;

    fn judged(sample: &Sample) -> (BTreeMap<SeriesName, f32>, Vec<String>) {
        let mut faults = Faults::default();
        let judged = judge(sample, "samples[0]", &mut faults);
        let told = faults.told.into_iter().map(|fault| fault.field).collect();
        (judged.values, told)
    }

    #[test]
    fn what_was_measured_becomes_series() {
        let sample = Sample {
            cpu: Some(CpuTime {
                user: 0.25,
                idle: 0.75,
                ..CpuTime::default()
            }),
            memory: Some(MemoryUse {
                total_bytes: 1 << 30,
                available_bytes: 1 << 28,
                ..MemoryUse::default()
            }),
            filesystems: vec![FilesystemUse {
                mount: "/".into(),
                size_bytes: 100,
                free_bytes: 25,
                inodes: 1000,
                inodes_free: 900,
                ..FilesystemUse::default()
            }],
            ..Sample::default()
        };
        let (values, told) = judged(&sample);
        let value = |kind, instance: &str| values[&SeriesName::of(kind, instance)];
        assert_eq!((value(Kind::CpuUser, ""), value(Kind::CpuBusy, "")), (0.25, 0.25));
        assert_eq!(value(Kind::MemoryUsed, ""), (3 << 28) as f32);
        assert_eq!(
            (value(Kind::FilesystemUsed, "/"), value(Kind::FilesystemSize, "/")),
            (75.0, 100.0)
        );
        assert!((value(Kind::FilesystemInodes, "/") - 0.1).abs() < 1e-6);
        assert!(
            !values.contains_key(&SeriesName::only(Kind::SwapTotal)),
            "there is no swap"
        );
        assert_eq!(told, [""; 0]);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name_and_the_rest_is_kept() {
        let sample = Sample {
            load: Some([f64::NAN, f64::INFINITY, 1.5]),
            cpu: Some(CpuTime {
                user: -3.0,
                system: 1.02,
                idle: 1.04,
                ..CpuTime::default()
            }),
            memory: Some(MemoryUse {
                total_bytes: 1,
                available_bytes: 2,
                ..MemoryUse::default()
            }),
            disks: vec![DiskTraffic {
                name: " ".into(),
                ..DiskTraffic::default()
            }],
            temperatures: vec![Temperature {
                sensor: "cpu".into(),
                celsius: 65_261.0,
            }],
            ..Sample::default()
        };
        let (values, told) = judged(&sample);
        assert_eq!(
            told,
            [
                "samples[0].cpu.user",
                "samples[0].load.1",
                "samples[0].load.5",
                "samples[0].memory",
                "samples[0].disks[0]",
                "samples[0].temperature.sensor[cpu]"
            ]
        );
        assert_eq!(values[&SeriesName::only(Kind::CpuSystem)], 1.0, "rounding is put right");
        assert_eq!(values[&SeriesName::only(Kind::CpuBusy)], 0.0);
        assert_eq!(values[&SeriesName::only(Kind::Load15)], 1.5);
    }

    #[test]
    fn lists_are_bounded() {
        let sample = Sample {
            temperatures: (0..1000)
                .map(|n| Temperature {
                    sensor: n.to_string(),
                    celsius: 40.0,
                })
                .collect(),
            failed_units: Some(vec!["a.service".into(); 400]),
            ..Sample::default()
        };
        let mut faults = Faults::default();
        let judged = judge(&sample, "samples[0]", &mut faults);
        assert_eq!((judged.values.len(), faults.count), (MOST_OF_A_KIND + 1, 1));
        assert_eq!(judged.failed_units.map(|units| units.len()), Some(MOST_UNITS));
    }
}
