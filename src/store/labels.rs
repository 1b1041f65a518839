//! What hosts can be found by of what is wanted of them: written with each plan, and for plans of earlier versions once.

use std::net::IpAddr;

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, TransactionTrait,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use uuid::Uuid;

use super::{
    Store, StoreError,
    entity::{host, host_label, host_plan, setting},
    row::set,
    write::insert,
    writer::immediate,
};
use crate::desired::{HostPlan, own_labels};

/// Where it is kept that rows of earlier versions were filled.
const FILLED: &str = "search.filled";

/// Raised when what is taken from plans and rows changes: then all are filled anew.
const VERSION: &str = "1";

/// Rows read in one go.
const AT_ONCE: u64 = 500;

/// Writes what a host's own layers say of it anew, after its plan was written, moved or removed.
pub(super) async fn refresh_labels(connection: &impl ConnectionTrait, host: Uuid) -> Result<(), StoreError> {
    host_label::Entity::delete_many()
        .filter(host_label::Column::Host.eq(host))
        .exec(connection)
        .await?;
    let Some(row) = host_plan::Entity::find_by_id(host).one(connection).await? else {
        return Ok(());
    };
    insert(connection, rows(&HostPlan::try_from(row)?), None).await?;
    Ok(())
}

fn rows(plan: &HostPlan) -> Vec<host_label::ActiveModel> {
    let mut out = Vec::new();
    for label in own_labels(plan) {
        let row = |place: i64, value: Option<String>| host_label::ActiveModel {
            host: set(plan.host.0),
            kind: set(label.kind.as_str().to_owned()),
            name: set(label.name.clone()),
            place: set(place),
            value: set(value),
        };
        if label.values.is_empty() {
            out.push(row(0, None));
        }
        out.extend(
            (0..)
                .zip(&label.values)
                .map(|(place, value)| row(place, Some(value.clone()))),
        );
    }
    out
}

/// An address as 32 hex digits, IPv4 as mapped into IPv6: networks are ranges of such texts.
pub(super) fn address_key(address: IpAddr) -> String {
    let address = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    hex::encode(address.octets())
}

impl Store {
    /// Fills what searches need in rows of earlier versions; does nothing once it is done.
    ///
    /// # Errors
    /// When the database fails or holds what cannot be read.
    pub(super) async fn fill_searches(&self) -> Result<(), StoreError> {
        let database = self.own();
        let done = setting::Entity::find_by_id(FILLED).one(database).await?;
        if done.is_some_and(|row| row.value == VERSION) {
            return Ok(());
        }
        let transaction = database.begin_with_options(immediate()).await?;
        fill_addresses(&transaction).await?;
        let mut after = None;
        loop {
            let mut select = host_plan::Entity::find();
            if let Some(after) = after {
                select = select.filter(host_plan::Column::Host.gt(after));
            }
            let plans = select
                .order_by_asc(host_plan::Column::Host)
                .limit(AT_ONCE)
                .all(&transaction)
                .await?;
            let Some(last) = plans.last() else { break };
            after = Some(last.host);
            let mut labels = Vec::new();
            for plan in plans {
                let host = plan.host;
                // One that cannot be read must not keep the server from starting: its host is not found by it.
                match HostPlan::try_from(plan) {
                    Ok(plan) => labels.extend(rows(&plan)),
                    Err(error) => tracing::warn!(%host, %error, "a plan cannot be searched"),
                }
            }
            insert(&transaction, labels, Some(OnConflict::new().do_nothing().to_owned())).await?;
        }
        let row = setting::ActiveModel {
            key: set(FILLED.to_owned()),
            value: set(VERSION.to_owned()),
        };
        let replace = OnConflict::column(setting::Column::Key)
            .update_column(setting::Column::Value)
            .to_owned();
        setting::Entity::insert(row)
            .on_conflict(replace)
            .exec_without_returning(&transaction)
            .await?;
        Ok(transaction.commit().await?)
    }
}

async fn fill_addresses(connection: &impl ConnectionTrait) -> Result<(), StoreError> {
    loop {
        let unfilled: Vec<(Uuid, Option<String>)> = host::Entity::find()
            .select_only()
            .columns([host::Column::Id, host::Column::Address])
            .filter(host::Column::Address.is_not_null())
            .filter(host::Column::AddressKey.is_null())
            .limit(AT_ONCE)
            .into_tuple()
            .all(connection)
            .await?;
        if unfilled.is_empty() {
            return Ok(());
        }
        for (id, address) in unfilled {
            // What cannot be read is in no network; it is not looked at again.
            let address = address.as_deref().and_then(|text| text.parse().ok());
            host::Entity::update_many()
                .col_expr(
                    host::Column::AddressKey,
                    Expr::value(address.map_or_else(String::new, address_key)),
                )
                .filter(Expr::col(host::Column::Id).eq(id))
                .exec(connection)
                .await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_ranges_of_keys() {
        let key = |text: &str| address_key(text.parse().unwrap());
        assert!(key("10.0.0.0") < key("10.0.0.255") && key("10.0.0.255") < key("10.0.1.0"));
        assert!(key("9.255.255.255") < key("10.0.0.0") && key("10.0.0.1") < key("2001:db8::1"));
    }
}
