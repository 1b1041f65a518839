//! What hosts of some hardware are given.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rule")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub position: i64,
    #[sea_orm(column_type = "Text")]
    pub condition: String,
    pub profile: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub hostname: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub place: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub tags: Json,
    pub install: bool,
}

impl ActiveModelBehavior for ActiveModel {}
