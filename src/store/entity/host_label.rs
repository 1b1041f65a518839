//! What one host's own layers say of what it can be found by.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "host_label")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub host: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    /// A tag, an owner, the name of a variable; empty for what there is one of, and where all from above is taken away.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub place: i64,
    /// Lower case; none where something from above is taken away.
    pub value: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
