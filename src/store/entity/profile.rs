//! One purpose that hosts are installed for.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "profile")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub distro: Option<String>,
    pub parent: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub values: Json,
}

impl ActiveModelBehavior for ActiveModel {}
