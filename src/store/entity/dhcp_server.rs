//! Another DHCP server that was heard.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "dhcp_server")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub address: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub interface: String,
    pub mac: Option<String>,
    pub offers_seen: i64,
    pub first_seen_at: DateTimeUtc,
    pub last_seen_at: DateTimeUtc,
    pub answers_pxe_since: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
