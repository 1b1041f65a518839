//! What is wanted of one host.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "host_plan")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub host: Uuid,
    pub profile: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub values: Json,
    pub profile_by: Option<String>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub given: Option<Json>,
    pub given_name: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
