//! What installed machines measure, when their agents were heard, and the alerts that follow from it.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Columns that are looked up by: table, columns.
const INDEXES: &[(&str, &[&str])] = &[
    ("host", &["heard_at"]),
    // Of the tail, what is old enough to be laid into blocks.
    ("metric_tail", &["at"]),
    // Of the blocks, what is kept no longer.
    ("metric_block", &["step", "start"]),
];

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
        manager
            .alter_table(
                Table::alter()
                    .table("host")
                    .add_column(timestamp_with_time_zone_null("heard_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .alter_table(
                Table::alter()
                    .table("agent_credential")
                    .add_column(big_integer("acknowledged").default(0))
                    .to_owned(),
            )
            .await?;
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
        manager
            .drop_index(Index::drop().name("idx_host_heard_at").table("host").to_owned())
            .await?;
        for (table, column) in [("host", "heard_at"), ("agent_credential", "acknowledged")] {
            manager
                .alter_table(Table::alter().table(table).drop_column(column).to_owned())
                .await?;
        }
        for table in tables().iter().rev().filter_map(TableCreateStatement::get_table_name) {
            manager
                .drop_table(Table::drop().table(table.clone()).if_exists().to_owned())
                .await?;
        }
        Ok(())
    }
}

fn tables() -> Vec<TableCreateStatement> {
    vec![
        // A row a report: what has not been laid into blocks yet.
        Table::create()
            .table("metric_tail")
            .col(uuid("host"))
            .col(big_integer("at"))
            .col(blob("data"))
            .primary_key(&mut primary_key(&["host", "at"]))
            .foreign_key(&mut of_host())
            .to_owned(),
        // An hour, a day or a week of one host.
        Table::create()
            .table("metric_block")
            .col(uuid("host"))
            .col(big_integer("step"))
            .col(big_integer("start"))
            .col(big_integer("version"))
            .col(blob("data"))
            .primary_key(&mut primary_key(&["host", "step", "start"]))
            .foreign_key(&mut of_host())
            .to_owned(),
        // All hosts together, a row a step.
        Table::create()
            .table("metric_fleet")
            .col(big_integer("step"))
            .col(big_integer("at"))
            .col(blob("data"))
            .primary_key(&mut primary_key(&["step", "at"]))
            .to_owned(),
        // What a host said last of its services.
        Table::create()
            .table("host_services")
            .col(pk_uuid("host"))
            .col(timestamp_with_time_zone("at"))
            .col(json_binary("services"))
            .foreign_key(&mut of_host())
            .to_owned(),
    ]
}

fn primary_key(columns: &[&'static str]) -> IndexCreateStatement {
    let mut key = Index::create();
    for column in columns {
        key.col(*column);
    }
    key.primary().to_owned()
}

/// What dies with its host.
fn of_host() -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from_col("host")
        .to("host", "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}
