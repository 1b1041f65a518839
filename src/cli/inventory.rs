//! `muster inventory`: hosts as other programs want them. Reads the ledger itself (docs/decisions/0007).

use clap::{Args, Subcommand};
use ipnet::IpNet;
use serde_json::json;

use super::{Failure, hosts::open, search::expression};
use crate::{
    app,
    config::Settings,
    provision::inventories::{Inventories, InventoryFault, ZoneWanted},
};

#[derive(Debug, Subcommand)]
pub(super) enum InventoryCommand {
    /// For Ansible: groups and variables, as its inventory scripts print them.
    Ansible(AnsibleArgs),
    /// Targets for Prometheus' file or HTTP discovery.
    Prometheus {
        #[command(flatten)]
        which: Which,
        /// The port that is scraped.
        #[arg(long, default_value_t = 9100)]
        port: u16,
    },
    /// Lines for /etc/hosts.
    Hosts {
        #[command(flatten)]
        which: Which,
    },
    /// A DNS zone: A and AAAA of hosts, or their PTR.
    Dns {
        #[command(flatten)]
        which: Which,
        /// The domain of the hosts, e.g. lab.example.org.
        #[arg(long)]
        zone: String,
        /// PTR of the addresses in this network instead, e.g. 10.0.0.0/24.
        #[arg(long, value_name = "NETWORK")]
        reverse: Option<IpNet>,
        /// The zone's name server: then SOA and NS are written too.
        #[arg(long, value_name = "NAME")]
        ns: Option<String>,
    },
    /// What Salt's master is told of a minion, as JSON: `ext_pillar` with `cmd_json: muster inventory salt %s`.
    Salt {
        /// Its name, full name, id or MAC.
        minion: String,
    },
}

/// Which hosts.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// What they have to meet, e.g. `role:web state:active`; without it all that are not only discovered or retired.
    #[arg(
        short,
        long,
        value_name = "SEARCH",
        env = "MUSTER_QUERY",
        default_value = "",
        allow_hyphen_values = true
    )]
    query: String,
}

#[derive(Debug, Args)]
pub(super) struct AnsibleArgs {
    /// Every host with its groups; this is done without it too.
    #[arg(long, conflicts_with = "host")]
    list: bool,
    /// The variables of one host.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    #[command(flatten)]
    which: Which,
}

pub(super) async fn inventory(settings: &Settings, command: InventoryCommand) -> Result<String, Failure> {
    let store = open(settings).await?;
    let inventories = Inventories::new(app::catalog(settings, store.clone()));
    let printed = print(&inventories, command).await;
    store.close().await?;
    printed
}

async fn print(inventories: &Inventories, command: InventoryCommand) -> Result<String, Failure> {
    let now = app::now();
    let search = |which: Which| expression(&[which.query]);
    let pretty = |document: serde_json::Value| format!("{document:#}\n");
    Ok(match command {
        InventoryCommand::Ansible(AnsibleArgs { host: Some(host), .. }) => {
            pretty(inventories.ansible_host(&host, now).await?)
        }
        InventoryCommand::Ansible(args) => pretty(inventories.ansible(search(args.which)?, now).await?),
        InventoryCommand::Prometheus { which, port } => {
            let targets = inventories.prometheus(search(which)?, port, now).await?;
            pretty(json!(targets))
        }
        InventoryCommand::Hosts { which } => inventories.hosts_file(search(which)?, now).await?,
        InventoryCommand::Dns {
            which,
            zone,
            reverse,
            ns,
        } => {
            let wanted = ZoneWanted {
                domain: zone,
                reverse,
                name_server: ns,
            };
            inventories.zone(search(which)?, &wanted, now).await?
        }
        InventoryCommand::Salt { minion } => {
            let pillar = inventories.salt(&minion, now).await?;
            // Salt goes on without it for a minion that is none of ours.
            pretty(pillar.unwrap_or_else(|| json!({})))
        }
    })
}

impl From<InventoryFault> for Failure {
    fn from(fault: InventoryFault) -> Self {
        match fault {
            InventoryFault::Catalog(fault) => Self::Catalog(fault),
            fault => Self::Inventory(fault),
        }
    }
}
