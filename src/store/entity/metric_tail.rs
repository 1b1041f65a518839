//! One report of one host, until it is laid into blocks.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metric_tail")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub host: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub at: i64,
    pub data: Vec<u8>,
}

impl ActiveModelBehavior for ActiveModel {}
