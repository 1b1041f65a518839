//! What all hosts came to together in one step of time.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metric_fleet")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub step: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub at: i64,
    pub data: Vec<u8>,
}

impl ActiveModelBehavior for ActiveModel {}
