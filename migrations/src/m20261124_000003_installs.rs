//! Installations: one row for each attempt, and what was heard of it.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const INDEXES: &[(&str, &[&str])] = &[
    ("install", &["host", "id"]),
    ("install", &["outcome"]),
    ("install_log", &["install", "id"]),
];

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait is written that way, and async_trait refuses another"
)]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(install()).await?;
        manager.create_table(install_log()).await?;
        for (table, columns) in INDEXES {
            let mut index = Index::create();
            index.name(format!("idx_{table}_{}", columns.join("_"))).table(*table);
            for column in *columns {
                index.col(*column);
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["install_log", "install"] {
            manager
                .drop_table(Table::drop().table(table).if_exists().to_owned())
                .await?;
        }
        Ok(())
    }
}

fn install() -> TableCreateStatement {
    Table::create()
        .table("install")
        .col(pk_uuid("id"))
        .col(uuid("host"))
        .col(string("profile"))
        .col(string("distro"))
        .col(string("started_by"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("ended_at"))
        .col(string("outcome"))
        .col(string_null("failed_by"))
        .col(text_null("reason"))
        .col(string("stage"))
        .col(timestamp_with_time_zone("stage_since"))
        .col(timestamp_with_time_zone("heard_at"))
        .col(text("evidence"))
        .col(json_binary_null("packages"))
        .col(json_binary("times"))
        .col(big_integer("starts"))
        .col(boolean("once"))
        .col(boolean("agent"))
        .col(string_null("answer_hash"))
        .col(string_null("stage_hash"))
        .col(string_null("enrol_hash"))
        .col(string_null("client"))
        .col(text_null("snapshot"))
        .col(json_binary("planned"))
        .col(json_binary_null("differences"))
        .foreign_key(
            ForeignKey::create()
                .from_col("host")
                .to("host", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

fn install_log() -> TableCreateStatement {
    Table::create()
        .table("install_log")
        .col(pk_uuid("id"))
        .col(uuid("install"))
        .col(timestamp_with_time_zone("at"))
        .col(string("source"))
        .col(string("level"))
        .col(text("text"))
        .foreign_key(
            ForeignKey::create()
                .from_col("install")
                .to("install", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}
