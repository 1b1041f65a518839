//! Rules on facts: in the order they are asked in, the form of one, and whom they would give what.

use axum::{
    Extension, Form,
    extract::{Path, Query},
    http::StatusCode,
    response::Response,
};
use serde::{Deserialize, Serialize};

use super::{
    layer::{FaultShown, Sent},
    layer_page::{done, typed},
    rule_form::{self, RuleForm},
    view::{Place, View},
};
use crate::{
    auth::{Caller, Permission},
    desired::{Fault, rules::Rule},
    http::{Problem, guard::Known},
    provision::{
        CatalogFault,
        rules::{Trial, TrialAsked, TrialHost, Way},
    },
    store::StoreError,
};

/// Hosts of a trial that are listed.
const MOST_LISTED: usize = 100;
/// Hosts listed with why nothing is given to them, when no rule matches any.
const MOST_MISSED: usize = 5;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    saved: String,
    #[serde(default)]
    applied: String,
    /// `try`: with whom the rule would match.
    #[serde(default)]
    view: String,
}

#[derive(Serialize)]
struct ListPage {
    may_edit: bool,
    saved: bool,
    applied: bool,
    rows: Vec<Rule>,
}

/// The page of one rule, or of one that is to be made.
#[derive(Serialize)]
struct RulePage {
    may_edit: bool,
    saved: bool,
    /// Nothing for one that is to be made.
    name: Option<String>,
    address: String,
    /// As it is kept.
    rule: Option<Rule>,
    form: Option<RuleForm>,
    trial: Option<TrialShown>,
    /// It starts installations, and nobody has looked at which: it is not saved yet.
    look_first: bool,
    /// Why it was not removed or moved.
    refused: Option<FaultShown>,
}

/// What every rule together would give.
#[derive(Serialize)]
struct DryRunPage {
    trial: TrialShown,
    rules: usize,
}

/// Whom rules would give what.
#[derive(Serialize)]
pub(super) struct TrialShown {
    looked_at: usize,
    /// Hosts that have not reported: no rule was tried on them.
    without_facts: usize,
    matched: usize,
    /// How many of them would be installed at once, listed or not.
    installs: usize,
    hosts: Vec<TrialRow>,
    /// Hosts that nothing matches, with why, where none is matched.
    missed: Vec<TrialRow>,
    /// Says that this rule was looked at.
    seen: String,
}

#[derive(Serialize)]
struct TrialRow {
    id: String,
    label: String,
    state: &'static str,
    /// Field, value, rule.
    gives: Vec<(&'static str, String, String)>,
    install: bool,
    notes: Vec<String>,
    /// Rule and why.
    misses: Vec<(String, String)>,
}

impl TrialRow {
    fn of(host: TrialHost) -> Self {
        Self {
            id: host.host.to_string(),
            label: host.label,
            state: host.state.as_str(),
            gives: host
                .gives
                .into_iter()
                .map(|given| (given.field, given.value, given.rule))
                .collect(),
            install: host.install,
            notes: host.notes,
            misses: host
                .misses
                .into_iter()
                .map(|missed| (missed.rule, missed.why))
                .collect(),
        }
    }
}

fn may_edit(view: &View) -> bool {
    let caller = view.caller.as_ref();
    caller.is_some_and(|caller| caller.may(Permission::Install))
}

fn place() -> Place {
    Place {
        section: "rules",
        live: None,
    }
}

fn answered(view: &View, answer: Result<Response, Problem>) -> Response {
    answer.unwrap_or_else(|problem| view.problem(&problem))
}

/// What is wrong with what was sent; a ledger that fails is the server's trouble.
fn refused(fault: CatalogFault) -> Result<Fault, Problem> {
    match fault {
        CatalogFault::Refused(fault) => Ok(fault),
        CatalogFault::Ledger(error) => Err(error.into()),
    }
}

fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such rule")
}

/// Every rule, in order.
pub(super) async fn page(view: View, Query(asked): Query<Asked>) -> Response {
    let answer = list(&view, &asked).await;
    answered(&view, answer.map_err(Problem::from))
}

async fn list(view: &View, asked: &Asked) -> Result<Response, StoreError> {
    let book = view.state.rules().book().await?;
    let data = ListPage {
        may_edit: may_edit(view),
        saved: asked.saved == "1",
        applied: asked.applied == "1",
        rows: book.rules().cloned().collect(),
    };
    Ok(view.page("rules.html", &place(), &data))
}

/// What all rules would give, to whom.
pub(super) async fn dry_run(view: View) -> Response {
    let answer = tried(&view, None, None).await;
    let answer = match answer {
        Ok(trial) => view.state.rules().book().await.map_err(Problem::from).map(|book| {
            let rules = book.rules().len();
            view.page("rule_dry_run.html", &place(), &DryRunPage { trial, rules })
        }),
        Err(fault) => refused(fault).and_then(|_| Err(unknown())),
    };
    answered(&view, answer)
}

/// Tries one rule, or all; `candidate` is one as it might be entered.
async fn tried(view: &View, only: Option<&str>, candidate: Option<Rule>) -> Result<TrialShown, CatalogFault> {
    let seen = candidate.as_ref().map(rule_form::seen).unwrap_or_default();
    let mut asked = TrialAsked {
        candidate,
        only: only.map(str::to_owned),
        host: None,
        misses: false,
        limit: MOST_LISTED,
    };
    let trial = view.state.rules().trial(&asked).await?;
    let missed = if trial.matched == 0 && trial.looked_at > 0 {
        (asked.misses, asked.limit) = (true, MOST_MISSED);
        view.state.rules().trial(&asked).await?.hosts
    } else {
        Vec::new()
    };
    let Trial {
        looked_at,
        without_facts,
        matched,
        installs,
        hosts,
    } = trial;
    Ok(TrialShown {
        looked_at,
        without_facts,
        matched,
        installs,
        hosts: hosts.into_iter().map(TrialRow::of).collect(),
        missed: missed.into_iter().map(TrialRow::of).collect(),
        seen,
    })
}

/// One rule.
pub(super) async fn one(view: View, Path(name): Path<String>, Query(asked): Query<Asked>) -> Response {
    let page = existing(&view, &name, &asked).await;
    answered(&view, page.map(|page| page.answer(&view)))
}

async fn existing(view: &View, name: &str, asked: &Asked) -> Result<RulePage, Problem> {
    let book = view.state.rules().book().await?;
    let rule = book.rule(name).map_err(|_| unknown())?;
    let mut page = RulePage::of(view, Some(rule));
    page.saved = asked.saved == "1";
    if page.may_edit {
        page.form = Some(RuleForm::of(rule, view.state.catalog().objects().await?.as_ref()));
    }
    // A trial says what hosts would be given: for those who may give it.
    if asked.view == "try" && page.may_edit {
        let trial = tried(view, Some(name), None).await;
        page.trial = match trial {
            Ok(trial) => Some(trial),
            Err(fault) => {
                page.refused = Some(FaultShown::of(&refused(fault)?));
                None
            }
        };
    }
    Ok(page)
}

impl RulePage {
    fn of(view: &View, rule: Option<&Rule>) -> Self {
        let name = rule.map(|rule| rule.name.clone());
        Self {
            may_edit: may_edit(view),
            saved: false,
            address: name
                .as_ref()
                .map_or_else(|| "/new/rule".to_owned(), |name| format!("/rules/{name}")),
            name,
            rule: rule.cloned(),
            form: None,
            trial: None,
            look_first: false,
            refused: None,
        }
    }

    fn answer(&self, view: &View) -> Response {
        let mut response = view.page("rule.html", &place(), self);
        let wrong = self.refused.is_some() || self.look_first || self.form.as_ref().is_some_and(RuleForm::is_wrong);
        if wrong && response.status().is_success() {
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        }
        response
    }
}

/// The form that makes a rule.
pub(super) async fn new(view: View) -> Response {
    let objects = view.state.catalog().objects().await.map_err(Problem::from);
    let page = objects.map(|objects| RulePage {
        form: Some(RuleForm::of(&Rule::empty(""), &objects)),
        ..RulePage::of(&view, None)
    });
    answered(&view, page.map(|page| page.answer(&view)))
}

/// Makes a rule, tries it, or shows its form again.
pub(super) async fn add(view: View, Extension(caller): Known, Form(sent): Form<Sent>) -> Response {
    let answer = put(&view, &caller, None, &sent).await;
    answered(&view, answer)
}

/// Saves a rule, tries it, or shows its form again.
pub(super) async fn save(
    view: View,
    Extension(caller): Known,
    Path(name): Path<String>,
    Form(sent): Form<Sent>,
) -> Response {
    let answer = put(&view, &caller, Some(&name), &sent).await;
    answered(&view, answer)
}

async fn put(view: &View, caller: &Caller, name: Option<&str>, sent: &Sent) -> Result<Response, Problem> {
    let rules = view.state.rules();
    let book = rules.book().await?;
    let known = name.map(|name| book.rule(name)).transpose().map_err(|_| unknown())?;
    let objects = view.state.catalog().objects().await?;
    let mut page = RulePage::of(view, known);
    let rule = match rule_form::read(name, sent) {
        Ok(rule) => rule,
        Err(faults) => {
            page.form = Some(RuleForm::sent(sent, &objects, &faults));
            return Ok(page.answer(view));
        }
    };
    let tries = typed("do", Some(sent)) == Some("try");
    let unseen = rule.install && typed("seen", Some(sent)) != Some(&rule_form::seen(&rule));
    let fault = if tries || unseen {
        let name = rule.name.clone();
        match tried(view, Some(&name), Some(rule)).await {
            Ok(trial) => {
                page.look_first = !tries;
                page.trial = Some(trial);
                None
            }
            Err(fault) => Some(refused(fault)?),
        }
    } else {
        let (actor, now) = (caller.actor(), view.state.now());
        let saved = match known {
            Some(_) => rules.edit(rule, &actor, now).await,
            None => rules.add(rule, &actor, now).await,
        };
        match saved {
            Ok(()) => return Ok(done("/rules?saved=1")),
            Err(fault) => Some(refused(fault)?),
        }
    };
    let faults: Vec<Fault> = fault.into_iter().collect();
    page.form = Some(RuleForm::sent(sent, &objects, &faults));
    Ok(page.answer(view))
}

/// Moves a rule past its neighbour.
pub(super) async fn shift(
    view: View,
    Extension(caller): Known,
    Path(name): Path<String>,
    Form(sent): Form<Sent>,
) -> Response {
    let moved = match typed("way", Some(&sent)).unwrap_or_default().parse::<Way>() {
        Ok(way) => {
            let (actor, now) = (caller.actor(), view.state.now());
            view.state.rules().move_by_one(&name, way, &actor, now).await
        }
        Err(fault) => Err(fault.into()),
    };
    ended(&view, &name, moved).await
}

/// Removes a rule; what it gave stays with the hosts.
pub(super) async fn remove(view: View, Extension(caller): Known, Path(name): Path<String>) -> Response {
    let (actor, now) = (caller.actor(), view.state.now());
    let removed = view.state.rules().remove(&name, &actor, now).await;
    ended(&view, &name, removed).await
}

async fn ended(view: &View, name: &str, result: Result<(), CatalogFault>) -> Response {
    let answer = match result.map_err(refused) {
        Ok(()) => Ok(done("/rules?saved=1")),
        Err(Err(problem)) => Err(problem),
        Err(Ok(fault)) => existing(view, name, &Asked::default()).await.map(|mut page| {
            page.refused = Some(FaultShown::of(&fault));
            page.answer(view)
        }),
    };
    answered(view, answer)
}

/// Has all rules applied to all hosts that are not installed yet.
pub(super) async fn apply(view: View, Extension(caller): Known) -> Response {
    let asked = view.state.rules().ask_to_apply(&caller.actor(), view.state.now()).await;
    let answer = asked.map(|()| done("/rules?applied=1"));
    answered(&view, answer.map_err(Problem::from))
}
