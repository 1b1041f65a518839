//! What searches look through: the installed system, addresses as ranges, and what hosts' own layers say.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const COLUMNS: [&str; 3] = ["os", "os_version", "address_key"];

/// Indexes of one or more columns: table, columns.
const INDEXES: &[(&str, &[&str])] = &[
    ("host", &["os"]),
    ("host", &["address_key"]),
    ("host_label", &["kind", "value"]),
    ("host_label", &["kind", "name"]),
    ("component", &["kind", "host"]),
];

/// Texts that are asked for in any case: table, column.
const IN_ANY_CASE: [(&str, &str); 3] = [("host", "name"), ("host", "serial"), ("component", "serial")];

/// Newest first of what hosts' installed systems said of themselves.
const SYSTEMS: &str = "UPDATE host SET
    os = (SELECT lower(facts -> 'os' ->> 'id') FROM fact_set WHERE fact_set.host = host.id
        AND (facts -> 'os' ->> 'id') IS NOT NULL ORDER BY \"at\" DESC LIMIT 1),
    os_version = (SELECT facts -> 'os' ->> 'version' FROM fact_set WHERE fact_set.host = host.id
        AND (facts -> 'os' ->> 'id') IS NOT NULL ORDER BY \"at\" DESC LIMIT 1)";

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait is written that way, and async_trait refuses another"
)]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite takes one new column at a time.
        for column in COLUMNS {
            manager
                .alter_table(Table::alter().table("host").add_column(string_null(column)).to_owned())
                .await?;
        }
        manager.create_table(host_label()).await?;
        for (table, columns) in INDEXES {
            let mut index = Index::create();
            index.name(format!("idx_{table}_{}", columns.join("_"))).table(*table);
            for column in *columns {
                index.col(*column);
            }
            manager.create_index(index).await?;
        }
        let database = manager.get_connection();
        for (table, column) in IN_ANY_CASE {
            database
                .execute_unprepared(&format!(
                    "CREATE INDEX idx_{table}_{column}_lower ON {table} (lower({column}))"
                ))
                .await?;
        }
        // Addresses and labels of rows that exist are filled by the store, which knows how they are read.
        database.execute_unprepared(SYSTEMS).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let indexes = INDEXES
            .iter()
            .filter(|(table, _)| *table != "host_label")
            .map(|(table, columns)| format!("idx_{table}_{}", columns.join("_")))
            .chain(IN_ANY_CASE.map(|(table, column)| format!("idx_{table}_{column}_lower")));
        for index in indexes {
            manager
                .get_connection()
                .execute_unprepared(&format!("DROP INDEX {index}"))
                .await?;
        }
        manager
            .drop_table(Table::drop().table("host_label").if_exists().to_owned())
            .await?;
        for column in COLUMNS {
            manager
                .alter_table(Table::alter().table("host").drop_column(column).to_owned())
                .await?;
        }
        Ok(())
    }
}

fn host_label() -> TableCreateStatement {
    let mut key = Index::create();
    for column in ["host", "kind", "name", "place"] {
        key.col(column);
    }
    Table::create()
        .table("host_label")
        .col(uuid("host"))
        .col(string("kind"))
        .col(string("name"))
        .col(big_integer("place"))
        .col(string_null("value"))
        .primary_key(&mut key.primary().to_owned())
        .foreign_key(
            ForeignKey::create()
                .from_col("host")
                .to("host", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}
