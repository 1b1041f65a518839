//! Of one host one installation runs at a time: the database is the judge of that between several servers.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const INDEX: &str = "idx_install_open_host";

/// Of several that an earlier version let run at once the newest one stays. Ids are in the order of time. When the others
/// came to their end nobody knows: it is the time they were heard of last.
const END_DOUBLES: &str = "UPDATE install SET outcome = 'cancelled', ended_at = heard_at, \
    reason = 'ended because a newer installation of this host was running beside it' \
    WHERE outcome = 'open' AND EXISTS (SELECT 1 FROM install AS newer \
    WHERE newer.host = install.host AND newer.outcome = 'open' AND newer.id > install.id)";

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait is written that way, and async_trait refuses another"
)]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(END_DOUBLES).await?;
        manager
            .create_index(
                Index::create()
                    .name(INDEX)
                    .table("install")
                    .col("host")
                    .unique()
                    .and_where(Expr::col("outcome").eq("open"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_index(Index::drop().name(INDEX).table("install").to_owned())
            .await
    }
}
