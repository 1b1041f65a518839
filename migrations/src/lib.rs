//! Muster's schema: one file a change, the same on SQLite and PostgreSQL.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::{MigrationTrait, async_trait};

mod m20261123_000001_ledger;
mod m20261124_000002_profiles;
mod m20261124_000003_installs;
mod m20261124_000004_rules;
mod m20261124_000005_agents;
mod m20261125_000006_one_install_at_a_time;
mod m20261125_000007_search;
mod m20261125_000008_metrics;

/// Applies the changes in order.
#[derive(Debug, Clone, Copy)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_ledger::Migration),
            Box::new(m20261124_000002_profiles::Migration),
            Box::new(m20261124_000003_installs::Migration),
            Box::new(m20261124_000004_rules::Migration),
            Box::new(m20261124_000005_agents::Migration),
            Box::new(m20261125_000006_one_install_at_a_time::Migration),
            Box::new(m20261125_000007_search::Migration),
            Box::new(m20261125_000008_metrics::Migration),
        ]
    }
}
