//! One attempt to install one host.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "install")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub host: Uuid,
    pub profile: String,
    pub distro: String,
    pub started_by: String,
    pub created_at: DateTimeUtc,
    pub ended_at: Option<DateTimeUtc>,
    pub outcome: String,
    pub failed_by: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    pub stage: String,
    pub stage_since: DateTimeUtc,
    pub heard_at: DateTimeUtc,
    #[sea_orm(column_type = "Text")]
    pub evidence: String,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub packages: Option<Json>,
    #[sea_orm(column_type = "JsonBinary")]
    pub times: Json,
    pub starts: i64,
    pub once: bool,
    pub agent: bool,
    pub answer_hash: Option<String>,
    pub stage_hash: Option<String>,
    pub enrol_hash: Option<String>,
    pub client: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub snapshot: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub planned: Json,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub differences: Option<Json>,
}

impl ActiveModelBehavior for ActiveModel {}
