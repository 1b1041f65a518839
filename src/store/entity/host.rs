//! One machine: the row lists and searches read.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "host")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: Option<String>,
    pub state: String,
    pub created_at: DateTimeUtc,
    pub last_seen_at: DateTimeUtc,
    pub reported_at: Option<DateTimeUtc>,
    pub heard_at: Option<DateTimeUtc>,
    pub address: Option<String>,
    pub vendor: Option<String>,
    pub product: Option<String>,
    pub serial: Option<String>,
    pub uuid: Option<String>,
    pub architecture: Option<String>,
    pub boot_mode: Option<String>,
    pub cpu_model: Option<String>,
    pub cores: Option<i64>,
    pub memory_bytes: Option<i64>,
    pub disk_bytes: Option<i64>,
    pub disks: Option<i64>,
    pub nics: Option<i64>,
    pub boot_verdict: Option<String>,
    pub booted_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub ambiguous_with: Option<Json>,
    #[sea_orm(column_type = "Text")]
    pub search_text: String,
    pub os: Option<String>,
    pub os_version: Option<String>,
    /// The address as 32 hex digits, so that networks are ranges.
    pub address_key: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
