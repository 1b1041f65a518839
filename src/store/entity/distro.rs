//! One system that can be installed.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "distro")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub family: String,
    pub os: String,
    pub version: String,
    pub codename: Option<String>,
    pub arch: String,
    pub tree_path: Option<String>,
    pub tree_url: Option<String>,
    pub kernel: String,
    pub initrd: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub values: Json,
}

impl ActiveModelBehavior for ActiveModel {}
