//! What installed machines measured, for the pages that draw it.

use chrono::{DateTime, TimeDelta, Utc};
use muster::{
    inventory::HostId,
    metrics::{Block, Faults, Step, judge, totals},
    store::{AgentHeard, HostQuery, Services, Store, Write},
};
use muster_facts::metrics::{CpuTime, DiskTraffic, FilesystemUse, MemoryUse, NicTraffic, Sample, Temperature};

use muster::provision::metrics::Metrics;

/// Enters a day of measurements of a host, with an hour in which it was off, and of many hosts when they were heard.
pub(crate) async fn enter(store: &Store, host: HostId) {
    let now = Utc::now();
    let minutes = (0..1440).rev().filter(|minute| !(300..360).contains(minute));
    let samples: Vec<(i64, Vec<u8>)> = minutes
        .map(|minute| {
            let at = now.timestamp() - 60 * minute;
            let judged = judge(&sample(1440 - minute), "sample", &mut Faults::default());
            (at, Block::sample(at, judged.values).pack().unwrap())
        })
        .collect();
    let services = Services {
        failed_units: Some(vec!["backup.service".to_owned(), "smartd.service".to_owned()]),
        listening: [22, 80, 443, 9100]
            .map(|port| ("tcp".to_owned(), "0.0.0.0".to_owned(), port))
            .into(),
    };
    let mut writes = vec![heard(host, now, samples, Some(services))];
    let query = HostQuery {
        limit: 400,
        ..HostQuery::default()
    };
    let hosts = store.hosts(&query).await.unwrap().hosts;
    for (place, other) in hosts.iter().filter(|other| other.id != host).enumerate() {
        let ago = match place % 20 {
            3 => TimeDelta::minutes(6),
            7 => TimeDelta::hours(5),
            _ => TimeDelta::seconds(20),
        };
        writes.push(heard(other.id, now - ago, Vec::new(), None));
    }
    for step in 1..=280 {
        let at = (now.timestamp() / 300 - step) * 300;
        let mut all = totals();
        for host in 0..20 {
            let judged = judge(&sample(step * 3 + host * 7), "sample", &mut Faults::default());
            all.add(&Block::sample(at, judged.values));
        }
        let block = all.block(at).filter(|_| !(100..110).contains(&step));
        writes.extend(block.map(|block| Write::FleetMetrics {
            step: Step::Five,
            block,
        }));
    }
    store.writer().commit(writes).await.unwrap();
    Metrics::new(store.clone()).keep(now).await.unwrap();
}

fn heard(host: HostId, at: DateTime<Utc>, samples: Vec<(i64, Vec<u8>)>, services: Option<Services>) -> Write {
    Write::AgentHeard(Box::new(AgentHeard {
        host,
        at,
        address: "127.77.1.9".parse().unwrap(),
        acknowledged: None,
        samples,
        services,
    }))
}

/// A busy day, the same each time.
fn sample(minute: i64) -> Sample {
    let wave = |length: f64, shift: f64| 0.5 + 0.5 * (minute as f64 / length * std::f64::consts::TAU + shift).sin();
    let (user, system) = (0.1 + 0.5 * wave(720.0, 0.0), 0.02 + 0.1 * wave(90.0, 1.0));
    let filesystems = [("/", 60.0), ("/var", 10.0), ("/srv/data", 2.0)].map(|(mount, rate)| FilesystemUse {
        mount: mount.to_owned(),
        kind: "ext4".to_owned(),
        size_bytes: 400 << 30,
        free_bytes: (300 << 30) - (minute as f64 * rate * 2e6) as u64,
        inodes: 1_000_000,
        inodes_free: 900_000,
    });
    let disks = [("sda", 1.0), ("nvme0n1", 9.0)].map(|(name, factor)| DiskTraffic {
        name: name.to_owned(),
        read_bytes_s: factor * 4e6 * wave(45.0, factor),
        write_bytes_s: factor * 7e6 * wave(200.0, factor),
        requests_s: 300.0 * factor,
        busy: 0.6 * wave(200.0, factor),
        healthy: Some(true),
    });
    let nics = [("eno1", 1.0), ("eno2", 0.1)].map(|(name, factor)| NicTraffic {
        name: name.to_owned(),
        rx_bytes_s: factor * 8e7 * wave(300.0, 0.3),
        tx_bytes_s: factor * 3e7 * wave(120.0, 0.9),
        errors_s: 0.0,
    });
    let temperatures = ["coretemp Package id 0", "nvme Composite"].map(|sensor| Temperature {
        sensor: sensor.to_owned(),
        celsius: 41.0 + 20.0 * wave(720.0, sensor.len() as f64),
    });
    Sample {
        uptime_s: Some(minute.unsigned_abs() * 60),
        cpu: Some(CpuTime {
            user,
            system,
            iowait: 0.03 * wave(60.0, 2.0),
            steal: 0.0,
            idle: 1.0 - user - system - 0.03 * wave(60.0, 2.0),
        }),
        load: Some([16.0 * user, 14.0 * user, 12.0 * user]),
        memory: Some(MemoryUse {
            total_bytes: 256 << 30,
            available_bytes: (60 << 30) + (9e10 * wave(720.0, 2.0)) as u64,
            swap_total_bytes: 8 << 30,
            swap_free_bytes: 7 << 30,
        }),
        filesystems: filesystems.into(),
        disks: disks.into(),
        nics: nics.into(),
        temperatures: temperatures.into(),
        ..Sample::default()
    }
}
