//! What all machines come to together.

use std::collections::BTreeMap;

use super::{Block, Kind, SeriesName};

/// Kinds that are summed over hosts, and over the instances of a host.
const SUMMED: &[Kind] = &[
    Kind::MemoryUsed,
    Kind::MemoryTotal,
    Kind::FilesystemUsed,
    Kind::FilesystemSize,
    Kind::DiskRead,
    Kind::DiskWrite,
    Kind::NicReceived,
    Kind::NicSent,
];
/// Kinds whose mean over hosts is kept, with the least and the most of them.
const MEANT: &[Kind] = &[Kind::CpuBusy, Kind::Load1];

/// Adds up hosts one by one, each with what it measured in one step of time.
#[derive(Debug, Default)]
pub struct Totals {
    hosts: u32,
    sums: BTreeMap<Kind, f64>,
    means: BTreeMap<Kind, (f64, u32)>,
}

/// Nothing added up yet.
#[must_use]
pub fn totals() -> Totals {
    Totals::default()
}

impl Totals {
    /// Adds what one host measured.
    pub fn add(&mut self, measured: &Block) {
        if measured.is_empty() {
            return;
        }
        self.hosts += 1;
        let rolled = measured.rolled(i64::MAX);
        for (name, points) in &rolled.lines {
            let Some(value) = points.first().map(|point| f64::from(point.avg)) else {
                continue;
            };
            if SUMMED.contains(&name.kind) {
                *self.sums.entry(name.kind).or_default() += value;
            } else if MEANT.contains(&name.kind) {
                let mean = self.means.entry(name.kind).or_default();
                mean.0 += value;
                mean.1 += 1;
            }
        }
    }

    /// The fleet's series at the step that begins at `at`; none when nobody measured anything.
    #[must_use]
    pub fn block(&self, at: i64) -> Option<Block> {
        (self.hosts > 0).then(|| {
            let mut values = vec![(SeriesName::only(Kind::HostsReporting), self.hosts as f32)];
            values.extend(
                self.sums
                    .iter()
                    .map(|(kind, sum)| (SeriesName::only(*kind), *sum as f32)),
            );
            let means = self.means.iter();
            values
                .extend(means.map(|(kind, (sum, hosts))| (SeriesName::only(*kind), (sum / f64::from(*hosts)) as f32)));
            Block::sample(at, values)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_summed_and_shares_are_averaged() {
        let mut totals = totals();
        for (busy, disks) in [(0.2, 1), (0.6, 2)] {
            let mut host = Block::default();
            for at in [0, 60] {
                let disks = (0..disks).map(|n| (SeriesName::of(Kind::DiskRead, format!("sd{n}")), 100.0));
                host.lay(Block::sample(
                    at,
                    [(SeriesName::only(Kind::CpuBusy), busy)].into_iter().chain(disks),
                ));
            }
            totals.add(&host);
        }
        totals.add(&Block::default());
        let block = totals.block(300).unwrap();
        let value = |kind| block.last(&SeriesName::only(kind)).unwrap().avg;
        assert_eq!(value(Kind::HostsReporting), 2.0);
        assert_eq!(value(Kind::DiskRead), 300.0);
        assert!((value(Kind::CpuBusy) - 0.4).abs() < 1e-6);
        assert_eq!(super::totals().block(0), None);
    }
}
