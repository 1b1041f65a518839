use std::net::Ipv4Addr;

use chrono::{DateTime, Utc};
use muster_facts::MacAddr;
use sea_orm::{EntityTrait, Order, QueryOrder};

use super::{
    Store, StoreError,
    entity::dhcp_server,
    row::{set, signed, unsigned, word, word_or_none},
};

/// Another DHCP server that was heard on an interface of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DhcpServerSeen {
    /// Its server identifier (option 54).
    pub address: Ipv4Addr,
    /// Our interface it was heard on.
    pub interface: String,
    /// The hardware address its packets came from, when it is on the link.
    pub mac: Option<MacAddr>,
    /// Offers heard in all.
    pub offers_seen: u64,
    /// The first packet.
    pub first_seen_at: DateTime<Utc>,
    /// The last packet.
    pub last_seen_at: DateTime<Utc>,
    /// Since when it gives boot information too; `None` while it does not.
    pub answers_pxe_since: Option<DateTime<Utc>>,
}

impl Store {
    /// The other DHCP servers that were ever heard, last heard first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dhcp_servers(&self) -> Result<Vec<DhcpServerSeen>, StoreError> {
        let rows = dhcp_server::Entity::find()
            .order_by(dhcp_server::Column::LastSeenAt, Order::Desc)
            .all(self.reader())
            .await?;
        rows.into_iter().map(DhcpServerSeen::try_from).collect()
    }
}

/// The row of another server.
pub(super) fn dhcp_server_row(server: &DhcpServerSeen) -> dhcp_server::ActiveModel {
    dhcp_server::ActiveModel {
        address: set(server.address.to_string()),
        interface: set(server.interface.clone()),
        mac: set(server.mac.map(|mac| mac.to_string())),
        offers_seen: set(signed(server.offers_seen)),
        first_seen_at: set(server.first_seen_at),
        last_seen_at: set(server.last_seen_at),
        answers_pxe_since: set(server.answers_pxe_since),
    }
}

impl TryFrom<dhcp_server::Model> for DhcpServerSeen {
    type Error = StoreError;

    fn try_from(row: dhcp_server::Model) -> Result<Self, StoreError> {
        Ok(Self {
            address: word("dhcp_server", &row.address)?,
            interface: row.interface,
            mac: word_or_none("dhcp_server", row.mac.as_deref())?,
            offers_seen: unsigned(row.offers_seen),
            first_seen_at: row.first_seen_at,
            last_seen_at: row.last_seen_at,
            answers_pxe_since: row.answers_pxe_since,
        })
    }
}
