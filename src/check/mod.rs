//! What would stop a boot, in plain words: `muster check`, and the page.
//!
//! Nothing is changed: ports are bound and let go, files are looked at, and one DISCOVER is sent on each interface whose
//! subnet Muster serves, to hear who else answers.

mod capabilities;
mod database;
mod distros;
mod files;
mod holder;
mod interfaces;
mod open_files;
mod ports;
mod probe;
mod subnets;

pub use holder::{Protocol, holder};
pub use interfaces::{LocalInterface, local_interfaces};
pub use open_files::{FileLimits, file_limits};

use std::{net::SocketAddr, path::PathBuf};

use serde::Serialize;

use crate::{ipam::Subnet, provision::tree_folders::TreeFolders};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// As it should be.
    Ok,
    /// Some machines may not boot.
    Warn,
    /// This stops a boot.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// What it is about: `ports`, `capabilities`, `open_files`, `loaders`, `image`, `subnets`, `other_server`, `database`,
    /// `distros`.
    pub about: &'static str,
    /// What was found.
    pub what: String,
    /// Why it matters; empty when all is well.
    pub why: String,
    /// What to do; empty when all is well.
    pub advice: String,
}

impl Finding {
    fn ok(about: &'static str, what: impl Into<String>) -> Self {
        Self {
            weight: Weight::Ok,
            about,
            what: what.into(),
            why: String::new(),
            advice: String::new(),
        }
    }

    fn new(
        weight: Weight,
        about: &'static str,
        what: impl Into<String>,
        why: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            weight,
            about,
            what: what.into(),
            why: why.into(),
            advice: advice.into(),
        }
    }
}

/// A socket that Muster needs, by the setting that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// The setting: `http.listen`.
    pub setting: &'static str,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Where.
    pub address: SocketAddr,
}

/// What a boot needs, taken from the settings.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the ledger is, with its password.
    pub database_url: String,
    /// The same without the password.
    pub database_shown: String,
    /// Every socket of the server.
    pub sockets: Vec<Needed>,
    /// Folder of the boot loaders.
    pub loader_dir: PathBuf,
    /// Architecture and its loader's file name.
    pub loaders: Vec<(String, String)>,
    /// Folder of the collection image.
    pub image_dir: PathBuf,
    /// Where installation trees may lie.
    pub trees: TreeFolders,
    /// Files the process may have open when all that is served is busy.
    pub open_files: u64,
    /// True when unknown machines boot the collection image.
    pub collects: bool,
    /// DHCP, when it is enabled.
    pub dhcp: Option<DhcpPlan>,
}

/// What Muster does by DHCP.
#[derive(Debug, Clone)]
pub struct DhcpPlan {
    /// Port of servers.
    pub port: u16,
    /// Port of clients.
    pub client_port: u16,
    /// Interfaces that are listened to; empty: all.
    pub interfaces: Vec<String>,
    /// The subnets.
    pub subnets: Vec<Subnet>,
}

/// Looks at everything. `probe`: also ask the network who answers DHCP, which takes two seconds.
pub async fn look(plan: &Plan, probe: bool) -> Vec<Finding> {
    let mut findings = ports::look(&plan.sockets);
    findings.extend(capabilities::look(&plan.sockets, plan.dhcp.is_some()));
    findings.push(open_files::look(plan.open_files));
    let database = database::look(&plan.database_url, &plan.database_shown).await;
    let readable = database.weight == Weight::Ok;
    findings.push(database);
    if readable {
        findings.extend(distros::look(&plan.database_url, &plan.trees).await);
    }
    findings.extend(files::look(plan));
    if let Some(dhcp) = &plan.dhcp {
        match local_interfaces() {
            Ok(local) => {
                findings.extend(subnets::look(dhcp, &local));
                if probe {
                    findings.extend(probe::look(dhcp, &local).await);
                }
            }
            Err(error) => findings.push(Finding::new(
                Weight::Warn,
                "subnets",
                format!("the network interfaces cannot be listed: {error}"),
                "whether each subnet is on an interface is not known",
                "run the check on the machine that serves, outside of a sandbox that hides its network",
            )),
        }
    }
    findings
}
