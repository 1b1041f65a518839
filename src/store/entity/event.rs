//! One thing that happened.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub at: DateTimeUtc,
    pub mac: Option<String>,
    pub host: Option<Uuid>,
    pub boot: Option<Uuid>,
    pub kind: String,
    pub level: String,
    pub rule: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub params: Json,
}

impl ActiveModelBehavior for ActiveModel {}
