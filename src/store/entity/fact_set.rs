//! The current facts of one host by one source.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "fact_set")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub host: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub source: String,
    pub at: DateTimeUtc,
    #[sea_orm(column_type = "JsonBinary")]
    pub facts: Json,
}

impl ActiveModelBehavior for ActiveModel {}
