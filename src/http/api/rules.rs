use axum::{Extension, Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::asked::{Body, Path};
use crate::{
    desired::{self, Fault},
    http::{PageState, Problem, guard::Known},
    inventory::HostId,
    provision::{
        CatalogFault,
        rules::{self as use_case, TrialAsked},
    },
};

/// Hosts of one trial at most.
const MOST: usize = 500;

/// What hosts of some hardware are given.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rule {
    name: String,
    #[serde(flatten)]
    said: RuleSaid,
}

/// What a rule says.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleSaid {
    /// Rules are asked by order, lower ones first.
    #[serde(default = "usual_order")]
    order: u32,
    /// An expression over facts, e.g. `vendor is like("Dell*") and memory_gib >= 64`; `true` for every host.
    when: String,
    /// A profile by name.
    #[serde(default)]
    profile: Option<String>,
    /// A name with facts in it, e.g. `web-{{ serial | lower }}`.
    #[serde(default)]
    hostname: Option<String>,
    /// Where hosts stand, with facts in it.
    #[serde(default)]
    place: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    /// Start the installation of hosts that never had one.
    #[serde(default)]
    install: bool,
}

fn usual_order() -> u32 {
    desired::rules::Rule::empty("").order
}

impl RuleSaid {
    fn called(self, name: &str) -> desired::rules::Rule {
        desired::rules::Rule {
            name: name.to_owned(),
            order: self.order,
            when: self.when,
            profile: self.profile,
            hostname: self.hostname,
            place: self.place,
            tags: self.tags,
            install: self.install,
        }
    }
}

impl From<&desired::rules::Rule> for Rule {
    fn from(rule: &desired::rules::Rule) -> Self {
        let desired::rules::Rule {
            name,
            order,
            when,
            profile,
            hostname,
            place,
            tags,
            install,
        } = rule.clone();
        Self {
            name,
            said: RuleSaid {
                order,
                when,
                profile,
                hostname,
                place,
                tags,
                install,
            },
        }
    }
}

fn problem(fault: CatalogFault) -> Problem {
    match fault {
        CatalogFault::Refused(fault) => refused(&fault),
        CatalogFault::Ledger(error) => error.into(),
    }
}

fn refused(fault: &Fault) -> Problem {
    if fault.field == "rule" && fault.why == "there is no such rule" {
        return Problem::new(StatusCode::NOT_FOUND, "rule_unknown", fault.to_string());
    }
    Problem::refused(StatusCode::UNPROCESSABLE_ENTITY, "malformed", fault)
}

/// Every rule on facts, in the order they are asked in.
#[utoipa::path(get, path = "/api/v1/rules", tag = "rules", responses(
    (status = 200, body = Vec<Rule>), (status = "default", body = Problem)))]
pub(super) async fn rules(State(state): State<PageState>) -> Result<Json<Vec<Rule>>, Problem> {
    let book = state.rules().book().await?;
    Ok(Json(book.rules().map(Rule::from).collect()))
}

/// One rule.
#[utoipa::path(get, path = "/api/v1/rules/{name}", tag = "rules", params(("name" = String, Path)), responses(
    (status = 200, body = Rule), (status = "default", body = Problem)))]
pub(super) async fn rule(State(state): State<PageState>, Path(name): Path<String>) -> Result<Json<Rule>, Problem> {
    let book = state.rules().book().await?;
    let rule = book.rule(&name).map_err(|fault| refused(&fault))?;
    Ok(Json(rule.into()))
}

/// Enters a rule, or replaces the one of its name.
#[utoipa::path(put, path = "/api/v1/rules/{name}", tag = "rules", params(("name" = String, Path)),
    request_body = RuleSaid, responses((status = 200, body = Rule), (status = 201, body = Rule),
    (status = "default", body = Problem)))]
pub(super) async fn put_rule(
    State(state): State<PageState>,
    Extension(caller): Known,
    Path(name): Path<String>,
    Body(said): Body<RuleSaid>,
) -> Result<(StatusCode, Json<Rule>), Problem> {
    let rule = said.called(&name);
    let kept = Rule::from(&rule);
    let new = state
        .rules()
        .put(rule, &caller.actor(), state.now())
        .await
        .map_err(problem)?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(kept)))
}

/// Removes a rule; what it gave stays with the hosts.
#[utoipa::path(delete, path = "/api/v1/rules/{name}", tag = "rules", params(("name" = String, Path)), responses(
    (status = 204), (status = "default", body = Problem)))]
pub(super) async fn remove_rule(
    State(state): State<PageState>,
    Extension(caller): Known,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let removed = state.rules().remove(&name, &caller.actor(), state.now()).await;
    removed.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is to be tried.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TrialWanted {
    /// Only this rule.
    #[serde(default)]
    name: Option<String>,
    /// The rule of that name as it might be entered.
    #[serde(default)]
    rule: Option<RuleSaid>,
    /// Only this host.
    #[serde(default)]
    host: Option<Uuid>,
    /// List hosts that are not matched too, and why.
    #[serde(default)]
    misses: bool,
    /// Hosts to list, at most 500.
    #[serde(default)]
    limit: Option<usize>,
}

/// What rules would give.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RuleTrial {
    /// Hosts that have reported.
    looked_at: usize,
    /// Hosts that have not: no rule was tried on them.
    without_facts: usize,
    /// Hosts that a rule matches.
    matched: usize,
    hosts: Vec<RuleTrialHost>,
}

/// What one host would be given.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RuleTrialHost {
    id: Uuid,
    /// Its name, else its serial number, else its id.
    label: String,
    state: &'static str,
    gives: Vec<RuleGives>,
    /// Its installation would be started, had it none before.
    install: bool,
    /// What it would not be given although a rule matches, and why.
    notes: Vec<String>,
    /// Rules that do not match, when that was asked for.
    misses: Vec<RuleMissed>,
}

/// One value.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RuleGives {
    /// `profile`, `hostname`, `place` or `tags`.
    field: &'static str,
    value: String,
    rule: String,
}

/// A rule that gives a host nothing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RuleMissed {
    rule: String,
    why: String,
}

impl From<use_case::TrialHost> for RuleTrialHost {
    fn from(host: use_case::TrialHost) -> Self {
        Self {
            id: host.host.0,
            label: host.label,
            state: host.state.as_str(),
            gives: host
                .gives
                .into_iter()
                .map(|given| RuleGives {
                    field: given.field,
                    value: given.value,
                    rule: given.rule,
                })
                .collect(),
            install: host.install,
            notes: host.notes,
            misses: host
                .misses
                .into_iter()
                .map(|missed| RuleMissed {
                    rule: missed.rule,
                    why: missed.why,
                })
                .collect(),
        }
    }
}

/// Tries rules on every host that has reported; nothing is changed. For those who may enter rules (operators and
/// administrators), as it works an expression out on every host and shows values of hosts.
#[utoipa::path(post, path = "/api/v1/rules/dry-run", tag = "rules", request_body = TrialWanted, responses(
    (status = 200, body = RuleTrial), (status = "default", body = Problem)))]
pub(super) async fn try_rules(
    State(state): State<PageState>,
    Body(wanted): Body<TrialWanted>,
) -> Result<Json<RuleTrial>, Problem> {
    let name = match (&wanted.name, &wanted.rule) {
        (None, Some(_)) => Some("trial".to_owned()),
        (name, _) => name.clone(),
    };
    let asked = TrialAsked {
        candidate: wanted.rule.zip(name.as_ref()).map(|(said, name)| said.called(name)),
        only: name,
        host: wanted.host.map(HostId),
        misses: wanted.misses,
        limit: wanted.limit.unwrap_or(100).clamp(1, MOST),
    };
    let trial = state.rules().trial(&asked).await.map_err(problem)?;
    Ok(Json(RuleTrial {
        looked_at: trial.looked_at,
        without_facts: trial.without_facts,
        matched: trial.matched,
        hosts: trial.hosts.into_iter().map(RuleTrialHost::from).collect(),
    }))
}

/// Has all rules applied to all hosts that are not installed yet, within seconds.
#[utoipa::path(post, path = "/api/v1/rules/apply", tag = "rules", responses(
    (status = 202), (status = "default", body = Problem)))]
pub(super) async fn apply_rules(
    State(state): State<PageState>,
    Extension(caller): Known,
) -> Result<StatusCode, Problem> {
    state.rules().ask_to_apply(&caller.actor(), state.now()).await?;
    Ok(StatusCode::ACCEPTED)
}
