//! Muster: the CMDB that boots your servers.
//!
//! Rooms from top to bottom (`cargo xtask layers` keeps the arrows pointing down):
//! `cli` · `app`, `config`, `telemetry` · `net`, `http` · `discovery`, `provision`, `auth` · `store` ·
//! `inventory`, `ipam`, `boot`, `install`, `desired`, `search`, `metrics`.
//! `docs/ARCHITECTURE.md` walks through them.

pub mod app;
pub mod auth;
pub mod boot;
pub mod check;
pub mod cli;
pub mod config;
pub mod desired;
pub mod discovery;
pub mod http;
pub mod install;
pub mod inventory;
pub mod ipam;
pub mod metrics;
pub mod net;
pub mod provision;
pub mod render;
pub mod search;
pub mod store;
pub mod telemetry;
