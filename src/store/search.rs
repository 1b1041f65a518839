//! A search as a condition of a query over indexed columns.
//!
//! Each part is true or false, never unknown, so that `not` finds the hosts of which nothing is known. What profiles give
//! is worked out here for each profile, and met by what hosts' own layers say of it (`labels`).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select,
    sea_query::{Expr, ExprTrait, Func, LikeExpr, SelectStatement},
};

use super::{
    Store, StoreError,
    entity::{agent_credential, component, host, host_label, host_plan, interface},
    hosts::{in_trouble, like_pieces},
    labels::address_key,
    row::signed,
};
use crate::{
    desired::{Label, LabelKind, Objects, labels_of},
    inventory::ComponentKind,
    search::{
        AddressTest, AmountField, Expression, Feature, LabelField, PartField, Pattern, Piece, Relation, Search, Term,
        TextField, TimeField, When,
    },
};

/// The tags that are roles begin so.
const ROLE_TAG: &str = "role=";

impl Store {
    /// The condition of a search; none when it says nothing.
    pub(super) async fn condition_of(&self, search: &Search) -> Result<Option<Condition>, StoreError> {
        if search.expression.is_empty() {
            return Ok(None);
        }
        let above = if asks_for_labels(&search.expression) {
            above_hosts(&self.desired_objects().await?)
        } else {
            Vec::new()
        };
        let query = Query { now: search.now, above };
        Ok(Some(query.expression(&search.expression)))
    }
}

fn asks_for_labels(expression: &Expression) -> bool {
    match expression {
        Expression::All(parts) | Expression::Any(parts) => parts.iter().any(asks_for_labels),
        Expression::Not(inner) => asks_for_labels(inner),
        Expression::Term(term) => matches!(term, Term::Label(..)),
    }
}

/// What hosts of one profile have from above.
#[derive(Debug)]
struct Above {
    /// None: hosts without a profile.
    profile: Option<String>,
    /// The profile and those it stands on.
    lineage: Vec<String>,
    distro: Option<String>,
    labels: Vec<Label>,
}

fn above_hosts(objects: &Objects) -> Vec<Above> {
    let profiles = objects.profiles.keys().map(|name| Some(name.as_str()));
    std::iter::once(None)
        .chain(profiles)
        .filter_map(|profile| {
            // One that stands on what is gone gives nothing; who enters profiles is told.
            let above = objects.above_hosts(profile).ok()?;
            Some(Above {
                profile: profile.map(str::to_owned),
                labels: labels_of(above.values()),
                lineage: above.profiles,
                distro: above.distro.map(|distro| distro.name),
            })
        })
        .collect()
}

struct Query {
    now: DateTime<Utc>,
    above: Vec<Above>,
}

impl Query {
    fn expression(&self, expression: &Expression) -> Condition {
        match expression {
            Expression::All(parts) => parts
                .iter()
                .fold(Condition::all(), |all, part| all.add(self.expression(part))),
            Expression::Any(parts) => parts
                .iter()
                .fold(Condition::any(), |any, part| any.add(self.expression(part))),
            Expression::Not(inner) => Condition::all().add(self.expression(inner)).not(),
            Expression::Term(term) => self.term(term),
        }
    }

    fn term(&self, term: &Term) -> Condition {
        match term {
            Term::Anywhere(pieces) => anywhere(pieces),
            Term::Text(field, pattern) => text(*field, pattern),
            Term::Amount(field, relation, amount) => self::amount(*field, *relation, *amount),
            Term::Time(field, when) => self.time(*field, *when),
            Term::State(states) => all(host::Column::State.is_in(states.iter().map(|state| state.as_str()))),
            Term::Id(id) => all(host::Column::Id.eq(id.0)),
            Term::Address(test) => address(test),
            Term::Mac(Pattern::Absent) => all(host::Column::Id.not_in_subquery(macs(None))),
            Term::Mac(pattern) => all(host::Column::Id.in_subquery(macs(Some(pattern)))),
            Term::Label(field, pattern) => self.label(field, pattern),
            Term::Part(field, Pattern::Absent) => all(host::Column::Id.not_in_subquery(parts(*field, None))),
            Term::Part(field, pattern) => all(host::Column::Id.in_subquery(parts(*field, Some(pattern)))),
            Term::Has(feature) => has(*feature),
        }
    }

    fn time(&self, field: TimeField, when: When) -> Condition {
        let column = match field {
            TimeField::Seen => host::Column::LastSeenAt,
            TimeField::Created => host::Column::CreatedAt,
            TimeField::Reported => host::Column::ReportedAt,
            TimeField::Booted => host::Column::BootedAt,
        };
        // An age is bounded by the language; no time of a ledger is so early.
        let ago = |age| self.now.checked_sub_signed(age).unwrap_or(DateTime::UNIX_EPOCH);
        let met = match when {
            When::LongerAgo(age) => column.lt(ago(age)),
            When::Within(age) => column.gte(ago(age)),
            When::Before(time) => column.lt(time),
            When::From(time) => column.gte(time),
            When::Between(from, to) => column.gte(from).and(column.lt(to)),
        };
        let known = all(column.is_not_null()).add(met);
        if field != TimeField::Seen {
            return known;
        }
        // One that a person entered was not heard of (`Host::seen_at`).
        known.add(
            Condition::any()
                .add(host::Column::ReportedAt.is_not_null())
                .add(host::Column::BootedAt.is_not_null())
                .add(Expr::col(host::Column::LastSeenAt).gt(Expr::col(host::Column::CreatedAt))),
        )
    }

    fn label(&self, field: &LabelField, pattern: &Pattern) -> Condition {
        if *pattern == Pattern::Absent {
            let any = Pattern::Whole(vec![Piece::Any]);
            return Condition::all().add(self.label(field, &any)).not();
        }
        match field {
            LabelField::Profile => self.of_profiles(|above| above.lineage.iter().any(|name| pattern.matches(name))),
            LabelField::Distro => self.of_profiles(|above| above.distro.iter().any(|name| pattern.matches(name))),
            LabelField::Tag => self.in_force(LabelKind::Tag, None, pattern),
            LabelField::Owner => self.in_force(LabelKind::Owner, None, pattern),
            LabelField::Place => self.in_force(LabelKind::Place, None, pattern),
            LabelField::Site => self.in_force(LabelKind::Site, None, pattern),
            LabelField::Var(name) => self.in_force(LabelKind::Var, Some(name), pattern),
            LabelField::Role => Condition::any()
                .add(self.in_force(LabelKind::Var, Some("role"), pattern))
                .add(self.in_force(LabelKind::Tag, None, &role_tag(pattern))),
        }
    }

    /// Hosts whose profile is one of these.
    fn of_profiles(&self, which: impl Fn(&Above) -> bool) -> Condition {
        let found = self.above.iter().filter(|above| which(above));
        hosts_of(found.map(|above| above.profile.as_deref()))
    }

    /// Hosts that have such a label by their own layers, or from above when their own layers say nothing of it.
    fn in_force(&self, kind: LabelKind, name: Option<&str>, pattern: &Pattern) -> Condition {
        let value = Expr::col(host_label::Column::Value);
        let mut own = own_labels(kind).filter(host_label::Column::Value.is_not_null());
        if let Some(name) = name {
            own = own.filter(host_label::Column::Name.eq(name));
        }
        let own = own.filter(matches(value, pattern));
        let mut found = Condition::any().add(host::Column::Id.in_subquery(own.into_query()));
        // Profiles that give the same are asked for together.
        let mut givers: BTreeMap<Vec<&str>, Vec<Option<&str>>> = BTreeMap::new();
        for above in &self.above {
            let mut names: Vec<&str> = above
                .labels
                .iter()
                .filter(|label| label.kind == kind && name.is_none_or(|name| label.name == name))
                .filter(|label| label.values.iter().any(|value| pattern.matches(value)))
                .map(|label| label.name.as_str())
                .collect();
            names.sort_unstable();
            if !names.is_empty() {
                givers.entry(names).or_default().push(above.profile.as_deref());
            }
        }
        for (names, profiles) in givers {
            let nothing_from_above = own_labels(kind).filter(host_label::Column::Name.eq(""));
            // Something of it is in force while the host says nothing of at least one.
            let said_of_all = own_labels(kind)
                .filter(host_label::Column::Name.is_in(names.iter().copied()))
                .group_by(host_label::Column::Host)
                .having(Expr::expr(Func::count_distinct(Expr::col(host_label::Column::Name))).gte(count(names.len())));
            found = found.add(
                hosts_of(profiles.into_iter())
                    .add(host::Column::Id.not_in_subquery(nothing_from_above.into_query()))
                    .add(host::Column::Id.not_in_subquery(said_of_all.into_query())),
            );
        }
        found
    }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn all(condition: Expr) -> Condition {
    Condition::all().add(condition)
}

/// A tag that names the role.
fn role_tag(pattern: &Pattern) -> Pattern {
    let tag = || ROLE_TAG.to_owned();
    match pattern {
        Pattern::Whole(pieces) => Pattern::Whole(match pieces.split_first() {
            Some((Piece::Text(text), rest)) => std::iter::once(Piece::Text(tag() + text))
                .chain(rest.iter().cloned())
                .collect(),
            _ => std::iter::once(Piece::Text(tag()))
                .chain(pieces.iter().cloned())
                .collect(),
        }),
        Pattern::Contains(text) => Pattern::Whole(vec![
            Piece::Text(tag()),
            Piece::Any,
            Piece::Text(text.clone()),
            Piece::Any,
        ]),
        Pattern::Absent => Pattern::Absent,
    }
}

/// Hosts of these profiles; none stands for hosts without one.
fn hosts_of<'a>(profiles: impl Iterator<Item = Option<&'a str>>) -> Condition {
    let (mut named, mut without) = (Vec::new(), false);
    for profile in profiles {
        match profile {
            Some(name) => named.push(name),
            None => without = true,
        }
    }
    let plans = || host_plan::Entity::find().select_only().column(host_plan::Column::Host);
    let mut any = Condition::any();
    if without {
        let with = plans().filter(host_plan::Column::Profile.is_not_null());
        any = any.add(host::Column::Id.not_in_subquery(with.into_query()));
    }
    // Also when there are none: nothing is met.
    let theirs = plans().filter(host_plan::Column::Profile.is_in(named));
    any = any.add(host::Column::Id.in_subquery(theirs.into_query()));
    Condition::all().add(any)
}

fn own_labels(kind: LabelKind) -> Select<host_label::Entity> {
    host_label::Entity::find()
        .select_only()
        .column(host_label::Column::Host)
        .filter(host_label::Column::Kind.eq(kind.as_str()))
}

/// Whether a lower-case text meets a pattern.
fn matches(text: Expr, pattern: &Pattern) -> Expr {
    match pattern {
        Pattern::Absent => text.eq(""),
        Pattern::Contains(part) => text.like(like_pieces(&[Piece::Any, Piece::Text(part.clone()), Piece::Any])),
        Pattern::Whole(pieces) => match pattern.only() {
            Some(only) => text.eq(only),
            None => text.like(like_pieces(pieces)),
        },
    }
}

fn lower(column: impl ColumnTrait) -> Expr {
    Expr::expr(Func::lower(Expr::col(column)))
}

/// A word anywhere in the texts of the row.
pub(super) fn anywhere(pieces: &[Piece]) -> Condition {
    let around = std::iter::once(Piece::Any)
        .chain(pieces.iter().cloned())
        .chain(std::iter::once(Piece::Any))
        .collect::<Vec<_>>();
    let found = || -> LikeExpr { like_pieces(&around) };
    Condition::any()
        .add(Expr::col(host::Column::SearchText).like(found()))
        .add(all(host::Column::Address.is_not_null()).add(Expr::col(host::Column::Address).like(found())))
}

fn text(field: TextField, pattern: &Pattern) -> Condition {
    let column = match field {
        TextField::Name => host::Column::Name,
        TextField::Vendor => host::Column::Vendor,
        TextField::Product => host::Column::Product,
        TextField::Serial => host::Column::Serial,
        TextField::Uuid => host::Column::Uuid,
        TextField::Architecture => host::Column::Architecture,
        TextField::Firmware => host::Column::BootMode,
        TextField::Cpu => host::Column::CpuModel,
        TextField::Os => host::Column::Os,
        TextField::OsVersion => host::Column::OsVersion,
        TextField::Boot => host::Column::BootVerdict,
    };
    if *pattern == Pattern::Absent {
        return Condition::any().add(column.is_null()).add(column.eq(""));
    }
    all(column.is_not_null()).add(matches(lower(column), pattern))
}

fn amount(field: AmountField, relation: Relation, amount: u64) -> Condition {
    let column = match field {
        AmountField::Memory => host::Column::MemoryBytes,
        AmountField::Disk => host::Column::DiskBytes,
        AmountField::Cores => host::Column::Cores,
        AmountField::Disks => host::Column::Disks,
        AmountField::Nics => host::Column::Nics,
    };
    let amount = signed(amount);
    let met = match relation {
        Relation::Is => column.eq(amount),
        Relation::Above => column.gt(amount),
        Relation::AtLeast => column.gte(amount),
        Relation::Below => column.lt(amount),
        Relation::AtMost => column.lte(amount),
    };
    all(column.is_not_null()).add(met)
}

fn address(test: &AddressTest) -> Condition {
    match test {
        AddressTest::Between(first, last) => all(host::Column::AddressKey.is_not_null())
            .add(host::Column::AddressKey.between(address_key(*first), address_key(*last))),
        AddressTest::Written(Pattern::Absent) => all(host::Column::Address.is_null()),
        AddressTest::Written(pattern) => {
            all(host::Column::Address.is_not_null()).add(matches(Expr::col(host::Column::Address), pattern))
        }
    }
}

fn macs(pattern: Option<&Pattern>) -> SelectStatement {
    let select = interface::Entity::find().select_only().column(interface::Column::Host);
    match pattern {
        Some(pattern) => select.filter(matches(Expr::col(interface::Column::Mac), pattern)),
        None => select,
    }
    .into_query()
}

fn parts(field: PartField, pattern: Option<&Pattern>) -> SelectStatement {
    if field == PartField::Switch {
        let wired = interface::Entity::find()
            .select_only()
            .column(interface::Column::Host)
            .filter(interface::Column::Present.eq(true))
            .filter(interface::Column::Neighbour.is_not_null());
        return match pattern {
            Some(pattern) => wired.filter(matches(lower(interface::Column::Neighbour), pattern)),
            None => wired,
        }
        .into_query();
    }
    let there = component::Entity::find()
        .select_only()
        .column(component::Column::Host)
        .filter(component::Column::Present.eq(true));
    let (there, column) = match field {
        PartField::Gpu => (
            there.filter(component::Column::Kind.eq(ComponentKind::Gpu.as_str())),
            component::Column::Model,
        ),
        PartField::Serial | PartField::Switch => (there, component::Column::Serial),
    };
    let there = there.filter(column.is_not_null());
    match pattern {
        Some(pattern) => there.filter(matches(lower(column), pattern)),
        None => there,
    }
    .into_query()
}

fn has(feature: Feature) -> Condition {
    let part = |kind: ComponentKind| {
        let there = component::Entity::find()
            .select_only()
            .column(component::Column::Host)
            .filter(component::Column::Kind.eq(kind.as_str()))
            .filter(component::Column::Present.eq(true));
        all(host::Column::Id.in_subquery(there.into_query()))
    };
    match feature {
        Feature::Gpu => part(ComponentKind::Gpu),
        Feature::Disk => part(ComponentKind::Disk),
        Feature::Name => all(host::Column::Name.is_not_null()),
        Feature::Address => all(host::Column::Address.is_not_null()),
        Feature::Report => all(host::Column::ReportedAt.is_not_null()),
        Feature::Trouble => in_trouble(),
        Feature::Profile => {
            let planned = host_plan::Entity::find()
                .select_only()
                .column(host_plan::Column::Host)
                .filter(host_plan::Column::Profile.is_not_null());
            all(host::Column::Id.in_subquery(planned.into_query()))
        }
        Feature::Agent => {
            let known = agent_credential::Entity::find()
                .select_only()
                .column(agent_credential::Column::Host)
                .filter(agent_credential::Column::RevokedAt.is_null());
            all(host::Column::Id.in_subquery(known.into_query()))
        }
    }
}
