//! What a host said last of its services.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "host_services")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub host: Uuid,
    pub at: DateTimeUtc,
    #[sea_orm(column_type = "JsonBinary")]
    pub services: Json,
}

impl ActiveModelBehavior for ActiveModel {}
