//! What installed machines measure, as series for charts.

#![expect(
    unused_qualifications,
    reason = "utoipa writes the types of queries with their paths"
)]

use axum::{
    Json,
    extract::{Path, Query, State},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::hosts::{known, wrong};
use crate::{
    http::{PageState, Problem},
    metrics::{Chart, Kind, Line, Step},
    provision::metrics::{MetricsError, Wanted},
};

/// Points of one series when none are asked for.
const USUAL_POINTS: usize = 300;
/// Points of one series at most.
const MOST_POINTS: usize = 2000;
/// What is shown when no beginning is asked for.
const USUAL_SPAN: TimeDelta = TimeDelta::days(1);

/// Which series, and of which time.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Names of series or groups with commas between them: `cpu,memory.used,disk`; all when left out.
    series: Option<String>,
    /// The beginning; a day before the end when left out.
    from: Option<DateTime<Utc>>,
    /// The end; now when left out.
    to: Option<DateTime<Utc>>,
    /// Points of each series at most, about: up to 2000.
    points: Option<usize>,
}

/// Series over the same times.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Series {
    /// What it is taken from: `raw` (as it was measured, kept for two days), `5m` (a month) or `1h` (two years).
    step: &'static str,
    /// Between two times, seconds; what was measured may lie a little closer or further apart.
    width_seconds: i64,
    /// Seconds since the Unix epoch. A time at which no series has a value stands for a gap.
    times: Vec<i64>,
    series: Vec<OneSeries>,
}

/// One series: a value for each time, null where nothing was measured.
#[derive(Debug, Serialize, ToSchema)]
struct OneSeries {
    /// E.g. `cpu.user`.
    name: &'static str,
    /// Mount, disk, interface or sensor; none of what a host has once.
    instance: Option<String>,
    /// `share`, `bytes`, `bytes_per_second`, `per_second`, `celsius`, `count` or `seconds`.
    unit: &'static str,
    min: Vec<Option<f32>>,
    avg: Vec<Option<f32>>,
    max: Vec<Option<f32>>,
}

impl From<(Step, Chart)> for Series {
    fn from((step, chart): (Step, Chart)) -> Self {
        Self {
            step: step.as_str(),
            width_seconds: chart.width,
            times: chart.times,
            series: chart.lines.into_iter().map(OneSeries::from).collect(),
        }
    }
}

impl From<Line> for OneSeries {
    fn from(line: Line) -> Self {
        Self {
            name: line.name.kind.as_str(),
            unit: line.name.kind.unit().as_str(),
            instance: Some(line.name.instance).filter(|instance| !instance.is_empty()),
            min: line.min,
            avg: line.avg,
            max: line.max,
        }
    }
}

impl Asked {
    fn wanted(&self, now: DateTime<Utc>) -> Result<Wanted, Problem> {
        // Nothing was measured before 1970, and times far away cannot be counted with.
        let known = DateTime::UNIX_EPOCH + USUAL_SPAN..=now + USUAL_SPAN;
        let until = self.to.unwrap_or(now).clamp(*known.start(), *known.end());
        let from = self
            .from
            .unwrap_or(until - USUAL_SPAN)
            .clamp(DateTime::UNIX_EPOCH, *known.end());
        if from >= until {
            return Err(wrong("from", &from.to_rfc3339(), "a time before `to`"));
        }
        // What was measured is kept for two years: a longer span shows nothing more.
        let from = from.max(until - TimeDelta::seconds(Step::Hour.kept()));
        let words = self.series.iter().flat_map(|series| series.split(','));
        let series: Vec<String> = words
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        for word in &series {
            if !Kind::ALL.iter().any(|kind| kind.is_called(word)) {
                let mut groups: Vec<_> = Kind::ALL.iter().map(|kind| kind.group()).collect();
                groups.dedup();
                return Err(wrong("series", word, &groups.join(", ")));
            }
        }
        Ok(Wanted {
            series,
            from: from.timestamp(),
            until: until.timestamp() + 1,
            points: self.points.unwrap_or(USUAL_POINTS).clamp(1, MOST_POINTS),
        })
    }
}

fn failed(error: MetricsError) -> Problem {
    match error {
        MetricsError::Store(error) => error.into(),
        other => Problem::internal(&other),
    }
}

/// What a host has measured. Who may call: whoever may see hosts.
#[utoipa::path(get, path = "/api/v1/hosts/{id}/metrics", tag = "metrics", params(("id" = Uuid, Path), Asked), responses(
    (status = 200, body = Series), (status = "default", body = Problem)))]
pub(super) async fn host_metrics(
    State(state): State<PageState>,
    Path(id): Path<Uuid>,
    Query(asked): Query<Asked>,
) -> Result<Json<Series>, Problem> {
    let now = state.now();
    let wanted = asked.wanted(now)?;
    let host = known(&state, id).await?;
    let found = state.metrics().host(host.id, wanted, now).await.map_err(failed)?;
    Ok(Json(found.into()))
}

/// What all hosts together have measured, by five minutes: sums of bytes, means of shares and loads, and how many hosts
/// measured. Who may call: whoever may see hosts.
#[utoipa::path(get, path = "/api/v1/metrics/fleet", tag = "metrics", params(Asked), responses(
    (status = 200, body = Series), (status = "default", body = Problem)))]
pub(super) async fn fleet_metrics(
    State(state): State<PageState>,
    Query(asked): Query<Asked>,
) -> Result<Json<Series>, Problem> {
    let now = state.now();
    let wanted = asked.wanted(now)?;
    let found = state.metrics().fleet(wanted, now).await.map_err(failed)?;
    Ok(Json(found.into()))
}
