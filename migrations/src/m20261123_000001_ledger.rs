//! The ledger: hosts and what belongs to them, boots, leases, people.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Columns that lists, searches and transcripts look up by: table, columns.
const INDEXES: &[(&str, &[&str])] = &[
    ("host", &["state"]),
    ("host", &["last_seen_at"]),
    ("host", &["name"]),
    ("host", &["vendor"]),
    ("host", &["product"]),
    ("host", &["serial"]),
    ("host", &["search_text"]),
    ("interface", &["host"]),
    ("host_key", &["kind", "value"]),
    ("fact_change", &["host", "id"]),
    ("event", &["host", "id"]),
    ("event", &["boot", "id"]),
    ("event", &["mac", "id"]),
    ("lease", &["mac"]),
    ("lease", &["address_number"]),
    ("boot_token", &["host"]),
    ("boot_token", &["expires_at"]),
    ("session", &["user"]),
    ("session", &["expires_at"]),
    ("api_token", &["user"]),
];

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait is written that way, and async_trait refuses another"
)]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in hosts().into_iter().chain(boots()).chain(people()) {
            manager.create_table(table).await?;
        }
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
        let tables: Vec<_> = hosts().into_iter().chain(boots()).chain(people()).collect();
        for table in tables.iter().rev().filter_map(TableCreateStatement::get_table_name) {
            manager
                .drop_table(Table::drop().table(table.clone()).if_exists().to_owned())
                .await?;
        }
        Ok(())
    }
}

/// What dies with its owner.
fn belongs_to(column: &'static str, owner: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from_col(column)
        .to(owner, "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

fn primary_key(columns: &[&'static str]) -> IndexCreateStatement {
    let mut key = Index::create();
    for column in columns {
        key.col(*column);
    }
    key.primary().to_owned()
}

/// Hosts and what facts say of them.
fn hosts() -> Vec<TableCreateStatement> {
    vec![
        Table::create()
            .table("host")
            .col(pk_uuid("id"))
            .col(string_null("name"))
            .col(string("state"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("last_seen_at"))
            .col(timestamp_with_time_zone_null("reported_at"))
            .col(string_null("address"))
            .col(string_null("vendor"))
            .col(string_null("product"))
            .col(string_null("serial"))
            .col(string_null("uuid"))
            .col(string_null("architecture"))
            .col(string_null("boot_mode"))
            .col(string_null("cpu_model"))
            .col(big_integer_null("cores"))
            .col(big_integer_null("memory_bytes"))
            .col(big_integer_null("disk_bytes"))
            .col(big_integer_null("disks"))
            .col(big_integer_null("nics"))
            .col(string_null("boot_verdict"))
            .col(timestamp_with_time_zone_null("booted_at"))
            .col(json_binary_null("ambiguous_with"))
            .col(text("search_text"))
            .to_owned(),
        Table::create()
            .table("interface")
            .col(string("mac").primary_key())
            .col(uuid("host"))
            .col(string_null("name"))
            .col(string_null("driver"))
            .col(big_integer_null("speed_mbps"))
            .col(string_null("neighbour"))
            .col(boolean("present"))
            .col(timestamp_with_time_zone("last_seen_at"))
            .foreign_key(&mut belongs_to("host", "host"))
            .to_owned(),
        Table::create()
            .table("component")
            .col(uuid("host"))
            .col(string("kind"))
            .col(string("key"))
            .col(string_null("slot"))
            .col(string_null("vendor"))
            .col(string_null("model"))
            .col(string_null("serial"))
            .col(big_integer_null("size_bytes"))
            .col(boolean("present"))
            .primary_key(&mut primary_key(&["host", "kind", "key"]))
            .foreign_key(&mut belongs_to("host", "host"))
            .to_owned(),
        Table::create()
            .table("host_key")
            .col(uuid("host"))
            .col(string("kind"))
            .col(string("value"))
            .primary_key(&mut primary_key(&["host", "kind", "value"]))
            .foreign_key(&mut belongs_to("host", "host"))
            .to_owned(),
        Table::create()
            .table("fact_set")
            .col(uuid("host"))
            .col(string("source"))
            .col(timestamp_with_time_zone("at"))
            .col(json_binary("facts"))
            .primary_key(&mut primary_key(&["host", "source"]))
            .foreign_key(&mut belongs_to("host", "host"))
            .to_owned(),
        Table::create()
            .table("fact_change")
            .col(pk_uuid("id"))
            .col(uuid("host"))
            .col(timestamp_with_time_zone("at"))
            .col(string("source"))
            .col(string_null("actor"))
            .col(string("field"))
            .col(text_null("before"))
            .col(text_null("after"))
            .foreign_key(&mut belongs_to("host", "host"))
            .to_owned(),
    ]
}

/// Boots and addresses. Events and tokens outlive a host that is absorbed by another, so nothing here belongs to a host.
fn boots() -> Vec<TableCreateStatement> {
    vec![
        Table::create()
            .table("event")
            .col(pk_uuid("id"))
            .col(timestamp_with_time_zone("at"))
            .col(string_null("mac"))
            .col(uuid_null("host"))
            .col(uuid_null("boot"))
            .col(string("kind"))
            .col(string("level"))
            .col(string_null("rule"))
            .col(json_binary("params"))
            .to_owned(),
        Table::create()
            .table("lease")
            .col(string("address").primary_key())
            .col(big_integer("address_number"))
            .col(string("mac"))
            .col(binary_null("client_id"))
            .col(string_null("hostname"))
            .col(string("state"))
            .col(timestamp_with_time_zone("starts_at"))
            .col(timestamp_with_time_zone("ends_at"))
            .to_owned(),
        Table::create()
            .table("boot_token")
            .col(string("hash").primary_key())
            .col(string("mac"))
            .col(uuid("host"))
            .col(uuid("boot"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("expires_at"))
            .to_owned(),
        Table::create()
            .table("dhcp_server")
            .col(string("address"))
            .col(string("interface"))
            .col(string_null("mac"))
            .col(big_integer("offers_seen"))
            .col(timestamp_with_time_zone("first_seen_at"))
            .col(timestamp_with_time_zone("last_seen_at"))
            .col(timestamp_with_time_zone_null("answers_pxe_since"))
            .primary_key(&mut primary_key(&["address", "interface"]))
            .to_owned(),
    ]
}

/// People, their rights and what they did.
fn people() -> Vec<TableCreateStatement> {
    vec![
        Table::create()
            .table("user")
            .col(pk_uuid("id"))
            .col(string("name").unique_key())
            .col(string("password_hash"))
            .col(string("role"))
            .col(string_null("locale"))
            .col(timestamp_with_time_zone("created_at"))
            .to_owned(),
        Table::create()
            .table("session")
            .col(string("hash").primary_key())
            .col(uuid("user"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("expires_at"))
            .col(timestamp_with_time_zone("last_seen_at"))
            .foreign_key(&mut belongs_to("user", "user"))
            .to_owned(),
        Table::create()
            .table("api_token")
            .col(pk_uuid("id"))
            .col(string("name"))
            .col(string("hash").unique_key())
            .col(uuid("user"))
            .col(string("role"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone_null("expires_at"))
            .col(timestamp_with_time_zone_null("last_used_at"))
            .foreign_key(&mut belongs_to("user", "user"))
            .to_owned(),
        Table::create()
            .table("audit")
            .col(pk_uuid("id"))
            .col(timestamp_with_time_zone("at"))
            .col(string("actor"))
            .col(string("action"))
            .col(string_null("target"))
            .col(text_null("detail"))
            .to_owned(),
        Table::create()
            .table("setting")
            .col(string("key").primary_key())
            .col(text("value"))
            .to_owned(),
    ]
}
