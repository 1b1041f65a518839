//! Tests of behaviour, one module each.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, helpers of tests too"
)]

mod api;
mod auth;
mod boot_http;
mod broken_setups;
mod cli;
mod cli_desired;
mod cli_dry_run;
mod cli_entry;
mod cli_named;
mod cli_render;
mod cobbler;
mod desired_http;
mod dhcp;
mod entered_hosts;
mod http_bounds;
mod import;
mod installs;
mod inventories;
mod loaders;
mod peers;
mod rule_pages;
mod rules;
mod searches;
mod site;
mod store;
mod tftp;
mod trials;
mod ui;
