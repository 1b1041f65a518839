use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use super::{
    StoreError,
    entity::{agent_credential, boot_token, component, fact_change, fact_set, host, host_key, host_plan, interface},
    events, hosts, installs,
    labels::refresh_labels,
    metrics,
    row::word,
};
use crate::inventory::{Host, HostId};

/// Makes one host of two: interfaces, events, tokens, changes and keys move, so does a name when the other has none, of
/// facts the newer stay, and `from` is deleted. Nothing happens when either is not there.
pub(super) async fn absorb(connection: &impl ConnectionTrait, from: HostId, into: HostId) -> Result<(), StoreError> {
    if from == into {
        return Ok(());
    }
    let ended = hosts::locked(connection, from).await?;
    let kept = hosts::locked(connection, into).await?;
    let (Some(ended), Some(kept)) = (ended, kept) else {
        return Ok(());
    };
    events::move_events(connection, from, into).await?;
    interface::Entity::update_many()
        .col_expr(interface::Column::Host, Expr::value(into.0))
        .filter(interface::Column::Host.eq(from.0))
        .exec(connection)
        .await?;
    boot_token::Entity::update_many()
        .col_expr(boot_token::Column::Host, Expr::value(into.0))
        .filter(boot_token::Column::Host.eq(from.0))
        .exec(connection)
        .await?;
    agent_credential::Entity::update_many()
        .col_expr(agent_credential::Column::Host, Expr::value(into.0))
        .filter(agent_credential::Column::Host.eq(from.0))
        .exec(connection)
        .await?;
    installs::move_installs(connection, from, into).await?;
    fact_change::Entity::update_many()
        .col_expr(fact_change::Column::Host, Expr::value(into.0))
        .filter(fact_change::Column::Host.eq(from.0))
        .exec(connection)
        .await?;
    // What was wanted of the one that stays wins over what was wanted of the other.
    if host_plan::Entity::find_by_id(into.0).one(connection).await?.is_none() {
        host_plan::Entity::update_many()
            .col_expr(host_plan::Column::Host, Expr::value(into.0))
            .filter(host_plan::Column::Host.eq(from.0))
            .exec(connection)
            .await?;
        refresh_labels(connection, into.0).await?;
    }
    if kept.name.is_none() && ended.name.is_some() {
        host::Entity::update_many()
            .col_expr(host::Column::Name, Expr::value(ended.name))
            .filter(host::Column::Id.eq(into.0))
            .exec(connection)
            .await?;
    }
    if kept.heard_at.is_none() && ended.heard_at.is_some() {
        metrics::move_metrics(connection, from, into).await?;
        host::Entity::update_many()
            .col_expr(host::Column::HeardAt, Expr::value(ended.heard_at))
            .filter(host::Column::Id.eq(into.0))
            .exec(connection)
            .await?;
    }
    move_keys(connection, from, into).await?;
    move_components(connection, from, into).await?;
    move_facts(connection, from, into).await?;

    let doubts = Host::try_from(kept)?.ambiguous_with;
    if doubts.contains(&from) {
        let left: Vec<Uuid> = doubts.iter().filter(|host| **host != from).map(|host| host.0).collect();
        host::Entity::update_many()
            .col_expr(host::Column::AmbiguousWith, Expr::value(hosts::ambiguous_column(&left)))
            .filter(host::Column::Id.eq(into.0))
            .exec(connection)
            .await?;
    }
    host::Entity::delete_by_id(from.0).exec(connection).await?;
    refresh_search(connection, into).await
}

/// The absorbed host may have reported last: what it was recognised by recognises the one that stays.
async fn move_keys(connection: &impl ConnectionTrait, from: HostId, into: HostId) -> Result<(), StoreError> {
    let keys = host_key::Entity::find()
        .filter(host_key::Column::Host.eq(from.0))
        .all(connection)
        .await?;
    if keys.is_empty() {
        return Ok(());
    }
    let rows = keys.into_iter().map(|key| host_key::ActiveModel {
        host: sea_orm::Set(into.0),
        kind: sea_orm::Set(key.kind),
        value: sea_orm::Set(key.value),
    });
    host_key::Entity::insert_many(rows)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

async fn move_components(connection: &impl ConnectionTrait, from: HostId, into: HostId) -> Result<(), StoreError> {
    let components = component::Entity::find()
        .filter(component::Column::Host.eq(from.0))
        .all(connection)
        .await?;
    if components.is_empty() {
        return Ok(());
    }
    let rows = components.into_iter().map(|row| component::ActiveModel {
        host: sea_orm::Set(into.0),
        kind: sea_orm::Set(row.kind),
        key: sea_orm::Set(row.key),
        slot: sea_orm::Set(row.slot),
        vendor: sea_orm::Set(row.vendor),
        model: sea_orm::Set(row.model),
        serial: sea_orm::Set(row.serial),
        size_bytes: sea_orm::Set(row.size_bytes),
        present: sea_orm::Set(row.present),
    });
    component::Entity::insert_many(rows)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

async fn move_facts(connection: &impl ConnectionTrait, from: HostId, into: HostId) -> Result<(), StoreError> {
    let theirs = fact_set::Entity::find()
        .filter(fact_set::Column::Host.eq(from.0))
        .all(connection)
        .await?;
    for set in theirs {
        let kept = fact_set::Entity::find_by_id((into.0, set.source.clone()))
            .one(connection)
            .await?;
        if kept.is_some_and(|kept| kept.at >= set.at) {
            continue;
        }
        fact_set::Entity::delete_by_id((into.0, set.source.clone()))
            .exec(connection)
            .await?;
        fact_set::Entity::update_many()
            .col_expr(fact_set::Column::Host, Expr::value(into.0))
            .filter(fact_set::Column::Host.eq(from.0))
            .filter(fact_set::Column::Source.eq(set.source))
            .exec(connection)
            .await?;
    }
    Ok(())
}

/// Makes what searches look through anew, after a host's name or interfaces changed by themselves.
pub(super) async fn refresh_search(connection: &impl ConnectionTrait, id: HostId) -> Result<(), StoreError> {
    let Some(row) = host::Entity::find_by_id(id.0).one(connection).await? else {
        return Ok(());
    };
    let macs = interface::Entity::find()
        .filter(interface::Column::Host.eq(id.0))
        .all(connection)
        .await?
        .iter()
        .map(|row| word("interface", &row.mac))
        .collect::<Result<Vec<_>, _>>()?;
    let text = hosts::search_text(&Host::try_from(row)?, macs);
    host::Entity::update_many()
        .col_expr(host::Column::SearchText, Expr::value(text))
        .filter(host::Column::Id.eq(id.0))
        .exec(connection)
        .await?;
    Ok(())
}
