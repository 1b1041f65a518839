//! One NIC by MAC.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "interface")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub mac: String,
    pub host: Uuid,
    pub name: Option<String>,
    pub driver: Option<String>,
    pub speed_mbps: Option<i64>,
    pub neighbour: Option<String>,
    pub present: bool,
    pub last_seen_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
