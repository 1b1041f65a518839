//! A host's charts. The browser asks the API for the numbers and draws them; what is written around them comes from here.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::view::View;
use crate::{
    http::Problem,
    inventory::{Host, HostId},
    metrics::{Kind, SeriesName, Unit},
    provision::metrics::Filesystem,
};

/// How much time is shown: word in the address, seconds.
const SPANS: [(&str, i64); 6] = [
    ("1h", 3600),
    ("6h", 21_600),
    ("1d", 86_400),
    ("7d", 604_800),
    ("30d", 2_592_000),
    ("1y", 31_536_000),
];
/// What is shown unless another is asked for.
const USUAL: usize = 1;

/// The charts: catalogue key below `charts`, and what is in each.
const CHARTS: [(&str, &[Kind]); 8] = [
    (
        "cpu",
        &[Kind::CpuUser, Kind::CpuSystem, Kind::CpuIowait, Kind::CpuSteal],
    ),
    ("load", &[Kind::Load1, Kind::Load5, Kind::Load15]),
    ("memory", &[Kind::MemoryTotal, Kind::MemoryUsed, Kind::SwapUsed]),
    ("filesystem", &[Kind::FilesystemUsed, Kind::FilesystemSize]),
    ("nic", &[Kind::NicReceived, Kind::NicSent]),
    ("disk", &[Kind::DiskRead, Kind::DiskWrite]),
    ("busy", &[Kind::DiskBusy]),
    ("temperature", &[Kind::Temperature]),
];

#[derive(Serialize)]
pub(super) struct ChartsTab {
    /// Nothing was ever measured.
    empty: bool,
    spans: Vec<Span>,
    span_seconds: i64,
    charts: Vec<ChartCard>,
    filesystems: Vec<FilesystemRow>,
    failed_units: Option<Vec<String>>,
    listening: Vec<(String, String, u16)>,
    services_at: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct FilesystemRow {
    mount: String,
    used: u64,
    size: u64,
    /// Of a thousand.
    share: u64,
    full_at: Option<DateTime<Utc>>,
    tone: &'static str,
}

impl From<Filesystem> for FilesystemRow {
    fn from(filesystem: Filesystem) -> Self {
        let share = (filesystem.used / filesystem.size.max(1.0) * 1000.0) as u64;
        Self {
            mount: filesystem.mount,
            used: filesystem.used as u64,
            size: filesystem.size as u64,
            share,
            full_at: filesystem.full_at,
            tone: match share {
                950.. => "red",
                850.. => "yellow",
                _ => "azure",
            },
        }
    }
}

#[derive(Serialize)]
struct Span {
    word: &'static str,
    current: bool,
}

#[derive(Serialize)]
struct ChartCard {
    name: &'static str,
    unit: &'static str,
    /// What the API is asked for.
    series: String,
    /// What each series is called, by its name in the API.
    labels: serde_json::Value,
}

pub(super) async fn tab(view: &View, host: &Host, span: &str) -> Result<ChartsTab, Problem> {
    let chosen = SPANS.iter().position(|(word, _)| *word == span).unwrap_or(USUAL);
    let filesystems = view.state.metrics().filesystems(host.id, view.state.now()).await;
    let filesystems = filesystems.map_err(|error| Problem::internal(&error))?;
    let services = view.state.store().services(host.id).await?;
    let (services_at, services) = services.map_or((None, None), |(at, services)| (Some(at), Some(services)));
    let services = services.unwrap_or_default();
    Ok(ChartsTab {
        empty: services_at.is_none(),
        spans: SPANS
            .into_iter()
            .enumerate()
            .map(|(place, (word, _))| Span {
                word,
                current: place == chosen,
            })
            .collect(),
        span_seconds: SPANS.get(chosen).map_or(0, |(_, seconds)| *seconds),
        charts: CHARTS
            .into_iter()
            .map(|(name, kinds)| card(view, name, kinds))
            .collect(),
        filesystems: filesystems.into_iter().map(FilesystemRow::from).collect(),
        failed_units: services.failed_units,
        listening: services.listening,
        services_at,
    })
}

/// What a host measured last.
#[derive(Serialize)]
pub(super) struct Glance {
    at: DateTime<Utc>,
    /// Shares of a hundred.
    busy: Option<f32>,
    memory: Option<f32>,
    /// The file system with the least room.
    fullest: Option<(String, f32)>,
    failed_units: Option<f32>,
}

/// What a host measured within the last minutes; none when it measured nothing.
pub(super) async fn glance(view: &View, host: HostId) -> Result<Option<Glance>, Problem> {
    let latest = view.state.metrics().latest(host, view.state.now()).await;
    let latest = latest.map_err(|error| Problem::internal(&error))?;
    let Some(at) = latest.times().last().and_then(|at| DateTime::from_timestamp(*at, 0)) else {
        return Ok(None);
    };
    let value = |kind, instance: &str| latest.last(&SeriesName::of(kind, instance)).map(|point| point.avg);
    let share = |used: Option<f32>, all: Option<f32>| Some(used? / all.filter(|all| *all > 0.0)? * 100.0);
    let filesystems = latest.lines.keys().filter(|name| name.kind == Kind::FilesystemUsed);
    let full = filesystems.filter_map(|name| {
        let mount = name.instance.as_str();
        let share = share(value(Kind::FilesystemUsed, mount), value(Kind::FilesystemSize, mount))?;
        Some((mount.to_owned(), share))
    });
    Ok(Some(Glance {
        at,
        busy: value(Kind::CpuBusy, "").map(|busy| busy * 100.0),
        memory: share(value(Kind::MemoryUsed, ""), value(Kind::MemoryTotal, "")),
        fullest: full.max_by(|(_, a), (_, b)| a.total_cmp(b)),
        failed_units: value(Kind::FailedUnits, ""),
    }))
}

fn card(view: &View, name: &'static str, kinds: &[Kind]) -> ChartCard {
    let labels = kinds.iter().map(|kind| {
        (
            kind.as_str().to_owned(),
            view.say(&format!("series.{kind}", kind = kind.as_str())).into(),
        )
    });
    ChartCard {
        name,
        unit: kinds.first().map_or(Unit::Count, |kind| kind.unit()).as_str(),
        series: kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(","),
        labels: serde_json::Value::Object(labels.collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_one_unit() {
        for (name, kinds) in CHARTS {
            let unit = kinds[0].unit();
            assert!(kinds.iter().all(|kind| kind.unit() == unit), "{name}");
        }
        assert!(USUAL < SPANS.len());
    }
}
