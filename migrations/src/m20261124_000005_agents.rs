//! Agents of installed systems: by what the server knows each of them.

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
        manager.create_table(agent_credential()).await?;
        manager
            .create_index(
                Index::create()
                    .name("idx_agent_credential_host")
                    .table("agent_credential")
                    .col("host")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("agent_credential").if_exists().to_owned())
            .await
    }
}

fn agent_credential() -> TableCreateStatement {
    Table::create()
        .table("agent_credential")
        .col(string("hash").primary_key())
        .col(uuid("host"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("last_used_at"))
        .col(timestamp_with_time_zone_null("revoked_at"))
        .col(string_null("revoked_by"))
        .foreign_key(
            ForeignKey::create()
                .from_col("host")
                .to("host", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}
