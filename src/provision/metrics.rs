//! What installed machines have measured: shown as charts, and kept in order.
//!
//! Keeping is done in small pieces, each of which is whole or not done: it may end at any moment and goes on where it
//! stopped, also on another server of the same ledger.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::long_work::LongWork;
use crate::{
    inventory::HostId,
    metrics::{self, Block, Blocks, BrokenBlock, Chart, Kind, Line, Point, SeriesName, Step},
    store::{Keeping, KeptBlock, MetricsLaid, Store, StoreError, Write},
};

/// Reports that are read at once when hosts are added up.
const AT_ONCE: u64 = 4000;
/// Steps of the whole fleet that are made up for after the server was away: beyond them reports lie in blocks.
const MOST_STEPS: i64 = 12;
/// From how much of the past a trend is taken, seconds.
const TREND: i64 = 7 * 86_400;

/// Why measurements could not be shown or kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MetricsError {
    /// The ledger failed.
    #[error("the ledger failed")]
    Store(#[from] StoreError),
    /// A block is not what was written.
    #[error(transparent)]
    Broken(#[from] BrokenBlock),
    /// The work did not come to its end.
    #[error("the work was stopped by a fault of the server; its log says which")]
    Stopped,
}

/// A file system as it was measured last.
#[derive(Debug, Clone, PartialEq)]
pub struct Filesystem {
    /// Where it is mounted.
    pub mount: String,
    /// Bytes in use.
    pub used: f32,
    /// Its size, bytes.
    pub size: f32,
    /// When it is full, if it goes on as in the last week; none when that is not to be seen.
    pub full_at: Option<DateTime<Utc>>,
}

/// What a chart is to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Words that name series or groups of them; all when empty.
    pub series: Vec<String>,
    /// The first second.
    pub from: i64,
    /// The first second that is not shown.
    pub until: i64,
    /// Points at most, about.
    pub points: usize,
}

impl Wanted {
    fn has(&self, name: &SeriesName) -> bool {
        self.series.is_empty() || self.series.iter().any(|word| name.kind.is_called(word))
    }
}

/// The use cases of measurements. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    store: Store,
    work: Arc<LongWork>,
}

impl Metrics {
    /// Over a ledger.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            work: Arc::default(),
        }
    }

    /// A chart of one host.
    ///
    /// # Errors
    /// When the ledger fails or holds what cannot be read.
    pub async fn host(&self, host: HostId, wanted: Wanted, now: DateTime<Utc>) -> Result<(Step, Chart), MetricsError> {
        let (step, width) = metrics::widths(wanted.from, wanted.until, wanted.points, now.timestamp());
        let (from, until) = (step.block_of(wanted.from), wanted.until);
        // The tail first: what is laid into blocks in between is then seen twice and not missed, and laid once.
        let tail = self.store.metric_tail(host, from, until).await?;
        let blocks = self.store.metric_blocks(host, step, from, until).await?;
        let place = self.work.place().await;
        let drawn = place.run(move || -> Result<Chart, BrokenBlock> {
            let mut all = Block::default();
            for kept in &blocks {
                let mut block = Block::unpack(&kept.data)?;
                block.only(|name| wanted.has(name));
                all.lay(block);
            }
            let mut tail = tail;
            tail.only(|name| wanted.has(name));
            if step == Step::Raw {
                all.lay(tail);
            } else {
                // Of an hour of which a part came late, the blocks know the rest.
                let mut rolled = tail.rolled(step.seconds());
                rolled.lay(all);
                all = rolled;
            }
            Ok(metrics::chart(&all, step, width, wanted.from, wanted.until))
        });
        let drawn = drawn.await.map_err(|_| MetricsError::Stopped)?;
        Ok((step, drawn?))
    }

    /// The file systems of a host, fullest first, with their trend of a week.
    ///
    /// # Errors
    /// As [`Self::host`].
    pub async fn filesystems(&self, host: HostId, now: DateTime<Utc>) -> Result<Vec<Filesystem>, MetricsError> {
        let wanted = Wanted {
            series: [Kind::FilesystemUsed, Kind::FilesystemSize]
                .map(|kind| kind.as_str().to_owned())
                .into(),
            from: now.timestamp() - TREND,
            until: now.timestamp() + 1,
            points: (TREND / Step::Hour.seconds()) as usize,
        };
        let (_, chart) = self.host(host, wanted, now).await?;
        let points = |line: &Line| -> Vec<Point> {
            let known = chart.times.iter().zip(&line.avg);
            known
                .filter_map(|(at, value)| Some(Point::one(*at, (*value)?)))
                .collect()
        };
        let last = |kind: Kind, mount: &str| {
            let line = chart
                .lines
                .iter()
                .find(|line| line.name.kind == kind && line.name.instance == mount)?;
            line.avg.iter().rev().flatten().next().copied()
        };
        let used = chart.lines.iter().filter(|line| line.name.kind == Kind::FilesystemUsed);
        let mut found: Vec<Filesystem> = used
            .filter_map(|line| {
                let mount = line.name.instance.clone();
                let size = last(Kind::FilesystemSize, &mount)?;
                let full_at = metrics::full_at(&points(line), size, now.timestamp());
                Some(Filesystem {
                    used: last(Kind::FilesystemUsed, &mount)?,
                    full_at: full_at.and_then(|at| DateTime::from_timestamp(at, 0)),
                    size,
                    mount,
                })
            })
            .collect();
        found.sort_by(|a, b| (b.used / b.size).total_cmp(&(a.used / a.size)));
        Ok(found)
    }

    /// What a host measured last, within ten minutes; empty when it measured nothing.
    ///
    /// # Errors
    /// As [`Self::host`].
    pub async fn latest(&self, host: HostId, now: DateTime<Utc>) -> Result<Block, MetricsError> {
        let now = now.timestamp();
        let mut block = self.store.metric_tail(host, now - 600, now + 1).await?;
        if let Some(last) = block.times().last().copied() {
            block.cut(last, last + 1);
        }
        Ok(block)
    }

    /// A chart of all hosts together.
    ///
    /// # Errors
    /// As [`Self::host`].
    pub async fn fleet(&self, wanted: Wanted, now: DateTime<Utc>) -> Result<(Step, Chart), MetricsError> {
        let (step, width) = metrics::widths(wanted.from, wanted.until, wanted.points, now.timestamp());
        let step = step.max(Step::Five);
        let width = (width + step.seconds() - 1) / step.seconds() * step.seconds();
        let mut all = self.store.fleet_metrics(step, wanted.from, wanted.until).await?;
        all.only(|name| wanted.has(name));
        Ok((step, metrics::chart(&all, step, width, wanted.from, wanted.until)))
    }

    /// Keeps measurements in order: adds up the fleet, lays what has arrived into blocks, deletes what is too old. For a
    /// call every few minutes.
    ///
    /// # Errors
    /// As [`Self::host`]; what was done until then stands.
    pub async fn keep(&self, now: DateTime<Utc>) -> Result<Keeping, MetricsError> {
        let now = now.timestamp();
        self.add_up(now).await?;
        let before = metrics::settled_before(now);
        let mut kept = Keeping::default();
        // What fails for one host is no reason to leave the others and what is old.
        let mut failed = None;
        for host in self.store.hosts_with_tail(before).await? {
            match self.lay(host, before).await {
                // Another server was quicker, or the host is gone: what is left is there the next time.
                Err(MetricsError::Store(StoreError::Overtaken)) => {}
                Ok(()) => kept.laid += 1,
                Err(error) => {
                    tracing::warn!(%host, %error, "what a host measured cannot be laid into blocks");
                    failed.get_or_insert(error);
                }
            }
        }
        kept.deleted = self.store.trim_metrics(now).await?;
        failed.map_or(Ok(kept), Err)
    }

    /// Lays what has arrived of a host into blocks.
    async fn lay(&self, host: HostId, before: i64) -> Result<(), MetricsError> {
        let tail = self.store.metric_tail(host, 0, before).await?;
        let times = tail.times();
        let mut versions = Vec::new();
        for (step, start) in metrics::touched(&times) {
            let found = self.store.metric_blocks(host, step, start, start + 1).await?;
            versions.push((step, start, found.into_iter().next()));
        }
        let place = self.work.place().await;
        let packed = place.run(move || -> Result<Vec<KeptBlock>, BrokenBlock> {
            let mut blocks = Blocks::new();
            for (step, start, kept) in &versions {
                if let Some(kept) = kept {
                    blocks.insert((*step, *start), Block::unpack(&kept.data)?);
                }
            }
            metrics::lay(&tail, &mut blocks);
            let packed = versions.into_iter().filter_map(|(step, start, kept)| {
                let block = blocks.remove(&(step, start))?;
                let version = kept.map_or(0, |kept| kept.version);
                Some(block.pack().map(|data| KeptBlock {
                    step,
                    start,
                    version,
                    data,
                }))
            });
            packed.collect()
        });
        let blocks = packed.await.map_err(|_| MetricsError::Stopped)?;
        let laid = MetricsLaid {
            host,
            blocks: blocks?,
            times,
        };
        let writer = self.store.writer();
        writer.commit(vec![Write::MetricsLaid(Box::new(laid))]).await?;
        Ok(())
    }

    /// Adds up all hosts for the steps that are over and not kept yet.
    async fn add_up(&self, now: i64) -> Result<(), MetricsError> {
        let width = Step::Five.seconds();
        let end = now - metrics::GRACE;
        let end = end - end.rem_euclid(width);
        let last = self.store.last_fleet_metric(Step::Five).await?;
        // Reports that are laid into blocks are no longer in the tail: those of the hour before may be.
        let first = last
            .map_or(end - width, |last| last + width)
            .max(end - MOST_STEPS * width);
        for at in (first..end).step_by(width.unsigned_abs() as usize) {
            if let Some(block) = self.totals(at, at + width).await? {
                let write = Write::FleetMetrics {
                    step: Step::Five,
                    block,
                };
                self.store.writer().commit(vec![write]).await?;
            }
        }
        let hour = Step::Hour.seconds();
        let this = end - end.rem_euclid(hour);
        let block = self
            .store
            .fleet_metrics(Step::Five, this - hour, this)
            .await?
            .rolled(hour);
        if !block.is_empty()
            && self
                .store
                .last_fleet_metric(Step::Hour)
                .await?
                .is_none_or(|last| last < this - hour)
        {
            let write = Write::FleetMetrics {
                step: Step::Hour,
                block,
            };
            self.store.writer().commit(vec![write]).await?;
        }
        Ok(())
    }

    async fn totals(&self, from: i64, until: i64) -> Result<Option<Block>, MetricsError> {
        let mut totals = metrics::totals();
        let mut after = None;
        loop {
            let hosts = self.store.metric_tails((from, until), after, AT_ONCE).await?;
            let Some((last, _)) = hosts.last() else {
                return Ok(totals.block(from));
            };
            after = Some(*last);
            for (_, block) in &hosts {
                totals.add(block);
            }
        }
    }
}
