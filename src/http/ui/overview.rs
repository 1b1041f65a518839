//! All hosts at a glance: how many of which state, health, maker, product and system.

use std::collections::BTreeMap;

use axum::response::Response;
use serde::Serialize;

use super::view::{Place, View};
use crate::{
    http::{Problem, guard::url_text},
    inventory::{Health, State},
    metrics::{Chart, Kind},
    provision::metrics::Wanted,
    store::HostTrait,
};

/// Bars of one list; the others are summed.
const BARS: usize = 8;
/// How much of the fleet's past is drawn, seconds.
const PAST: i64 = 86_400;

#[derive(Serialize)]
struct Overview {
    hosts: u64,
    /// Hosts that have an agent.
    heard: u64,
    healths: Vec<Bar>,
    states: Vec<Bar>,
    lists: Vec<List>,
    fleet: Vec<Spark>,
}

/// Hosts by one of their traits.
#[derive(Serialize)]
struct List {
    key: &'static str,
    bars: Vec<Bar>,
    /// Hosts of all other values.
    others: u64,
}

#[derive(Serialize)]
struct Bar {
    /// A word of the catalogue, or else a name as it was reported.
    key: Option<String>,
    name: Option<String>,
    count: u64,
    /// Of the longest bar, of a thousand.
    width: u64,
    address: Option<String>,
    tone: &'static str,
}

/// A small drawing of one series of the fleet.
#[derive(Serialize)]
struct Spark {
    kind: &'static str,
    unit: &'static str,
    last: f32,
    /// Of an SVG of 300 by 60: one path for each stretch without a gap.
    paths: Vec<String>,
}

pub(super) async fn page(view: View) -> Response {
    match data(&view).await {
        Ok(data) => {
            let place = Place {
                section: "overview",
                live: Some("hosts".to_owned()),
            };
            view.page("overview.html", &place, &data)
        }
        Err(problem) => view.problem(&problem),
    }
}

async fn data(view: &View) -> Result<Overview, Problem> {
    let (store, now) = (view.state.store(), view.state.now());
    let states = store.host_counts().await?;
    let healths = store.health_counts(now).await?;
    let mut lists = Vec::new();
    for (key, of) in [
        ("vendor", HostTrait::Vendor),
        ("product", HostTrait::Product),
        ("architecture", HostTrait::Architecture),
        ("profile", HostTrait::Profile),
    ] {
        lists.push(list(key, store.host_traits(of).await?));
    }
    let until = now.timestamp();
    let wanted = Wanted {
        series: ["hosts", "cpu.busy", "memory.used", "nic.rx", "nic.tx", "disk.write"]
            .map(str::to_owned)
            .into(),
        from: until - PAST,
        until,
        points: 288,
    };
    let (_, chart) = view
        .state
        .metrics()
        .fleet(wanted, now)
        .await
        .map_err(|error| Problem::internal(&error))?;
    let most_state = states.values().copied().max().unwrap_or_default();
    let heard: u64 = healths.values().sum();
    Ok(Overview {
        hosts: states.values().sum(),
        heard,
        healths: healths
            .iter()
            .map(|(health, count)| health_bar(*health, *count, heard))
            .collect(),
        states: State::ALL
            .into_iter()
            .filter_map(|state| Some(state_bar(state, *states.get(&state)?, most_state)))
            .collect(),
        lists: lists.into_iter().filter(|list| !list.bars.is_empty()).collect(),
        fleet: chart
            .lines
            .iter()
            .filter_map(|line| spark(&chart, line.name.kind))
            .collect(),
    })
}

fn width(count: u64, of: u64) -> u64 {
    (count * 1000)
        .checked_div(of)
        .unwrap_or_default()
        .max(u64::from(count > 0) * 4)
}

fn health_bar(health: Health, count: u64, of: u64) -> Bar {
    Bar {
        key: Some(format!("health.{}", health.as_str())),
        name: None,
        count,
        width: width(count, of),
        address: Some(format!("/hosts?health={}", health.as_str())),
        tone: match health {
            Health::Ok => "green",
            Health::Late => "yellow",
            Health::Lost => "red",
        },
    }
}

fn state_bar(state: State, count: u64, of: u64) -> Bar {
    Bar {
        key: Some(format!("state.{}", state.as_str())),
        name: None,
        count,
        width: width(count, of),
        address: Some(format!("/hosts?state={}", state.as_str())),
        tone: match state {
            State::Active => "green",
            State::Failed => "red",
            State::Maintenance => "orange",
            State::Installing => "blue",
            _ => "azure",
        },
    }
}

/// A text as one word of a search, whatever a machine wrote in it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn list(key: &'static str, counts: BTreeMap<String, u64>) -> List {
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by(|(a, many), (b, more)| more.cmp(many).then_with(|| a.cmp(b)));
    let others = counts.iter().skip(BARS).map(|(_, count)| count).sum();
    let most = counts.first().map_or(0, |(_, count)| *count);
    let bars = counts.into_iter().take(BARS).map(|(name, count)| Bar {
        key: None,
        address: (key != "profile").then(|| format!("/hosts?q={}", url_text(&quoted(&name)))),
        width: width(count, most),
        name: Some(name),
        count,
        tone: "azure",
    });
    List {
        key,
        bars: bars.collect(),
        others,
    }
}

/// Draws a series of the fleet: its gaps are gaps.
fn spark(chart: &Chart, kind: Kind) -> Option<Spark> {
    let line = chart.lines.iter().find(|line| line.name.kind == kind)?;
    let (first, last) = (chart.times.first()?, chart.times.last()?);
    let most = line.max.iter().flatten().copied().fold(f32::MIN_POSITIVE, f32::max);
    let points: Vec<Option<(f32, f32)>> = chart
        .times
        .iter()
        .zip(&line.avg)
        .map(|(at, value)| {
            let across = (at - first) as f32 / (last - first).max(1) as f32;
            value.map(|value| (across * 300.0, 58.0 - value / most * 54.0))
        })
        .collect();
    let paths = points
        .split(Option::is_none)
        .filter(|stretch| !stretch.is_empty())
        .map(|stretch| {
            let mut path = String::new();
            for (place, (x, y)) in stretch.iter().flatten().enumerate() {
                path.push_str(&format!("{}{x:.1} {y:.1}", if place == 0 { 'M' } else { 'L' }));
            }
            // A single point is a short line.
            if stretch.len() == 1 {
                path.push_str("h1");
            }
            path
        });
    Some(Spark {
        kind: kind.as_str(),
        unit: kind.unit().as_str(),
        last: line.avg.iter().rev().flatten().next().copied()?,
        paths: paths.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Line, SeriesName};

    #[test]
    fn the_many_are_bars_and_the_rest_is_summed() {
        let counts = (1..=12_u64).map(|count| (format!("maker {count:02}"), count)).collect();
        let list = list("vendor", counts);
        assert_eq!((list.bars.len(), list.others), (BARS, 1 + 2 + 3 + 4));
        assert_eq!((list.bars[0].count, list.bars[0].width), (12, 1000));
        assert_eq!(list.bars[0].address.as_deref(), Some("/hosts?q=%22maker%2012%22"));
        assert_eq!(width(1, 1_000_000), 4, "what is there is seen");
    }

    #[test]
    fn a_drawing_leaves_gaps_out() {
        let values = vec![Some(1.0), Some(2.0), None, Some(4.0)];
        let chart = Chart {
            width: 300,
            times: vec![0, 300, 600, 900],
            lines: vec![Line {
                name: SeriesName::only(Kind::CpuBusy),
                min: values.clone(),
                avg: values.clone(),
                max: values,
            }],
        };
        let spark = spark(&chart, Kind::CpuBusy).unwrap();
        assert_eq!(spark.paths, ["M0.0 44.5L100.0 31.0", "M300.0 4.0h1"]);
        assert_eq!(spark.last, 4.0);
    }
}
