use std::net::Ipv4Addr;

use muster_facts::MacAddr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{
    Store, StoreError,
    entity::lease,
    row::{set, word},
};
use crate::ipam::{AddressRange, Lease};

/// Which leases a list shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeaseQuery {
    /// Only addresses of this range.
    pub range: Option<AddressRange>,
    /// Only leases of this interface.
    pub mac: Option<MacAddr>,
    /// Text that must occur in address, MAC or host name.
    pub text: Option<String>,
    /// Leases to skip.
    pub offset: u64,
    /// Leases to give at most.
    pub limit: u64,
}

/// One page of leases.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeasePage {
    /// The leases of this page, by address.
    pub leases: Vec<Lease>,
    /// Leases on all pages.
    pub total: u64,
}

impl Store {
    /// One page of leases, by address; ended ones too, until their address is given to another client.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leases(&self, query: &LeaseQuery) -> Result<LeasePage, StoreError> {
        let mut all = Condition::all();
        if let Some(range) = query.range {
            all = all.add(lease::Column::AddressNumber.between(number(range.first), number(range.last)));
        }
        if let Some(mac) = query.mac {
            all = all.add(lease::Column::Mac.eq(mac.to_string()));
        }
        if let Some(text) = query.text.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            let mac = text
                .parse::<MacAddr>()
                .map_or_else(|_| text.to_lowercase(), |mac| mac.to_string());
            all = all.add(
                Condition::any()
                    .add(lease::Column::Address.contains(text))
                    .add(lease::Column::Mac.contains(mac))
                    .add(lease::Column::Hostname.contains(text)),
            );
        }
        let select = lease::Entity::find().filter(all);
        let total = select.clone().count(self.reader()).await?;
        let rows = select
            .order_by(lease::Column::AddressNumber, Order::Asc)
            .offset(Ord::min(query.offset, super::hosts::MAX_OFFSET))
            .limit(query.limit)
            .all(self.reader())
            .await?;
        let leases = rows.into_iter().map(Lease::try_from).collect::<Result<_, _>>()?;
        Ok(LeasePage { leases, total })
    }
}

pub(super) fn number(address: Ipv4Addr) -> i64 {
    i64::from(u32::from(address))
}

/// The row of a lease.
pub(super) fn lease_row(lease: &Lease) -> lease::ActiveModel {
    lease::ActiveModel {
        address: set(lease.address.to_string()),
        address_number: set(number(lease.address)),
        mac: set(lease.mac.to_string()),
        client_id: set(lease.client_id.clone()),
        hostname: set(lease.hostname.clone()),
        state: set(lease.state.as_str().to_owned()),
        starts_at: set(lease.starts_at),
        ends_at: set(lease.ends_at),
    }
}

impl TryFrom<lease::Model> for Lease {
    type Error = StoreError;

    fn try_from(row: lease::Model) -> Result<Self, StoreError> {
        Ok(Self {
            address: word("lease", &row.address)?,
            mac: word("lease", &row.mac)?,
            client_id: row.client_id,
            hostname: row.hostname,
            state: word("lease", &row.state)?,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
        })
    }
}
