//! One installation on a page: its stages beside what is usual, packages, what was heard, and what came of it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{answer, format, hosts, view::View};
use crate::{
    auth::Permission,
    http::PageState,
    install::{FailedBy, Limits, Outcome, Stage, Usual},
    inventory::{Host, HostId},
    store::{Install, InstallQuery, StoreError},
};

/// Log lines on a page.
const LINES: u64 = 200;
/// Earlier installations that tell what is usual.
const EARLIER: u64 = 40;
/// Earlier installations listed on a host's page.
const LISTED: u64 = 20;

/// One installation.
#[derive(Serialize)]
pub(super) struct Shown {
    id: Uuid,
    host: HostId,
    host_title: Option<String>,
    machine: Option<String>,
    profile: String,
    distro: String,
    started_by: String,
    created: DateTime<Utc>,
    ended: Option<DateTime<Utc>>,
    outcome: &'static str,
    tone: &'static str,
    icon: &'static str,
    failed_by: Option<&'static str>,
    reason: Option<String>,
    stage: &'static str,
    stage_since: DateTime<Utc>,
    heard: DateTime<Utc>,
    evidence: String,
    starts: u32,
    stages: Vec<StageRow>,
    packages: Option<PackagesShown>,
    stuck: bool,
    silent: String,
    /// How long it has taken, or took in all.
    took: String,
    /// How long it may still take.
    left: Option<String>,
    usual_of: usize,
    differences: Option<Vec<DifferenceRow>>,
    planned: Vec<(&'static str, String)>,
    log: Vec<LogRow>,
    /// Id of the oldest line, when there are older ones.
    older: Option<Uuid>,
    snapshot: Option<Vec<answer::Written>>,
    may_cancel: bool,
}

/// One stage of an installation.
#[derive(Serialize)]
struct StageRow {
    stage: &'static str,
    /// `done`, `now`, `todo`, `skipped` or `failed`.
    mark: &'static str,
    at: Option<DateTime<Utc>>,
    took: Option<String>,
    usual: Option<String>,
    /// It took more than twice what is usual, and more than half a minute longer.
    slow: bool,
}

#[derive(Serialize)]
struct PackagesShown {
    done: u32,
    all: Option<u32>,
}

#[derive(Serialize)]
struct DifferenceRow {
    field: String,
    planned: String,
    found: Option<String>,
}

#[derive(Serialize)]
struct LogRow {
    at: DateTime<Utc>,
    source: String,
    tone: &'static str,
    text: String,
}

/// The tab of a host's page.
#[derive(Serialize)]
pub(super) struct InstallTab {
    shown: Option<Shown>,
    start: Start,
    earlier: Vec<Row>,
}

/// What starts an installation.
#[derive(Serialize)]
pub(super) struct Start {
    /// None of this host runs, a person may, and this server does.
    may: bool,
    running: bool,
    profile: Option<String>,
    again: bool,
    /// The name to be typed, where what is on the disks would be overwritten.
    name: Option<String>,
    pub(super) refused: Option<Refused>,
}

/// Why an installation was not started, by its catalogue key `install_refused.CODE`.
#[derive(Serialize)]
pub(super) struct Refused {
    pub(super) code: &'static str,
    pub(super) why: Option<String>,
}

/// One installation in a list.
#[derive(Serialize)]
pub(super) struct Row {
    id: Uuid,
    host: HostId,
    host_title: Option<String>,
    machine: Option<String>,
    profile: String,
    distro: String,
    outcome: &'static str,
    tone: &'static str,
    icon: &'static str,
    stage: &'static str,
    /// Stages that are over, and all there are.
    reached: usize,
    stages: usize,
    packages: Option<PackagesShown>,
    stuck: bool,
    reason: Option<String>,
    differences: Option<usize>,
    created: DateTime<Utc>,
    started_by: String,
    took: String,
    running: bool,
}

/// Colour and picture of an outcome.
fn look(outcome: Outcome, stuck: bool) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Open if stuck => ("warn", "warn"),
        Outcome::Open => ("busy", "busy"),
        Outcome::Done => ("good", "check"),
        Outcome::Failed => ("bad", "bad"),
        Outcome::Cancelled => ("calm", "out"),
    }
}

fn stuck(state: &PageState, install: &Install) -> bool {
    let silent = state.silence(install.progress.heard_at);
    install.outcome == Outcome::Open && Limits.look(&install.progress, silent).is_some()
}

/// `user:anna` as people say it.
fn who(actor: &str) -> String {
    actor.strip_prefix("user:").unwrap_or(actor).to_owned()
}

pub(super) fn row(state: &PageState, install: Install, host: Option<&Host>) -> Row {
    let (stuck, now) = (stuck(state, &install), state.now());
    let (tone, icon) = look(install.outcome, stuck);
    let progress = install.progress;
    let reached = Stage::ALL.iter().take_while(|stage| **stage < progress.stage).count();
    Row {
        id: install.id.0,
        host: install.host,
        host_title: host.and_then(hosts::title),
        machine: host.and_then(hosts::machine),
        profile: install.profile,
        distro: install.distro,
        outcome: install.outcome.as_str(),
        tone,
        icon,
        stage: progress.stage.as_str(),
        reached: if progress.stage == Stage::Verified {
            Stage::ALL.len()
        } else {
            reached
        },
        stages: Stage::ALL.len(),
        packages: (progress.stage == Stage::Packages)
            .then_some(progress.packages)
            .flatten()
            .map(|packages| PackagesShown {
                done: packages.done,
                all: packages.all,
            }),
        stuck,
        reason: install.reason,
        differences: install.differences.map(|differences| differences.len()),
        created: install.created_at,
        started_by: who(&install.started_by),
        took: format::span(install.ended_at.unwrap_or(now) - install.created_at),
        running: install.outcome == Outcome::Open,
    }
}

/// One installation with its log and what is usual for its model.
pub(super) async fn shown(
    view: &View,
    install: Install,
    host: Option<&Host>,
    before: Option<Uuid>,
) -> Result<Shown, StoreError> {
    let (store, now) = (view.state.store(), view.state.now());
    let usual = match host.and_then(|host| host.summary.product.as_deref()) {
        Some(product) => Usual::of(&store.install_times(product, EARLIER).await?),
        None => Usual::default(),
    };
    let log = store.install_log(install.id, before, LINES).await?;
    let older = log.last().filter(|_| log.len() as u64 == LINES).map(|line| line.id);
    let stuck = stuck(&view.state, &install);
    let (tone, icon) = look(install.outcome, stuck);
    let open = install.outcome == Outcome::Open;
    let stages = stages(&install, &usual, now);
    let planned = &install.planned;
    let mut plan: Vec<(&'static str, String)> = [
        ("hostname", planned.hostname.clone()),
        ("os", planned.os.clone()),
        ("os_version", planned.os_version.clone()),
        ("disk", planned.disk.clone()),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key, value?)))
    .collect();
    plan.extend(planned.addresses.iter().map(|address| ("address", address.clone())));
    plan.extend(
        planned
            .kernel_options
            .iter()
            .map(|option| ("kernel_option", option.clone())),
    );
    let progress = install.progress;
    Ok(Shown {
        id: install.id.0,
        host: install.host,
        host_title: host.and_then(hosts::title),
        machine: host.and_then(hosts::machine),
        profile: install.profile,
        distro: install.distro,
        started_by: who(&install.started_by),
        created: install.created_at,
        ended: install.ended_at,
        outcome: install.outcome.as_str(),
        tone,
        icon,
        failed_by: install.failed_by.map(FailedBy::as_str),
        reason: install.reason,
        stage: progress.stage.as_str(),
        stage_since: progress.stage_since,
        heard: progress.heard_at,
        evidence: progress.evidence,
        starts: progress.starts,
        stages,
        packages: progress.packages.map(|packages| PackagesShown {
            done: packages.done,
            all: packages.all,
        }),
        stuck,
        silent: format::span(now - progress.heard_at),
        took: format::span(install.ended_at.unwrap_or(now) - install.created_at),
        left: open
            .then(|| usual.left(progress.stage, now - progress.stage_since))
            .flatten()
            .map(format::span),
        usual_of: usual.installs,
        differences: install.differences.map(|differences| {
            differences
                .into_iter()
                .map(|one| DifferenceRow {
                    field: one.field,
                    planned: one.planned,
                    found: one.found,
                })
                .collect()
        }),
        planned: plan,
        log: log
            .into_iter()
            .map(|line| LogRow {
                at: line.at,
                tone: match line.level {
                    crate::boot::Level::Info => "calm",
                    crate::boot::Level::Warn => "warn",
                    crate::boot::Level::Fail => "bad",
                },
                source: line.source,
                text: line.text,
            })
            .collect(),
        older,
        snapshot: install.snapshot.as_deref().map(answer::written),
        may_cancel: open && may(view),
    })
}

fn may(view: &View) -> bool {
    let allowed = view
        .caller
        .as_ref()
        .is_some_and(|caller| caller.may(Permission::Install));
    allowed && view.state.installs().is_ok()
}

fn stages(install: &Install, usual: &Usual, now: DateTime<Utc>) -> Vec<StageRow> {
    let progress = &install.progress;
    let row = |stage: &Stage| {
        let place = progress.times.iter().position(|time| time.stage == *stage);
        let at = place.and_then(|place| progress.times.get(place)).map(|time| time.at);
        let next = place
            .and_then(|place| progress.times.get(place + 1))
            .map(|time| time.at);
        let end = next.or(install.ended_at).unwrap_or(now);
        let took = at.map(|at| end - at).filter(|_| *stage != Stage::Verified);
        let usually = usual.stage(*stage);
        let mark = match (at, install.outcome) {
            (Some(_), Outcome::Done) => "done",
            (Some(_), Outcome::Open) if *stage == progress.stage => "now",
            (Some(_), _) if *stage == progress.stage => "failed",
            (Some(_), _) => "done",
            (None, Outcome::Open) if *stage > progress.stage => "todo",
            (None, _) => "skipped",
        };
        let slow =
            |took: TimeDelta| usually.is_some_and(|usual| took > usual * 2 && took > usual + TimeDelta::seconds(30));
        StageRow {
            stage: stage.as_str(),
            mark,
            at,
            slow: took.is_some_and(slow),
            took: took.map(format::span),
            usual: usually.map(format::span),
        }
    };
    Stage::ALL.iter().map(row).collect()
}

/// The tab of a host: the newest installation, what starts another, and those before.
pub(super) async fn tab(view: &View, host: &Host, before: Option<Uuid>) -> Result<InstallTab, StoreError> {
    let query = InstallQuery {
        host: Some(host.id),
        limit: LISTED,
        ..InstallQuery::default()
    };
    let mut all = view.state.store().installs(&query).await?.0.into_iter();
    let newest = all.next();
    let profile = view.state.store().plan(host.id).await?.profile;
    let start = start(view, host, profile, newest.as_ref().map(|install| install.outcome)).await?;
    Ok(InstallTab {
        start,
        shown: match newest {
            Some(install) => Some(shown(view, install, Some(host), before).await?),
            None => None,
        },
        earlier: all.map(|install| row(&view.state, install, Some(host))).collect(),
    })
}

/// What starts an installation of a host whose newest one came to `last`.
pub(super) async fn start(
    view: &View,
    host: &Host,
    profile: Option<String>,
    last: Option<Outcome>,
) -> Result<Start, StoreError> {
    let running = last == Some(Outcome::Open);
    let name = match view.state.installs() {
        Ok(installs) if !running => installs.name_to_type(host).await?,
        _ => None,
    };
    Ok(Start {
        may: !running && may(view),
        running,
        profile,
        again: last.is_some(),
        name,
        refused: None,
    })
}

impl InstallTab {
    /// The same, with why an installation was not started.
    pub(super) fn refused(mut self, refused: Refused) -> Self {
        self.start.refused = Some(refused);
        self
    }
}
