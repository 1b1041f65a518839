//! Distros, profiles and what is wanted of hosts.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait is written that way, and async_trait refuses another"
)]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables() {
            manager.create_table(table).await?;
        }
        for (table, column) in [("profile", "distro"), ("profile", "parent"), ("host_plan", "profile")] {
            let mut index = Index::create();
            index.name(format!("idx_{table}_{column}")).table(table).col(column);
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["host_plan", "profile", "distro"] {
            manager
                .drop_table(Table::drop().table(table).if_exists().to_owned())
                .await?;
        }
        Ok(())
    }
}

/// What others stand on is renamed with them, and not deleted while they do.
fn stands_on(column: &'static str, table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from_col(column)
        .to(table, "name")
        .on_update(ForeignKeyAction::Cascade)
        .on_delete(ForeignKeyAction::Restrict)
        .to_owned()
}

fn tables() -> Vec<TableCreateStatement> {
    vec![
        Table::create()
            .table("distro")
            .col(string("name").primary_key())
            .col(string("family"))
            .col(string("os"))
            .col(string("version"))
            .col(string_null("codename"))
            .col(string("arch"))
            .col(string_null("tree_path"))
            .col(string_null("tree_url"))
            .col(string("kernel"))
            .col(string("initrd"))
            .col(json_binary("values"))
            .to_owned(),
        Table::create()
            .table("profile")
            .col(string("name").primary_key())
            .col(string_null("distro"))
            .col(string_null("parent"))
            .col(json_binary("values"))
            .foreign_key(&mut stands_on("distro", "distro"))
            .foreign_key(&mut stands_on("parent", "profile"))
            .to_owned(),
        Table::create()
            .table("host_plan")
            .col(uuid("host").primary_key())
            .col(string_null("profile"))
            .col(json_binary("values"))
            .foreign_key(
                &mut ForeignKey::create()
                    .from_col("host")
                    .to("host", "id")
                    .on_delete(ForeignKeyAction::Cascade)
                    .to_owned(),
            )
            .foreign_key(&mut stands_on("profile", "profile"))
            .to_owned(),
    ]
}
