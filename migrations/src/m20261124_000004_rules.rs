//! Rules on facts, and what they gave with the plan of each host.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Unique: of two hosts that are given one name at the same time, one gets it.
const NAMES: &str = "idx_host_plan_given_name";

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait is written that way, and async_trait refuses another"
)]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(rule()).await?;
        manager
            .create_index(
                Index::create()
                    .name("idx_rule_profile")
                    .table("rule")
                    .col("profile")
                    .to_owned(),
            )
            .await?;
        // SQLite takes one new column at a time.
        for column in [
            string_null("profile_by"),
            json_binary_null("given"),
            string_null("given_name"),
        ] {
            manager
                .alter_table(Table::alter().table("host_plan").add_column(column).to_owned())
                .await?;
        }
        manager
            .create_index(
                Index::create()
                    .name(NAMES)
                    .table("host_plan")
                    .col("given_name")
                    .unique()
                    .to_owned(),
            )
            .await?;
        // Until now only people gave profiles.
        manager
            .get_connection()
            .execute_unprepared("UPDATE host_plan SET profile_by = 'person' WHERE profile IS NOT NULL")
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_index(Index::drop().name(NAMES).table("host_plan").to_owned())
            .await?;
        for column in ["given_name", "given", "profile_by"] {
            manager
                .alter_table(Table::alter().table("host_plan").drop_column(column).to_owned())
                .await?;
        }
        manager
            .drop_table(Table::drop().table("rule").if_exists().to_owned())
            .await
    }
}

fn rule() -> TableCreateStatement {
    Table::create()
        .table("rule")
        .col(string("name").primary_key())
        .col(big_integer("position"))
        .col(text("condition"))
        .col(string_null("profile"))
        .col(text_null("hostname"))
        .col(text_null("place"))
        .col(json_binary("tags"))
        .col(boolean("install"))
        .foreign_key(
            // A profile is renamed with the rules that give it, and not removed while one does.
            ForeignKey::create()
                .from_col("profile")
                .to("profile", "name")
                .on_update(ForeignKeyAction::Cascade)
                .on_delete(ForeignKeyAction::Restrict),
        )
        .to_owned()
}
