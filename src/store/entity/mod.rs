//! One file a table, as the migrations make them.

#![expect(
    unreachable_pub,
    reason = "the entity macro writes public items, and some tables are converted here only"
)]

pub(crate) mod agent_credential;
pub(crate) mod api_token;
pub(crate) mod audit;
pub(crate) mod boot_token;
pub(crate) mod component;
pub(crate) mod dhcp_server;
pub(crate) mod distro;
pub(crate) mod event;
pub(crate) mod fact_change;
pub(crate) mod fact_set;
pub(crate) mod host;
pub(crate) mod host_key;
pub(crate) mod host_label;
pub(crate) mod host_plan;
pub(crate) mod host_services;
pub(crate) mod install;
pub(crate) mod install_log;
pub(crate) mod interface;
pub(crate) mod lease;
pub(crate) mod metric_block;
pub(crate) mod metric_fleet;
pub(crate) mod metric_tail;
pub(crate) mod profile;
pub(crate) mod rule;
pub(crate) mod session;
pub(crate) mod setting;
pub(crate) mod user;
